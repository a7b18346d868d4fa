import type { RunState } from "@countersign/core";
import type { Hold, Store } from "../store/index.ts";
import { hold } from "./phases/moves.ts";
import { readRunData, runDataFacts } from "./run-data.ts";
import type { RunWork } from "./run-work.ts";

/** Where the executor stands with a run: kept current, so that it can be let go of whatever happens. */
export interface At {
  hold: Hold;
  /** null until its plan and journal have been read. */
  work: RunWork | null;
}

/** A run whose work was interrupted is looked at again after this; the pause doubles up to the second (domain time). */
const pauseMs = 5_000;
const pauseMsMax = 10 * 60_000;
/** After so long without coming through, a person decides (domain time); never longer than the overlap that was approved. */
const giveUpMs = 6 * 3_600_000;
const giveUpMsMin = 60_000;

/** States in which something may have been done outside: they can hold. */
const canHold: ReadonlySet<RunState> = new Set(["executing", "overlapping", "retiring", "rolling_back"]);

/**
 * Lets go of a run whose work was cut off by an error, with a pause, so that another worker, or this one once the outside
 * is well again, reconciles. What never comes through is not tried for ever in silence: the run holds with both
 * credentials valid, and its owners are told (I9). An overlap has time: it holds only once it should have ended.
 */
export async function letGo(store: Store, at: At, code: string, now: number): Promise<void> {
  // A beat that was late says nothing about the outside, and the worker may go on: the run must not stay with it.
  if (code === "LEASE_LOST") return store.release(at.hold, now + pauseMs, now);
  const run = await store.run(at.hold.run);
  if (run === null) return;
  const data = readRunData(run.data);
  const interrupted = { count: (data.interrupted?.count ?? 0) + 1, since: data.interrupted?.since ?? now };
  const { work } = at;
  if (work !== null && canHold.has(work.state)) {
    const { timing, emergency } = work.plan;
    // An emergency has no overlap: it may be late by as much as policy gives it to restore.
    const overlapMs = (emergency?.restoreWithinSeconds ?? timing.overlapSeconds) * 1_000;
    const patienceMs = Math.min(giveUpMs, Math.max(overlapMs, giveUpMsMin));
    const from = Math.max(interrupted.since, work.state === "overlapping" ? (data.overlapUntil ?? 0) : 0);
    if (now - from >= patienceMs) {
      await hold(work, { code });
      await store.release(work.hold, null, now);
      return;
    }
  }
  const wait = Math.min(pauseMs * 2 ** Math.min(interrupted.count - 1, 20), pauseMsMax);
  await store.release(at.hold, now + wait, now, runDataFacts({ ...data, interrupted }));
}
