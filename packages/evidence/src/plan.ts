import { parseCanonical } from "./canonical.ts";
import { assertThat } from "./errors.ts";
import { actorId, digest, personId, role, runId, stepId, time, verb } from "./fields.ts";
import { LIMITS } from "./limits.ts";
import {
  boolean,
  distinct,
  either,
  integer,
  isRecord,
  list,
  nullable,
  object,
  oneOf,
  part,
  type Shape,
  type Shaped,
  text,
} from "./shape.ts";

const name = text(/^[^\u0000-\u001f\u007f]+$/u, "a name", 200);
const procedure = object({ digest, major: integer(1, 9_999), name: text(/^[a-z][a-z0-9-]*$/, "a procedure name", 80) });

const entraTarget = object({
  appId: text(/^[\x21-\x7e]+$/, "an id", 64),
  kind: oneOf("entra-application"),
  name,
  objectId: text(/^[\x21-\x7e]+$/, "an id", 64),
});
const postgresTarget = object({
  database: name,
  kind: oneOf("postgres-database"),
  name,
  roles: list(name, 2, 2),
  systemIdentifier: text(/^[\x21-\x7e]+$/, "an id", 40),
});
const target = either(entraTarget, postgresTarget, (v) => isRecord(v) && v["kind"] === "entra-application");

const params: Shape<Record<string, unknown>> = (value, path) => {
  assertThat(isRecord(value), "bad-shape", `expected ${path} to be an object`);
  return value;
};

const step = part({ id: stepId, params, phase: oneOf("execute", "overlap", "retire"), undoable: boolean, verb });

const requirement = object({ count: integer(1, 100), people: distinct(list(personId, 0, 1_000)), role });

const approvals = object({
  expiresAfterSeconds: integer(1),
  minLevel: oneOf("session", "idp", "passkey"),
  require: list(requirement, 1, 32),
  separation: distinct(list(oneOf("requester-cannot-approve", "one-person-one-role"), 0, 2)),
});

/** The keys of a plan a verifier judges by. Others are bound by the digest and left to those who read the plan. */
const plan = part({
  approvals,
  baseline: part({ owners: distinct(list(personId, 0, 1_000)) }),
  inventoryDigest: digest,
  old: part({ binding: oneOf("ours", "hint", "unproven"), expiresAt: nullable(time), id: name }),
  policyDigest: digest,
  procedure,
  prod: boolean,
  requester: actorId,
  retire: part({
    consumerLevel: oneOf("accepted", "metadata-changed", "value-matched", "used"),
    minGrade: oneOf("strong", "weak", "none"),
  }),
  run: runId,
  steps: list(step, 1, LIMITS.planStepsMax),
  target,
  tenant: object({ id: text(/^[\x21-\x7e]+$/, "an id", 64), name }),
  timing: part({ notBefore: time, overlapSeconds: integer(0) }),
  v: integer(1, 1),
});

/** What a verifier reads of a plan. */
export type PlanFacts = Shaped<typeof plan>;
/** One step as the plan orders it. */
export type PlanStepFacts = PlanFacts["steps"][number];

/** Under which key of `target` an intent names the credential it removes. */
export const REMOVED_ID_KEY = { "entra-application": "keyId", "postgres-database": "role" } as const;

/** Parses the parts of a plan a verifier needs, strictly; the bytes must be canonical and the step ids distinct. */
export function parsePlan(bytes: Uint8Array): PlanFacts {
  const parsed = plan(parseCanonical(bytes, LIMITS.planBytesMax), "plan");
  const ids = new Set(parsed.steps.map((s) => s.id));
  assertThat(ids.size === parsed.steps.length, "bad-shape", "expected every step id of the plan once");
  // What ends a credential may stand in phase retire only: everywhere else neither overlap nor gate protects it.
  const ends = new Set(parsed.steps.filter((s) => s.phase === "retire").map((s) => s.verb));
  const early = parsed.steps.find((s) => s.phase !== "retire" && ends.has(s.verb));
  assertThat(
    early === undefined,
    "bad-shape",
    `expected the verb of a retire step in no other phase, got step ${early?.id}`,
  );
  const roles = new Set(parsed.approvals.require.map((r) => r.role));
  assertThat(roles.size === parsed.approvals.require.length, "bad-shape", "expected every required role once");
  return parsed;
}
