import { isCode, type RunState } from "@countersign/core";
import type { EntryInput } from "../../store/index.ts";
import { type RunData, runDataFacts } from "../run-data.ts";
import type { RunWork } from "../run-work.ts";
import { recordUnpublished } from "./ledger.ts";

/** What the executor does after a phase: goes on with the run in its new state, or lets it go until it is due. */
export type Next = "again" | "released";

/** What the kill switch has stopped looks again after this (domain time). */
export const frozenMs = 60_000;

export interface Because {
  readonly code: string;
  readonly step?: string;
  /** Another run that this is about. */
  readonly run?: string;
}

/** Moves the run with its log entry in one transaction; this worker goes on with it unless it has ended. */
export async function move(
  work: RunWork,
  to: RunState,
  options: {
    readonly because?: Because;
    readonly data?: Partial<RunData>;
    readonly entries?: readonly EntryInput[];
    /** Takes the plan's lock keys in the same transaction. Error: LOCK_HELD. */
    readonly locks?: boolean;
    /** The move answers what a person asked for. */
    readonly answered?: boolean;
  } = {},
): Promise<Next> {
  const data = { ...work.data, ...options.data };
  const fence = await work.store.transition({
    ...work.hold,
    from: work.state,
    to,
    at: work.now,
    because: options.because === undefined ? null : { ...options.because },
    notBefore: work.now,
    release: false,
    entries: options.entries ?? [],
    data: runDataFacts(data),
    answered: options.answered ?? false,
    ...(options.locks === true ? { take: work.plan.lockKeys } : {}),
  });
  work.moved(to, fence, data);
  return "again";
}

/** Stops with both credentials valid and asks a person; nothing moves until one decides. */
export async function hold(work: RunWork, because: Because): Promise<Next> {
  await recordUnpublished(work);
  return move(work, "held", { because, answered: true, data: { held: { from: work.state, ...because } } });
}

/** Waiting for another run that is writing to one of our targets (domain time). */
const lockMs = 10_000;
const lockTriesMax = 180;

/**
 * Moves into a state with effects. The locks of the targets were given up when the effects were through, so they are taken
 * again (I2); another run holds one for minutes at most.
 */
export async function moveLocked(work: RunWork, to: RunState, options: Parameters<typeof move>[2]): Promise<Next> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await move(work, to, { ...options, locks: true });
    } catch (error) {
      if (!isCode(error, "LOCK_HELD") || tries === lockTriesMax) throw error;
      await work.pause(lockMs);
    }
  }
}

/** Something failed, or a person asked: nothing further propagates; undo what was done. */
export function rollBackBecause(work: RunWork, because: Because): Promise<Next> {
  // A person who says so gives the undo steps new tries, as with "go on".
  const again = because.code === "asked-for" ? { resumedAt: work.now } : {};
  const rollback = { ...because, backAt: null, since: work.now };
  return moveLocked(work, "rolling_back", { because, data: { ...again, held: null, rollback } });
}

/** Lets the run go until `at` (domain time), or until a person acts; no state change, so no log entry. */
export async function releaseUntil(work: RunWork, at: number | null): Promise<Next> {
  // What a person asked and this state has no use for is answered by going on; unanswered it would be due again at once.
  if (work.asked !== null) await work.store.note(work.hold, { at: work.now, entries: [], answered: true });
  // Whoever started alone is looked at again when the time of the second person is over; a roll back waits for nobody.
  const confirmUntil = work.state === "rolling_back" ? null : work.confirmUntil;
  const dueAt = at === null || confirmUntil === null ? at : Math.min(at, Math.max(confirmUntil, work.now + 1_000));
  await work.store.release(work.hold, dueAt, work.now, runDataFacts(work.data));
  return "released";
}
