import { z } from "zod";
import { faultKinds, type Rule } from "../faults/rules.ts";

const match = z.strictObject({
  path: z.string().optional(),
  appId: z.string().optional(),
  secret: z.string().optional(),
  vault: z.string().optional(),
  site: z.string().optional(),
  group: z.string().optional(),
  caller: z.string().optional(),
  role: z.string().optional(),
  text: z.string().optional(),
});

const common = {
  op: z.string().min(1),
  nth: z.int().min(1).default(1),
  times: z.union([z.int().min(1), z.literal("always")]).default(1),
  match: match.default({}),
};

const fault = z.strictObject({
  ...common,
  position: z.enum(["before-effect", "after-effect"]).default("before-effect"),
  kind: z.enum(faultKinds),
  /** null: no header. Left out: 1 for a 429, else no header. */
  retryAfterSeconds: z.number().nonnegative().nullable().optional(),
  delayMs: z.number().nonnegative().max(600_000).default(0),
});

const hold = z.strictObject({ ...common, position: z.enum(["after-send", "after-effect", "after-answer"]) });

type ArmInput = Omit<Rule, "id" | "seen" | "fired">;

function times(value: number | "always"): number {
  return value === "always" ? Number.POSITIVE_INFINITY : value;
}

/** Body of `POST /faults`; throws RangeError. */
export function readFault(value: unknown): ArmInput {
  const { position, kind, retryAfterSeconds, delayMs, ...rule } = parse(fault, value);
  if (kind === "cancelled" && !rule.op.startsWith("postgres."))
    throw new RangeError(`kind: expected a kind of this call, got cancelled for ${rule.op}`);
  return {
    ...rule,
    match: given(rule.match),
    times: times(rule.times),
    action: {
      type: "fault",
      position,
      kind,
      retryAfterSeconds: retryAfterSeconds === undefined ? (kind === "429" ? 1 : null) : retryAfterSeconds,
      delayMs,
    },
  };
}

/** Body of `POST /holds`; throws RangeError. */
export function readHold(value: unknown): ArmInput {
  const { position, ...rule } = parse(hold, value);
  return { ...rule, match: given(rule.match), times: times(rule.times), action: { type: "hold", position } };
}

/** What a rule looks like from outside: `times` is a number or `always`. */
export function ruleView(rule: Rule): Record<string, unknown> {
  const { times: count, action, ...rest } = rule;
  return { ...rest, ...action, times: Number.isFinite(count) ? count : "always" };
}

function given(value: z.output<typeof match>): Rule["match"] {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined));
}

function parse<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new RangeError(result.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("\n"));
}
