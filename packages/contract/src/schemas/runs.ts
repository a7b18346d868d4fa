import { z } from "zod";
import { pagingQuery } from "./applications.ts";
import { BreakGlass } from "./break-glass.ts";
import { Close } from "./close.ts";
import {
  Because,
  Digest,
  Facts,
  JsonValue,
  PersonId,
  Reason,
  RowName,
  RunId,
  RunState,
  Time,
  Trigger,
} from "./common.ts";
import { Delivery } from "./notices.ts";
import { Permission } from "./permission.ts";
import { RoleName } from "./session.ts";

/** Who asked: a person, or one of our own services (`system:scanner`). */
export const Requester = z.string().regex(/^(p_[0-9a-f]{16}|system:[a-z-]{1,32})$/);

const CredentialId = z.string().regex(/^[\x21-\x7e]{1,200}$/);

/**
 * A rotation now: of what the record holds, or (`replace`) of a credential that somebody else made. Or (`compromise`) that
 * somebody else may hold one: then which one, and since when that is known.
 */
export const RunRequest = z
  .strictObject({
    row: RowName,
    reason: Reason,
    trigger: z.enum(["manual", "compromise"]).default("manual"),
    /** Id of the compromised credential. */
    credential: CredentialId.optional(),
    /** Id of the credential that is to be replaced and removed, whatever the record holds. */
    replace: CredentialId.optional(),
    reportedAt: Time.optional(),
  })
  .refine(({ trigger, credential }) => (trigger === "compromise") === (credential !== undefined), {
    message: "expected the compromised credential with trigger compromise and with no other",
    path: ["credential"],
  })
  .refine(({ trigger, replace }) => trigger === "manual" || replace === undefined, {
    message: "expected a credential to be replaced with trigger manual and with no other",
    path: ["replace"],
  });
export const RunFiled = z.object({ run: RunId });

/** A role that must still sign, how often, and who may do it. */
export const MissingApproval = z.object({ role: z.string(), count: z.int(), people: z.array(z.string()) });

export const RunSummary = z
  .object({
    id: RunId,
    application: RowName,
    procedure: z.string(),
    tenant: z.string(),
    environment: z.string(),
    state: RunState,
    trigger: Trigger,
    requester: Requester,
    requestedAt: Time,
    changedAt: Time,
    /** The run does nothing before this moment. */
    notBefore: Time.nullable(),
    because: Because.nullable(),
    planDigest: Digest.nullable(),
    /** May the person who asks approve this run now? */
    waitsForYou: z.boolean(),
  })
  .meta({ id: "RunSummary" });
export type RunSummary = z.infer<typeof RunSummary>;

export const RunQuery = z.strictObject({
  state: RunState.optional(),
  /** Only runs that have not ended, or only those that have. */
  open: z.enum(["true", "false"]).optional(),
  row: RowName.optional(),
  /** Only runs that wait for the person who asks. */
  waiting: z.literal("me").optional(),
  ...pagingQuery,
});

export const GivenApproval = z.object({
  person: PersonId,
  role: z.string(),
  decision: z.enum(["approve", "reject"]),
  at: Time,
  level: z.enum(["session", "idp", "passkey"]),
  statementDigest: Digest,
  /** Text of the reason; null when none was given or when it has been erased. */
  reason: z.string().nullable(),
  /** Null = it counts; else why it does not. */
  refused: z.string().nullable(),
});

export const RunFinding = z.object({
  code: z.string(),
  result: z.enum(["pass", "warn", "block"]),
  sentence: z.string(),
  observed: JsonValue,
  required: JsonValue,
});

export const Attempt = z.object({
  attempt: z.int(),
  direction: z.enum(["do", "undo", "discard"]),
  call: z.string(),
  intentAt: Time,
  outcomeAt: Time.nullable(),
  outcome: z.enum(["done", "failed", "unknown"]).nullable(),
  verified: z.string().nullable(),
  error: z.looseObject({ code: z.string() }).nullable(),
  objectIds: Facts,
  facts: Facts,
  requestIds: z.array(z.string()),
  connector: z.object({ id: z.string(), version: z.string() }).nullable(),
  build: z.string().nullable(),
  /** Numbers of the run's entries that record it. */
  intentSeq: z.int(),
  outcomeSeq: z.int().nullable(),
});

export const StepView = z.object({
  id: z.string(),
  verb: z.string(),
  phase: z.enum(["execute", "overlap", "retire", "restore"]),
  describe: z.string(),
  state: z.enum(["waiting", "started", "done", "failed", "unknown", "undone"]),
  attempts: z.array(Attempt),
});

/** A step that an owner does by hand, once it was asked for. */
export const HandStep = z.object({
  step: z.string(),
  describe: z.string(),
  /** `undo`: the run rolls back, and the owner is asked to put back what was done. */
  direction: z.enum(["do", "undo"]),
  /** What is to be done, line by line. */
  checklist: z.array(z.string()),
  /** Who confirmed that it was done; null: nobody has, or it was withdrawn. */
  confirmed: z.object({ person: PersonId, at: Time }).nullable(),
  /** May the person who asks confirm it, or withdraw that. */
  you: Permission,
});

export const Gate = z.object({
  at: Time,
  grade: z.enum(["strong", "weak", "none"]),
  open: z.boolean(),
  reasons: z.array(z.string()),
  evidence: Facts,
});

/** One line of the story, made from one entry of the run's chain. */
export const StoryLine = z.object({
  at: Time,
  runSeq: z.int(),
  type: z.string(),
  /** Only `run.moved`. */
  from: RunState.nullable(),
  to: RunState.nullable(),
  because: Because.nullable(),
  /** Only entries about a step. */
  step: z.string().nullable(),
  outcome: z.string().nullable(),
  person: PersonId.nullable(),
  /** Kind of a notice, grade of a gate reading, direction of a step. */
  what: z.string().nullable(),
  /** Only `notice.sent`: the channel by its name; `log`: no channel is configured to carry it. */
  channel: z.string().nullable(),
});

/** In an emergency: when each thing was so that counts. Null: not yet. */
export const CompromiseClock = z.object({
  credential: z.string().nullable(),
  reportedAt: Time,
  authorisedAt: Time.nullable(),
  /** The new credential was proven. */
  newLiveAt: Time.nullable(),
  /** Everything that the plan revokes was removed. */
  oldDeadAt: Time.nullable(),
  /** The compromised value was refused, several times in a row; null also where nobody here knows it. */
  shownDeadAt: Time.nullable(),
  /** After that no token lives that was issued with it: a bound, not an observation. */
  lastTokenDeadAt: Time.nullable(),
  tokenBound: z.object({ seconds: z.int(), source: z.string() }),
  /** Every consumer was seen on the new credential. */
  restoredAt: Time.nullable(),
  containWithinSeconds: z.int().nullable(),
  restoreWithinSeconds: z.int().nullable(),
  /** Steps of consumers that could not be written before the cut and still are not. */
  leftBehind: z.array(z.string()),
});

export const Wait = z.object({
  kind: z.enum(["approval-expires", "not-before", "overlap-ends", "look-again"]),
  until: Time,
});

export const RunDetail = z
  .object({
    run: RunSummary,
    reason: z.string().nullable(),
    replaces: RunId.nullable(),
    replacedBy: RunId.nullable(),
    /** Canonical plan text: its SHA-256 is the digest. Readers show what they recomputed, not what they were told. */
    plan: z.object({ digest: Digest, text: z.string() }).nullable(),
    approvals: z.object({
      /** Approvals may be given until then. */
      expiresAt: Time.nullable(),
      given: z.array(GivenApproval),
      missing: z.array(MissingApproval),
      /** Roles under which the person who asks may decide now. */
      yourRoles: z.array(RoleName),
      you: Permission,
    }),
    /** Null where policy lets nobody start alone. */
    breakGlass: BreakGlass.nullable(),
    /** Null unless the run is held. */
    close: Close.nullable(),
    findings: z.array(RunFinding),
    steps: z.array(StepView),
    hand: z.array(HandStep),
    gate: Gate.nullable(),
    compromise: CompromiseClock.nullable(),
    story: z.array(StoryLine),
    waits: z.array(Wait),
    notices: z.array(Delivery),
    actions: z.object({ withdraw: Permission, rollBack: Permission, holdDecision: Permission }),
    entries: z.int().nonnegative(),
  })
  .meta({ id: "RunDetail" });
export type RunDetail = z.infer<typeof RunDetail>;

export const WithReason = z.strictObject({ reason: Reason });
export const HoldDecision = z.strictObject({
  choice: z.enum(["retry", "roll-forward", "roll-back"]),
  reason: Reason,
});
/** An owner's word about a step that is done by hand. */
export const StepConfirmation = z.strictObject({
  step: z.string().min(1).max(100),
  direction: z.enum(["do", "undo"]),
  /** `withdrawn`: it was not done after all. */
  confirmation: z.enum(["given", "withdrawn"]),
});
export const RunAnswer = z.object({ run: RunId, state: RunState });
