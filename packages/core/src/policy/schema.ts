import { z } from "zod";
import { nameField, roleField } from "../config/schema.ts";
import { isPattern } from "../inventory/scope.ts";
import { verifyLevels } from "../ports/index.ts";
import { type DurationOptions, durationField } from "../time/duration.ts";
import { isZone, parseInstant } from "../time/instant.ts";
import { type Window, weekdays } from "../time/windows.ts";

export const approvalLevels = ["session", "idp", "passkey"] as const;
export const grades = ["none", "weak", "strong"] as const;
export const separations = ["requester-cannot-approve", "one-person-one-role"] as const;

const zone = z.string().refine(isZone, { error: "expected an IANA time zone such as Europe/Berlin" });
const clock = z
  .string()
  .regex(/^(?:[01]\d|2[0-3]):[0-5]\d$|^24:00$/, "expected a time of day such as 09:00")
  .transform((text) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3)));
const date = z.string().refine((text) => /^\d{4}-\d\d-\d\d$/.test(text) && parseInstant(`${text}T00:00:00Z`) !== null, {
  error: "expected a date such as 2026-12-15",
});

const WindowField = z
  .strictObject({ days: z.array(z.enum(weekdays)).min(1).max(7), from: clock, to: clock, tz: zone })
  .refine((window) => window.from !== window.to && window.from < 1_440 && window.to > 0, {
    error: "expected a window with different ends",
  })
  .transform(({ days, from, to, tz }): Window => ({ days, fromMinute: from, toMinute: to, tz }));

const FreezeField = z
  .strictObject({ name: nameField, from: date, to: date, tz: zone, reason: z.string().max(200).optional() })
  .refine((freeze) => freeze.from <= freeze.to, { error: "expected a freeze that ends on or after its first day" });

const RequirementField = z.strictObject({
  role: roleField,
  from: z
    .string()
    .regex(
      /^(?:(?:business-)?owner-of-app|role:[a-z][a-z0-9-]{0,31})$/,
      "expected owner-of-app, business-owner-of-app or role:<role>",
    ),
  count: z.int().min(1).max(10),
  when: z.strictObject({ risk: z.literal("high") }).optional(),
});

/** The form of policy.yaml; rules across fields stand in lint.ts. */
export function policyForm(durations: DurationOptions) {
  const duration = (secondsMin = 0) => durationField(durations, secondsMin);
  const retire = z.strictObject({ minGrade: z.enum(grades), consumerLevel: z.enum(verifyLevels), quiet: duration() });
  const Environment = z.strictObject({
    match: z.strictObject({
      tenant: nameField.optional(),
      environment: nameField.optional(),
      names: z
        .array(
          z
            .string()
            .refine((text) => text === "*" || isPattern(text), { error: "expected a pattern such as billing-*" }),
        )
        .min(1)
        .max(200)
        .optional(),
    }),
    prod: z.boolean(),
    rotateWhenExpiresIn: duration(1),
    secretLifetime: z.strictObject({ max: duration(1) }),
    overlap: z.strictObject({ min: duration(1), max: duration(1) }),
    windows: z.union([z.literal("always"), z.array(WindowField).min(1).max(50)]),
    freezes: z.array(FreezeField).max(100).default([]),
    approvals: z.strictObject({
      expiresAfter: duration(1),
      minLevel: z.enum(approvalLevels),
      require: z.array(RequirementField).min(1).max(10),
      separation: z.array(z.enum(separations)).max(2),
    }),
    proof: z.strictObject({ times: z.int().min(1).max(20), spacing: duration(), deadline: duration(1) }),
    rollback: z.strictObject({ minRemaining: duration() }),
    /** So long before a credential ends its owners are told, unless a run has taken it over. */
    tellBeforeExpiry: z.array(duration(1)).max(10).optional(),
    /** For a compromised credential; without it the ordinary approvals hold, and security on top of them. */
    emergency: z
      .strictObject({
        approvals: z.strictObject({ expiresAfter: duration(1), require: z.array(RequirementField).min(1).max(10) }),
        containWithin: duration(1),
        restoreWithin: duration(1),
      })
      .optional(),
    /** For a credential that a request names, such as one that somebody made by hand; security is asked in any case. */
    remediation: z
      .strictObject({
        approvals: z.strictObject({ expiresAfter: duration(1), require: z.array(RequirementField).min(1).max(10) }),
      })
      .optional(),
    /** One person may start alone; without it nobody may. */
    breakGlass: z
      .strictObject({
        roles: z.array(roleField).min(1).max(10),
        confirm: z.array(roleField).min(1).max(10),
        expiresAfter: duration(1),
        confirmWithin: duration(1),
        reviewWithin: duration(1),
        unconfirmed: z.enum(["hold", "roll-back"]),
      })
      .optional(),
    retire,
    /** What differs for one kind of credential. */
    kinds: z
      .partialRecord(z.enum(["entra-client-secret", "postgres-role-password"]), z.strictObject({ retire }))
      .default({}),
    mode: z.literal("supervised"),
  });
  return z.strictObject({
    apiVersion: z.literal("countersign/policy/v1"),
    name: nameField,
    revision: z.int().min(1),
    environments: z.record(nameField, Environment),
  });
}

export type PolicyForm = z.infer<ReturnType<typeof policyForm>>;
export type PolicyEnvironment = PolicyForm["environments"][string];
