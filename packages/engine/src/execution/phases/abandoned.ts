import type { Guard } from "../guard.ts";
import type { RunWork } from "../run-work.ts";
import { mayStillPublish } from "../stalled.ts";
import { discardAttempt } from "../step.ts";
import type { Because } from "./moves.ts";

/**
 * Removes credentials that were left to a stalled holder, once it can no longer publish them. Until the last moment it may
 * have done so: what the record holds now is read first, and a credential that consumers may be reading is not removed.
 * Returns why the run must hold, or null.
 */
export async function removeAbandoned(work: RunWork, guard: Guard): Promise<Because | null> {
  if (work.data.abandoned.length === 0) return null;
  const left: { step: string; attempt: number }[] = [];
  let readBack = false;
  for (const gone of work.data.abandoned) {
    const step = work.plan.steps.find((candidate) => candidate.id === gone.step);
    const row = work.attempts(gone.step, "do").find((candidate) => candidate.attempt === gone.attempt);
    if (step === undefined || row === undefined) continue;
    if (await mayStillPublish(work, row.intentAt)) {
      left.push(gone);
      continue;
    }
    const problem = readBack ? null : await guard.recordHeld(work, publishedVersions(work));
    if (problem?.code === "world-unreadable") return null;
    if (problem !== null) return problem;
    readBack = true;
    if ((await discardAttempt(work, step, row)).kind !== "done") left.push(gone);
  }
  if (left.length !== work.data.abandoned.length) await work.keep({ abandoned: left });
  return null;
}

/** Versions of the record that this run has published and that count. */
function publishedVersions(work: RunWork): string[] {
  return work.plan.steps.flatMap((step) => {
    const version = work.verbOf(step).value === "stores" ? work.outcomeOf(step.id)?.objectIds.version : undefined;
    return typeof version === "string" ? [version] : [];
  });
}
