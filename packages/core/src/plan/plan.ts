/**
 * A plan: exact, ordered, immutable steps with their targets. People approve the digest of its canonical bytes.
 * Everything the executor will do or compare stands here; nothing is computed again after planning.
 * Times are RFC 3339 UTC with milliseconds, durations are seconds.
 */
import {
  canonicalBytes,
  digestOf,
  EvidenceError,
  type Json,
  LIMITS,
  NAMING_PROCEDURES,
  parseCanonical,
  parsePlan,
} from "@countersign/evidence";
import { z } from "zod";
import { consumerKindNames } from "../consumer-kinds/index.ts";
import { CountersignError } from "../errors.ts";
import { verifyLevels } from "../ports/index.ts";
import { runStates } from "../run/states.ts";

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const time = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const seconds = z
  .int()
  .min(0)
  .max(400 * 86_400);
/** No control characters or changes of writing direction: nothing that could make a page show another plan. */
const printable = /^[^\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]+$/u;
const text = z.string().min(1).max(600).regex(printable);
const name = z.string().min(1).max(200).regex(printable);
const id = (charsMax: number) =>
  z
    .string()
    .max(charsMax)
    .regex(/^[\x21-\x7e]+$/);
const role = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/);
const person = z.string().regex(/^p_[0-9a-f]{16}$/);
const actor = z.string().regex(/^(p_[0-9a-f]{16}|system:[a-z][a-z-]{0,30})$/);
const each = <T>(items: readonly T[], key: (item: T) => string): boolean =>
  new Set(items.map(key)).size === items.length;
const json: z.ZodType<Json> = z.json() as z.ZodType<Json>;
const facts = z.record(z.string(), json);

export const Undo = z.union([z.strictObject({ describe: text }), z.strictObject({ none: text })]);

export const PlanStep = z.strictObject({
  /** Unique within the plan, e.g. `create`, `store`, `update:batch`. */
  id: z.string().regex(/^[a-z][a-z0-9:._-]{0,99}$/),
  verb: z.string().regex(/^[a-z][a-z-]*\.[a-z][a-z-]*@[1-9][0-9]{0,3}$/),
  phase: z.enum(["execute", "overlap", "retire", "restore"]),
  params: facts,
  /** The target's immutable identity, read back before each write (I11). */
  identity: facts,
  describe: text,
  undo: Undo,
  undoable: z.boolean(),
});
export type PlanStep = z.infer<typeof PlanStep>;

export const PlanConsumer = z.strictObject({
  name,
  kind: z.enum(consumerKindNames),
  environment: name,
  pickupSeconds: seconds,
  cadenceSeconds: seconds,
  level: z.enum(verifyLevels),
  callers: z.array(z.string().max(64)).max(20),
  target: facts,
  identity: facts,
});
export type PlanConsumer = z.infer<typeof PlanConsumer>;

export const PlanRule = z.strictObject({
  rule: z.string().max(80),
  observed: z.string().max(600),
  required: z.string().max(600),
  result: z.enum(["pass", "warn"]),
});

export const Requirement = z.strictObject({
  role,
  count: z.int().min(1).max(10),
  /** Opaque ids of the people who may give it, as enrolled when the plan was made. */
  people: z
    .array(person)
    .max(100)
    .refine((people) => each(people, String), "expected every person once"),
});

/** A role and who holds it. */
const Allowed = Requirement.omit({ count: true });

const EntraTarget = z.strictObject({
  kind: z.literal("entra-application"),
  name,
  objectId: id(64),
  appId: id(64),
});
const PostgresTarget = z.strictObject({
  kind: z.literal("postgres-database"),
  name,
  systemIdentifier: id(40),
  database: name,
  roles: z.array(name).length(2),
});

export const Plan = z
  .strictObject({
    v: z.literal(1),
    run: z.string().regex(/^run_[0-9a-hjkmnp-tv-z]{26}$/),
    tenant: z.strictObject({ name, id: id(64) }),
    environment: name,
    prod: z.boolean(),
    procedure: z.strictObject({
      name: z.string().regex(/^[a-z][a-z0-9-]{0,79}$/),
      major: z.int().min(1).max(9_999),
      digest,
    }),
    trigger: z.string().max(40),
    requester: actor,
    target: z.discriminatedUnion("kind", [EntraTarget, PostgresTarget]),
    old: z.strictObject({
      id: name,
      expiresAt: time.nullable(),
      /** `named`: not what the record holds, but what the request names and the approvers have read. */
      binding: z.enum(["ours", "hint", "unproven", "named"]),
    }),
    /** What the record held, where the plan retires another one: it is left alone, and a roll back goes back to it. */
    stays: z.strictObject({ id: name, expiresAt: time.nullable() }).optional(),
    baseline: z.strictObject({
      credentialIds: z.array(name).max(1_200),
      owners: z
        .array(person)
        .max(50)
        .refine((people) => each(people, String), "expected every person once"),
      recordVersion: z.string().max(200).nullable(),
      rowDigest: digest,
    }),
    record: z.strictObject({ kind: z.literal("keyvault-secret"), connection: name, name, identity: facts }),
    consumers: z.array(PlanConsumer).max(100),
    steps: z
      .array(PlanStep)
      .min(1)
      .max(300)
      .refine((steps) => each(steps, (step) => step.id), "expected every step id once"),
    timing: z.strictObject({
      overlapSeconds: seconds,
      lifetimeSeconds: seconds,
      proofTimes: z.int().min(1).max(20),
      proofSpacingSeconds: seconds,
      proofDeadlineSeconds: seconds,
      rollbackMinRemainingSeconds: seconds,
      notBefore: time,
      quietSeconds: seconds,
    }),
    retire: z.strictObject({ minGrade: z.enum(["strong", "weak", "none"]), consumerLevel: z.enum(verifyLevels) }),
    lockKeys: z
      .array(z.strictObject({ key: z.string().max(300), held: z.enum(["run", "effects"]) }))
      .min(1)
      .max(110),
    approvals: z.strictObject({
      expiresAfterSeconds: seconds.min(1),
      minLevel: z.enum(["session", "idp", "passkey"]),
      // A role named twice would let one approval fill both lines.
      require: z
        .array(Requirement)
        .min(1)
        .max(10)
        .refine((require) => each(require, (item) => item.role), "expected every role once"),
      separation: z
        .array(z.enum(["requester-cannot-approve", "one-person-one-role"]))
        .max(2)
        .refine((rules) => each(rules, String), "expected every rule once"),
    }),
    rules: z.array(PlanRule).max(300),
    risks: z.array(z.strictObject({ code: z.string().max(80), sentence: text })).max(100),
    irreversible: z.array(text).max(50),
    policyDigest: digest,
    inventoryDigest: digest,
    /** Only in the plan of an emergency procedure: what else than an ordinary rotation it does. */
    emergency: z
      .strictObject({
        containWithinSeconds: seconds.min(1),
        restoreWithinSeconds: seconds.min(1),
        /** Updates of consumers that do not hold up the cut; they are tried again after it. */
        leaveBehind: z.array(z.string().max(100)).max(300),
        /** Every credential that is removed, the compromised one first. */
        revoke: z.array(name).min(1).max(100),
        /** The open run of the same application that is taken over. */
        supersedes: z
          .strictObject({ run: z.string().regex(/^run_[0-9a-hjkmnp-tv-z]{26}$/), state: z.enum(runStates) })
          .nullable(),
      })
      .optional(),
    /** Who may start this plan alone, and who confirms and reviews that. Absent where nobody may. */
    breakGlass: z
      .strictObject({
        grant: z.array(Allowed).min(1).max(10),
        confirm: z.array(Allowed).min(1).max(10),
        minLevel: z.enum(["session", "idp", "passkey"]),
        expiresAfterSeconds: seconds.min(1),
        confirmWithinSeconds: seconds.min(1),
        reviewWithinSeconds: seconds.min(1),
        unconfirmed: z.enum(["hold", "roll-back"]),
      })
      .optional(),
  })
  .refine((plan) => plan.emergency !== undefined || plan.timing.overlapSeconds > 0, {
    // As the verifiers have it (I5).
    error: "expected an overlap in a plan that is no emergency",
  });
export type Plan = z.infer<typeof Plan>;

/** The credential that is in use again after a roll back; null: nothing is known of what the record held. */
export function goesBackTo({ old, stays }: Pick<Plan, "old" | "stays">): Pick<Plan["old"], "id" | "expiresAt"> | null {
  return old.binding === "named" ? (stays ?? null) : old;
}

/** A plan frozen: the bytes people approve and their digest. */
export interface FrozenPlan {
  readonly plan: Plan;
  readonly bytes: Uint8Array;
  readonly digest: string;
}

/**
 * Checks a plan and fixes its bytes. PLAN_BLOCKED when it has no well-formed, canonical or small enough form: what
 * cannot be shown exactly cannot be approved.
 */
export function freezePlan(plan: Plan): FrozenPlan {
  const checked = Plan.safeParse(plan);
  if (!checked.success)
    throw new CountersignError("PLAN_BLOCKED", `expected a well-formed plan, got ${z.prettifyError(checked.error)}`);
  const bytes = orRefuse("PLAN_BLOCKED", () => canonicalBytes(checked.data as unknown as Json));
  if (bytes.length > LIMITS.planBytesMax)
    throw new CountersignError(
      "PLAN_BLOCKED",
      `expected a plan of at most ${LIMITS.planBytesMax} bytes, got ${bytes.length}`,
    );
  // Of a plan that names a credential a verifier asks more than a form: what it would not read, nobody could prove.
  const { old, procedure } = checked.data;
  if (old.binding === "named" || NAMING_PROCEDURES.includes(procedure.name))
    orRefuse("PLAN_BLOCKED", () => parsePlan(bytes));
  return { plan: checked.data, bytes, digest: digestOf(bytes) };
}

/** Reads stored plan bytes as if a stranger had written them; refuses bytes whose digest is not `expected`. */
export function thawPlan(bytes: Uint8Array, expected: string): FrozenPlan {
  const digest = digestOf(bytes);
  if (digest !== expected)
    throw new CountersignError("AUTHORISATION_INVALID", `expected plan ${expected}, got ${digest}`);
  const parsed = Plan.safeParse(orRefuse("AUTHORISATION_INVALID", () => parseCanonical(bytes)));
  if (!parsed.success)
    throw new CountersignError(
      "AUTHORISATION_INVALID",
      "expected a well-formed plan, got other content under its digest",
    );
  return { plan: parsed.data, bytes, digest };
}

function orRefuse<T>(code: "PLAN_BLOCKED" | "AUTHORISATION_INVALID", read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof EvidenceError) throw new CountersignError(code, error.message);
    throw error;
  }
}
