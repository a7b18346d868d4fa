import {
  actorId,
  because,
  checkpoint,
  code,
  count,
  digest,
  fact,
  facts,
  id,
  ids,
  origin,
  personId,
  procedureName,
  query,
  role,
  runId,
  stepId,
  time,
  verb,
} from "./fields.ts";
import { sampleWish } from "./population/document.ts";
import {
  boolean,
  different,
  distinct,
  either,
  integer,
  list,
  nothing,
  nullable,
  object,
  oneOf,
  type Shaped,
} from "./shape.ts";
import { RUN_STATES } from "./states.ts";

const separation = oneOf("none", "roles");
const processRole = oneOf("api", "scanner", "executor", "notifier", "all");
const direction = oneOf("do", "undo", "discard");
const outcome = oneOf("done", "failed", "unknown");
const state = oneOf(...RUN_STATES);

const finding = object({ code, observed: fact, required: fact, result: oneOf("pass", "warn", "block") });
const reason = object({ code, observed: fact, required: fact });
/** `status` is the outside system's own number and may be absent. */
const stepError = either(
  object({ code, status: integer(0, 999) }),
  object({ code }),
  (value) => typeof value === "object" && value !== null && "status" in value,
);

/** What a person signed, by digest, at which level and in which role. */
const signedWord = {
  evidenceDigest: digest,
  level: oneOf("session", "idp", "passkey"),
  person: personId,
  role,
  statementDigest: digest,
};

/** `data` of every entry type. An entry whose type is not here is refused. */
export const ENTRY_DATA = {
  "log.genesis": object({
    build: id,
    clock: oneOf("system", "virtual"),
    founders: distinct(list(personId, 0, 16)),
    origin,
    profile: oneOf("demo", "test", "production"),
    separation,
    trustDigest: digest,
  }),
  "policy.activated": object({ policyDigest: digest, previous: nullable(digest) }),
  "inventory.accepted": object({ inventoryDigest: digest }),
  "service.started": object({ build: id, role: processRole, separation, worker: id }),
  "service.stopped": object({ role: processRole, worker: id }),
  "scan.completed": object({
    applications: count,
    findings: count,
    kind: oneOf("listing", "changes"),
    query,
    queryDigest: digest,
    tenant: id,
  }),
  // A span of the directory's own audit log was read; how many credential changes in it are whose doing.
  "audit.read": object({
    breakGlass: count,
    entries: count,
    from: time,
    new: count,
    ours: count,
    outOfBand: count,
    query,
    tenant: id,
    to: time,
    unknown: count,
    unreadable: count,
  }),
  // All credential changes and runs of a period were given to somebody: by its digest the list can be recognised.
  "population.exported": object({
    by: actorId,
    changes: count,
    digest,
    from: time,
    gaps: count,
    runs: count,
    sample: nullable(sampleWish),
    to: time,
  }),
  // A person has said what a change was that no run had done.
  "audit.explained": object({
    act: oneOf("added", "removed", "unreadable"),
    credential: nullable(id),
    entry: id,
    objectId: id,
    person: personId,
    reasonDigest: digest,
    tenant: id,
    verdict: oneOf("out-of-band", "unknown"),
  }),
  "run.requested": object({
    procedure: procedureName,
    reasonDigest: nullable(digest),
    replaces: nullable(runId),
    requester: actorId,
    target: ids,
    trigger: oneOf("due", "event", "compromise", "leaver", "policy", "manual"),
  }),
  "run.validated": object({ findings: list(finding, 0, 256), inventoryDigest: digest, policyDigest: digest }),
  "plan.frozen": object({
    planDigest: digest,
    policyDigest: digest,
    procedure: procedureName,
    procedureDigest: digest,
  }),
  "approval.given": object({
    decision: oneOf("approve", "reject"),
    evidenceDigest: digest,
    level: oneOf("session", "idp", "passkey"),
    person: personId,
    role,
    statementDigest: digest,
  }),
  "approval.voided": object({ reasons: list(reason, 1, 64) }),
  "run.authorised": object({
    checkpoint,
    kind: oneOf("quorum", "break-glass"),
    planDigest: digest,
    statements: distinct(list(digest, 1, 64)),
  }),
  "run.moved": object({ because: nullable(because), fence: count, from: state, to: state }),
  "step.intent": object({ attempt: count, call: code, direction, facts, step: stepId, target: ids, verb }),
  "step.outcome": object({
    attempt: count,
    build: id,
    call: code,
    connector: object({ id, version: id }),
    direction,
    error: nullable(stepError),
    facts,
    objectIds: ids,
    outcome,
    requestIds: list(id, 0, 32),
    step: stepId,
    verb,
    verified: nullable(oneOf("accepted", "metadata-changed", "value-matched", "used")),
  }),
  // An owner's word that a step was done, or put back, by hand; it may be taken back until retirement.
  "step.confirmed": object({
    confirmation: oneOf("given", "withdrawn"),
    direction: oneOf("do", "undo"),
    level: oneOf("session", "idp", "passkey"),
    person: personId,
    step: stepId,
  }),
  "recovery.started": object({ deadAfterMs: count, holder: id, provenDead: boolean, settleMs: count, worker: id }),
  "gate.checked": object({
    evidence: facts,
    grade: oneOf("strong", "weak", "none"),
    open: boolean,
    reasons: list(code, 0, 64),
  }),
  // A creation whose outcome stayed unknown was seen after all, perhaps after its run had closed: it is taken away.
  "sweep.intent": object({ credential: id, of: runId, step: stepId, target: ids }),
  "sweep.outcome": object({ credential: id, of: runId, outcome, step: stepId }),
  "notice.sent": object({
    attempt: count,
    channel: code,
    kind: code,
    outcome,
    status: nullable(integer(0, 999)),
  }),
  // Break-glass: one person alone, a second one who confirms, and a review, which may come after the run has closed.
  "breakglass.granted": object(signedWord),
  "breakglass.confirmed": object(signedWord),
  "breakglass.reviewed": object({ ...signedWord, of: runId, result: oneOf("accepted", "objected") }),
  // A held run is closed as it stands: asked by one person, confirmed by a second one of security.
  "close.asked": object({ ...signedWord, remainsDigest: digest }),
  "close.confirmed": object({ ...signedWord, remainsDigest: digest }),
  // An older backup was restored. `seen`: how far the host had seen the log before; `signed`: the last checkpoint that the
  // restored database holds; `unknown`: our credentials outside that stand in no journal line.
  "log.restored": object({
    held: count,
    person: personId,
    reasonDigest: digest,
    reportDigest: digest,
    seen: checkpoint,
    signed: checkpoint,
    unknown: count,
    withdrawn: count,
  }),
  "freeze.set": object({ person: personId, scope: query }),
  "freeze.lifted": object({ person: personId, scope: query }),
  // A finding of the fleet is accepted until a date: asked by one person, confirmed by a second one of security.
  "acceptance.asked": object({
    acceptance: count,
    code,
    credential: nullable(id),
    object: nullable(id),
    observed: query,
    person: personId,
    reasonDigest: digest,
    tenant: id,
    until: time,
  }),
  "acceptance.confirmed": different({ acceptance: count, askedBy: personId, person: personId }, "askedBy", "person"),
  "acceptance.expired": object({ acceptance: count }),
  "acceptance.withdrawn": object({ acceptance: count, person: personId }),
  "attachment.erased": object({ attachment: digest, by: actorId, reasonDigest: nullable(digest) }),
  "run.closed": object({ entries: integer(1), state }),
} as const;

/** A type of log entry. */
export type EntryType = keyof typeof ENTRY_DATA;

/** `data` of one entry type. */
export type EntryData<T extends EntryType> = Shaped<(typeof ENTRY_DATA)[T]>;

/** Whether an entry belongs to a run: always, never, or as the case may be. */
export const ENTRY_SCOPE: { readonly [T in EntryType]: "run" | "log" | "either" } = {
  "log.genesis": "log",
  "policy.activated": "log",
  "inventory.accepted": "log",
  "service.started": "log",
  "service.stopped": "log",
  "scan.completed": "log",
  "audit.read": "log",
  "audit.explained": "log",
  "population.exported": "log",
  "run.requested": "run",
  "run.validated": "run",
  "plan.frozen": "run",
  "approval.given": "run",
  "approval.voided": "run",
  "run.authorised": "run",
  "run.moved": "run",
  "step.intent": "run",
  "step.outcome": "run",
  "step.confirmed": "run",
  "recovery.started": "either",
  "gate.checked": "run",
  "sweep.intent": "log",
  "sweep.outcome": "log",
  "log.restored": "log",
  "notice.sent": "either",
  "breakglass.granted": "run",
  "breakglass.confirmed": "run",
  "breakglass.reviewed": "log",
  "close.asked": "run",
  "close.confirmed": "run",
  "freeze.set": "log",
  "freeze.lifted": "log",
  "acceptance.asked": "log",
  "acceptance.confirmed": "log",
  "acceptance.expired": "log",
  "acceptance.withdrawn": "log",
  "attachment.erased": "log",
  "run.closed": "run",
};

/** Used where a key must be present and null. */
export const absent = nothing;
