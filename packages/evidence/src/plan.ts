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
import { RUN_STATES } from "./states.ts";

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

const step = part({
  id: stepId,
  params,
  phase: oneOf("execute", "overlap", "retire", "restore"),
  undoable: boolean,
  verb,
});

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
  old: part({ binding: oneOf("ours", "hint", "unproven", "named"), expiresAt: nullable(time), id: name }),
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

/** Procedures for a compromised credential: the only ones that retire without overlap and gate (I5). */
export const EMERGENCY_PROCEDURES: readonly string[] = ["emergency-revoke"];

/** Procedures that replace a credential which the request names: what lives on it may be known to nobody. */
export const NAMING_PROCEDURES: readonly string[] = ["entra-replace-foreign"];

/** What differs in an emergency: what is removed, who may be left behind, by when, and which run is taken over. */
const emergency = object({
  containWithinSeconds: integer(1),
  leaveBehind: distinct(list(stepId, 0, LIMITS.planStepsMax)),
  restoreWithinSeconds: integer(1),
  revoke: distinct(list(name, 1, 100)),
  supersedes: nullable(object({ run: runId, state: oneOf(...RUN_STATES) })),
});

const allowed = list(object({ people: distinct(list(personId, 0, 1_000)), role }), 1, 32);

/** Who may start this plan alone, who confirms and reviews that, and by when. */
const breakGlass = object({
  confirm: allowed,
  confirmWithinSeconds: integer(1),
  expiresAfterSeconds: integer(1),
  grant: allowed,
  minLevel: oneOf("session", "idp", "passkey"),
  reviewWithinSeconds: integer(1),
  unconfirmed: oneOf("hold", "roll-back"),
});

/** What a verifier reads of a plan. */
export type PlanFacts = Shaped<typeof plan> & {
  /** Null in every plan but that of an emergency. */
  readonly emergency: Shaped<typeof emergency> | null;
  /** Null where policy allows no break-glass. */
  readonly breakGlass: Shaped<typeof breakGlass> | null;
};
/** One step as the plan orders it. */
export type PlanStepFacts = PlanFacts["steps"][number];

/** Under which key of `target` an intent names the credential it removes. */
export const REMOVED_ID_KEY = { "entra-application": "keyId", "postgres-database": "role" } as const;

/** Parses the parts of a plan a verifier needs, strictly; the bytes must be canonical and the step ids distinct. */
export function parsePlan(bytes: Uint8Array): PlanFacts {
  const value = parseCanonical(bytes, LIMITS.planBytesMax);
  const optional = <T>(key: string, shape: Shape<T>): T | null =>
    isRecord(value) && Object.hasOwn(value, key) ? shape(value[key], `plan.${key}`) : null;
  const parsed = {
    ...plan(value, "plan"),
    emergency: optional("emergency", emergency),
    breakGlass: optional("breakGlass", breakGlass),
  };
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
  checkEmergency(parsed);
  checkNamed(parsed);
  return parsed;
}

/** An emergency says so by its procedure, and nothing else may do what only an emergency may. */
function checkEmergency({ emergency: urgent, procedure: of, timing, steps, old, target: at }: PlanFacts): void {
  const is = EMERGENCY_PROCEDURES.includes(of.name);
  assertThat(
    is === (urgent !== null),
    "bad-shape",
    `expected plan.emergency in a plan of ${EMERGENCY_PROCEDURES.join(" or ")} and in no other`,
  );
  if (urgent === null) {
    assertThat(timing.overlapSeconds > 0, "bad-shape", "expected an overlap in a plan that is no emergency");
    const late = steps.find((s) => s.phase === "restore");
    assertThat(late === undefined, "bad-shape", `expected no step of phase restore, got ${late?.id}`);
    return;
  }
  const left = urgent.leaveBehind.map((stepOf) => steps.find((s) => s.id === stepOf));
  const fine = left.every((s) => s !== undefined && s.phase === "execute" && s.id.startsWith("update:"));
  assertThat(fine, "bad-shape", "expected only updates of consumers among the steps that may be left behind");
  assertThat(urgent.revoke[0] === old.id, "bad-shape", "expected the old credential first among those revoked");
  const key = REMOVED_ID_KEY[at.kind];
  const removed = steps.filter((s) => s.phase === "retire" && s.params[key] !== undefined).map((s) => s.params[key]);
  assertThat(
    removed.length === urgent.revoke.length && urgent.revoke.every((id) => removed.includes(id)),
    "bad-shape",
    "expected one retire step for each credential that is revoked",
  );
}

/**
 * A credential that the request names goes alone, by a procedure that is there for it, with a yes of security and never
 * without evidence of its last use. Where the record does not hold it, an owner moves whatever lives on it.
 */
function checkNamed(plan: PlanFacts): void {
  const { procedure: of, old, steps, approvals: asked, breakGlass: glass, retire, target: at } = plan;
  const is = NAMING_PROCEDURES.includes(of.name);
  assertThat(
    is || old.binding !== "named",
    "bad-shape",
    `expected a credential that is named in a plan of ${NAMING_PROCEDURES.join(" or ")} alone`,
  );
  if (!is) return;
  assertThat(glass === null, "bad-shape", "expected nobody to start the replacement of a named credential alone");
  const bySecurity = asked.require.some((one) => one.role === "security");
  assertThat(bySecurity, "bad-shape", "expected security among those who approve of a named credential's replacement");
  assertThat(retire.minGrade !== "none", "bad-shape", "expected evidence of the last use of a named credential");
  const removals = steps.filter((s) => s.phase === "retire");
  const key = REMOVED_ID_KEY[at.kind];
  assertThat(
    removals.length === 1 && removals[0]?.params[key] === old.id,
    "bad-shape",
    "expected one retire step, of the credential that is named",
  );
  if (old.binding !== "named") return;
  const asks = steps.some((s) => s.id === "switch" && s.phase === "execute" && s.verb.startsWith("manual.ask@"));
  const shows = steps.some((s) => s.id === HOLDER_STEP && s.phase === "overlap" && s.params["update"] === "switch");
  assertThat(
    asks && shows,
    "bad-shape",
    "expected an owner to be asked to move what lives on the named credential, and to have it shown",
  );
}

/** The step that shows that what lived on a named credential uses the new one. */
export const HOLDER_STEP = "switched";
