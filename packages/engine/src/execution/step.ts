import {
  CountersignError,
  type Done,
  type ErrorCode,
  type Facts,
  type PlanStep,
  type Reconciled,
  sameFacts,
  type Verb,
  type VerbContext,
  type Verified,
  type VerifyLevel,
} from "@countersign/core";
import { type Heeds, heedsNothing, type Stopped } from "../store/index.ts";
import { newNonce } from "./context.ts";
import { type Attempt, doneOf, type RunWork } from "./run-work.ts";
import { mayStillPublish } from "./stalled.ts";

/** What came of a step, as the phases decide on it. */
export type StepResult =
  | { readonly kind: "done"; readonly done: Done; readonly verified: VerifyLevel | null }
  /** Will not succeed by trying again. */
  | { readonly kind: "failed"; readonly code: string; readonly facts: Facts }
  /** The outside will not say whether it happened: a person decides, nothing is guessed. */
  | { readonly kind: "unknown"; readonly facts: Facts }
  /** The kill switch was thrown, or an emergency goes first, before another attempt: nothing was sent since. */
  | { readonly kind: Stopped["stopped"] };

/** Attempts of one step in one direction; beyond that a person looks. */
const attemptsMax = 8;
/** Looking again at an attempt whose outcome is unknown, before the run holds. */
const looksMax = 12;
/** A step that is not verified by then has failed (domain time). */
const verifyDeadlineMs = 15 * 60_000;
/** First pause before another attempt (domain time); doubled each time. */
const backoffMs = 1_000;
const backoffMsMax = 60_000;

/** Codes after which the same attempt may simply be made again: nothing happened outside, and it may go better next time. */
const passingErrors = ["OUTSIDE_CONFLICT", "OUTSIDE_RATE_LIMITED", "OUTSIDE_UNAVAILABLE", "OUTSIDE_NOT_FOUND"] as const;
/** The act left no trace for sure, or may be repeated: see {@link Verb.retry}. */
const unclear = ["OUTSIDE_UNKNOWN", "OUTSIDE_MALFORMED", "DEADLINE_PASSED"] as const;

/** The run is not ours any more, or cannot be journaled: whoever takes over reconciles. */
const notOurs: readonly ErrorCode[] = ["LEASE_LOST", "STALE_FENCE", "DATABASE_UNAVAILABLE", "VERB_UNKNOWN"];

/** How long a step is tried. */
interface Patience {
  readonly attemptsMax: number;
  readonly looksMax: number;
  readonly verifyDeadlineMs: number;
  /** Whatever fails is journaled, also when it fails before anything was sent: later steps go on after it. */
  readonly tellsEveryFailure: boolean;
}

const patient: Patience = { attemptsMax, looksMax, verifyDeadlineMs, tellsEveryFailure: false };
/** What must not hold up the cut of a compromised secret is tried twice and no longer than a minute each time. */
const brief: Patience = { attemptsMax: 2, looksMax: 2, verifyDeadlineMs: 60_000, tellsEveryFailure: true };

interface StepOptions {
  /** Makes no attempt; only asks what became of an open one. */
  readonly onlyReconcile?: boolean;
  /** What stops it before each attempt; without it the step goes on whatever happens. */
  readonly heeds?: Heeds;
  /** What failed before does not count against the step (domain time). */
  readonly since?: number;
}

/** Does one step of the plan: intent, effect, verification, outcome; reconciles what an earlier attempt left open. */
export function doStep(work: RunWork, step: PlanStep, options: StepOptions = {}): Promise<StepResult> {
  return drive(work, step, "do", options);
}

/**
 * Tries a step that may be left behind. Whatever comes of it stands in the journal as done, failed or unknown.
 */
export function tryStep(work: RunWork, step: PlanStep, options: StepOptions): Promise<StepResult> {
  return drive(work, step, "do", { ...options, patience: brief });
}

/** Reverses one step. Twice is once. */
export function undoStep(work: RunWork, step: PlanStep): Promise<StepResult> {
  return drive(work, step, "undo", {});
}

/** Takes back what a `do` attempt created whose value is lost; journaled under the same attempt number. */
export async function discardAttempt(work: RunWork, step: PlanStep, attempt: Attempt): Promise<StepResult> {
  const verb = work.verbOf(step);
  const open = work.attempts(step.id, "discard").find((row) => row.attempt === attempt.attempt);
  if (open?.outcome === "done") return { kind: "done", done: doneOf(open), verified: null };
  // What is not ours stays where it is, however often somebody asks.
  if (open?.outcome === "failed") return { kind: "failed", code: open.error?.code ?? "STATE_CONFLICT", facts: {} };
  const row = open ?? (await work.intend(step, "discard", attempt.attempt, { of: attempt.objectIds }));
  const ctx = work.context(step, "discard", attempt.attempt, attempt.nonce);
  return attemptOnce(work, step, verb, row, ctx, (of) => {
    if (verb.discard === undefined)
      throw new CountersignError("UNDO_IMPOSSIBLE", `expected ${verb.id} to be able to discard, got no such verb`);
    return verb.discard(of, step.params, attempt.objectIds);
  });
}

/**
 * Takes back what an attempt made whose value is lost. A stalled holder may still publish that value; removing it now could
 * break every consumer of `latest`, so it is left behind then and removed later.
 */
export async function takeBack(work: RunWork, step: PlanStep, attempt: Attempt): Promise<void> {
  const stalled = await mayStillPublish(work, attempt.intentAt);
  if (!stalled && (await discardAttempt(work, step, attempt)).kind === "done") return;
  await work.keep({ abandoned: [...work.data.abandoned, { step: step.id, attempt: attempt.attempt }] });
}

/** Takes back what a look has found of earlier attempts, before another one is made. */
async function takeBackFound(work: RunWork, step: PlanStep, verb: Verb<unknown>): Promise<void> {
  if (verb.discard === undefined) return;
  for (const row of work.attempts(step.id, "do"))
    if (row.facts.reconciled === "left" && !work.isVoid(row)) await takeBack(work, step, row);
}

async function drive(
  work: RunWork,
  step: PlanStep,
  direction: "do" | "undo",
  options: StepOptions & { readonly patience?: Patience },
): Promise<StepResult> {
  const verb = work.verbOf(step);
  const { patience = patient, since = 0 } = options;
  for (;;) {
    const attempts = work.attempts(step.id, direction);
    const last = attempts.at(-1);
    const settled =
      last !== undefined &&
      (last.outcome === "done" || last.outcome === "failed" || last.facts.reconciled !== undefined);
    if (last?.outcome === "done" && !(direction === "do" && work.isVoid(last)))
      return { kind: "done", done: doneOf(last), verified: last.verified };
    if (direction === "do") await takeBackFound(work, step, verb);

    if (last !== undefined && !settled) {
      const reconciled = await reconcile(work, step, verb, last, direction, patience);
      if (reconciled !== null) return reconciled;
      continue;
    }

    if (options.onlyReconcile === true)
      return { kind: "failed", code: last?.error?.code ?? "OUTSIDE_UNKNOWN", facts: {} };
    // What failed before a person said "go on" does not count against the step any more.
    const counted = attempts.filter((row) => row.intentAt >= Math.max(work.data.resumedAt, since));
    if (counted.length >= patience.attemptsMax)
      return { kind: "failed", code: last?.error?.code ?? "DEADLINE_PASSED", facts: { attempts: attempts.length } };
    const before = counted.at(-1);
    if (before?.outcome === "failed") {
      if (!isPassing(before.error?.code))
        return { kind: "failed", code: before.error?.code ?? "OUTSIDE_INVALID", facts: before.facts };
      await work.pause(Math.min(backoffMs * 2 ** (counted.length - 1), backoffMsMax));
    }

    const attempt = (last?.attempt ?? 0) + 1;
    const look = work.context(step, direction, attempt, newNonce());
    const mismatch = await identityProblem(work, verb, step, look, patience);
    if (mismatch !== null && !patience.tellsEveryFailure) return mismatch;

    // Looked at with each intent and not once per step: pauses between attempts are long enough for somebody to freeze.
    const facts = verb.intent?.(look, step.params) ?? {};
    const heeds = options.heeds ?? heedsNothing;
    const row = await work.intendUnlessStopped(step, direction, attempt, facts, look.nonce, heeds);
    if ("stopped" in row) return { kind: row.stopped };
    if (mismatch !== null) {
      await work.conclude(row, step, { outcome: "failed", error: { code: mismatch.code } });
      return mismatch;
    }
    const ctx = work.context(step, direction, attempt, row.nonce);
    const perform = (of: VerbContext) => act(work, verb, step, of, direction);
    const result = await attemptOnce(work, step, verb, row, ctx, perform, patience);
    if (result.kind === "done" || (result.kind === "failed" && !isPassing(result.code))) return result;
  }
}

/** Performs the act of one attempt whose intent is committed, and commits what came of it. */
async function attemptOnce(
  work: RunWork,
  step: PlanStep,
  verb: Verb<unknown>,
  row: Attempt,
  ctx: VerbContext,
  perform: (ctx: VerbContext) => Promise<Done>,
  patience: Patience = patient,
): Promise<StepResult> {
  let mayStand = false;
  const noting = () => {
    mayStand = true;
  };
  try {
    work.services.lease.assertAlive();
    const done = await perform({ ...ctx, effectMayStand: noting });
    if (done.value !== undefined) work.services.held.hold(work.id, done.value);
    return await verifyAndConclude(work, step, verb, row, ctx, done, patience);
  } catch (error) {
    return concludeError(work, step, verb, row, error, mayStand);
  }
}

function act(
  work: RunWork,
  verb: Verb<unknown>,
  step: PlanStep,
  ctx: VerbContext,
  direction: "do" | "undo",
): Promise<Done> {
  if (direction === "do") return verb.do(ctx, step.params);
  if (verb.undo === undefined)
    throw new CountersignError("UNDO_IMPOSSIBLE", `expected ${verb.id} to have an undo, got none`);
  return verb.undo(ctx, step.params, work.outcomeOf(step.id) ?? lastTrace(work, step));
}

/** What the newest attempt is known to have made, when none is known to be done. */
function lastTrace(work: RunWork, step: PlanStep): Done {
  const row = work.attempts(step.id, "do").at(-1);
  return row === undefined ? { objectIds: {}, facts: {}, requestIds: [] } : doneOf(row);
}

async function verifyAndConclude(
  work: RunWork,
  step: PlanStep,
  verb: Verb<unknown>,
  row: Attempt,
  ctx: VerbContext,
  done: Done,
  patience: Patience,
): Promise<StepResult> {
  const shared = { objectIds: done.objectIds, facts: done.facts, requestIds: done.requestIds };
  if (row.direction !== "do" || verb.verify === undefined) {
    await work.conclude(row, step, { outcome: "done", ...shared });
    return { kind: "done", done, verified: null };
  }
  const deadline = work.now + patience.verifyDeadlineMs;
  for (let looks = 1; ; looks += 1) {
    const verified = await looked(verb.verify(ctx, step.params, done));
    if (verified.kind === "verified") {
      await work.conclude(row, step, {
        outcome: "done",
        ...shared,
        facts: { ...done.facts, ...verified.facts },
        verified: verified.level,
      });
      return { kind: "done", done, verified: verified.level };
    }
    const mayPass = verified.kind === "not-yet" || (verified.kind === "unreadable" && verified.passing);
    if (!mayPass || work.now >= deadline) {
      // Whatever kept it from being seen until now: what was performed is not performed again for that.
      const code = mayPass ? "DEADLINE_PASSED" : verified.code;
      const unreadable = mayPass && verified.kind === "unreadable" ? { unreadable: verified.code } : {};
      await work.conclude(row, step, {
        outcome: "failed",
        ...shared,
        facts: {
          ...done.facts,
          ...verified.facts,
          ...unreadable,
          ...(verb.effect === "change" ? { performed: true } : {}),
        },
        error: { code },
      });
      return { kind: "failed", code, facts: verified.facts };
    }
    await work.pause(
      verified.kind === "not-yet" ? verified.lookAgainMs : Math.min(backoffMs * 2 ** (looks - 1), backoffMsMax),
    );
  }
}

/** A look that did not come to anything says nothing about the act: what the act has made stays on record either way. */
type Unreadable = {
  readonly kind: "unreadable";
  readonly code: ErrorCode;
  readonly passing: boolean;
  readonly facts: Facts;
};

async function looked(look: Promise<Verified>): Promise<Verified | Unreadable> {
  try {
    return await look;
  } catch (error) {
    if (!(error instanceof CountersignError) || notOurs.includes(error.code)) throw error;
    const passes = isPassing(error.code) || (unclear as readonly string[]).includes(error.code);
    return { kind: "unreadable", code: error.code, passing: passes, facts: {} };
  }
}

/** Turns an attempt without outcome into one: asks the outside, never assumes. Null: go on with the next attempt. */
async function reconcile(
  work: RunWork,
  step: PlanStep,
  verb: Verb<unknown>,
  open: Attempt,
  direction: "do" | "undo",
  patience: Patience,
): Promise<StepResult | null> {
  // Who goes on after it must find it journaled: nothing is guessed, it stays unknown.
  const stillUnknown = async () => {
    if (patience.tellsEveryFailure && open.outcome === null)
      await work.conclude(open, step, { outcome: "unknown", error: { code: "OUTSIDE_UNKNOWN" } });
  };
  const ctx = work.context(step, direction, open.attempt, open.nonce);
  const mismatch = await identityProblem(work, verb, step, ctx, patience);
  if (mismatch !== null) {
    await stillUnknown();
    return mismatch;
  }
  if (direction === "undo" || verb.reconcile === undefined) {
    // An undo is idempotent by contract, and a verb without `reconcile` only looks or may be repeated as it is.
    await concludeToRepeat(work, step, open);
    return null;
  }
  for (let looks = 0; looks < patience.looksMax; looks += 1) {
    const answer = await verb.reconcile(ctx, step.params);
    if (answer.kind === "done") return verifyAndConclude(work, step, verb, open, ctx, answer.done, patience);
    if (answer.kind === "repeat") {
      await concludeToRepeat(work, step, open);
      return null;
    }
    if (answer.kind === "not-done") {
      await concludeNotDone(work, step, open, answer);
      return null;
    }
    await work.pause(answer.lookAgainMs);
  }
  await stillUnknown();
  return { kind: "unknown", facts: { looks: patience.looksMax } };
}

/** An attempt that may be made again although nobody knows what became of it; it is not proven absent. */
async function concludeToRepeat(work: RunWork, step: PlanStep, open: Attempt): Promise<void> {
  const error = { code: "OUTSIDE_CONFLICT" };
  await work.conclude(open, step, { outcome: "failed", error, facts: { reconciled: "repeat" } });
}

/** An attempt that did not come to be, and what this and earlier ones were found to have left behind. */
async function concludeNotDone(
  work: RunWork,
  step: PlanStep,
  open: Attempt,
  answer: Extract<Reconciled, { kind: "not-done" }>,
): Promise<void> {
  const error = { code: "OUTSIDE_CONFLICT" };
  const left = new Map((answer.left ?? []).map(({ attempt, objectIds }) => [attempt, objectIds]));
  const unclear = work.attempts(step.id, "do").filter((row) => row.seq === open.seq || row.outcome === "unknown");
  for (const row of unclear) {
    const objectIds = left.get(row.attempt);
    const facts = { ...answer.facts, reconciled: "left" };
    if (objectIds !== undefined) await work.conclude(row, step, { outcome: "failed", error, objectIds, facts });
  }
  if (left.has(open.attempt)) return;
  // "Absent" in a listing is not absence (I3): such an attempt stays unknown, and the sweep looks for its late twin.
  const absent = answer.facts.absent === "not-proven";
  const facts = { ...answer.facts, reconciled: "not-done" };
  await work.conclude(open, step, { outcome: absent ? "unknown" : "failed", error, facts });
}

async function concludeError(
  work: RunWork,
  step: PlanStep,
  verb: Verb<unknown>,
  row: Attempt,
  error: unknown,
  mayStand: boolean,
): Promise<StepResult> {
  // The journal stays open on purpose.
  if (!(error instanceof CountersignError) || notOurs.includes(error.code)) throw error;
  const status = typeof error.facts.status === "number" ? { status: error.facts.status } : {};
  if (row.direction === "discard" && error.code.startsWith("OUTSIDE_")) {
    // One attempt is taken back under one number, so this intent stays open: whatever the outside said, the credential may
    // still be there, and the same removal is made again once the outside is well. Twice is once.
    await work.conclude(row, step, { outcome: "unknown", error: { code: error.code, ...status } });
    return { kind: "failed", code: error.code, facts: {} };
  }
  const isUnclear = (unclear as readonly string[]).includes(error.code);
  // A look that was refused after the change was made says nothing about the change: who can, looks for it again.
  const stands = mayStand && verb.effect === "change" && row.direction === "do";
  const mustLook = stands && verb.reconcile !== undefined;
  const outcome = mustLook || (isUnclear && verb.effect === "change") ? "unknown" : "failed";
  const code = isUnclear && verb.effect === "look" ? "OUTSIDE_UNAVAILABLE" : error.code;
  const facts = stands && outcome === "failed" ? { facts: { performed: true } } : {};
  await work.conclude(row, step, { outcome, error: { code, ...status }, ...facts });
  return { kind: "failed", code: outcome === "unknown" ? "OUTSIDE_CONFLICT" : code, facts: {} };
}

async function identityProblem(
  work: RunWork,
  verb: Verb<unknown>,
  step: PlanStep,
  ctx: VerbContext,
  patience: Patience,
): Promise<Extract<StepResult, { kind: "failed" }> | null> {
  for (let tries = 1; ; tries += 1) {
    try {
      const seen = await verb.identify(ctx, step.params);
      if (sameFacts(seen, step.identity as Facts)) return null;
      return { kind: "failed", code: "IDENTITY_MISMATCH", facts: {} };
    } catch (error) {
      if (!(error instanceof CountersignError) || notOurs.includes(error.code)) throw error;
      // Reading who answers changes nothing: what passes is waited for, as with the act itself.
      if (!isPassing(error.code) || tries === patience.attemptsMax)
        return { kind: "failed", code: error.code, facts: {} };
      await work.pause(Math.min(backoffMs * 2 ** (tries - 1), backoffMsMax));
    }
  }
}

function isPassing(code: string | undefined): boolean {
  return code !== undefined && (passingErrors as readonly string[]).includes(code);
}
