import type { RunWork } from "../run-work.ts";
import { stalledHolders } from "../stalled.ts";
import { discardAttempt } from "../step.ts";

/** After so long even a stalled holder that nobody could prove dead has lost its lease and its call (domain time). */
const stalledMsMax = 24 * 60 * 60_000;

/** Removes credentials that were left to a stalled holder, once it can no longer publish them. */
export async function removeAbandoned(work: RunWork): Promise<void> {
  if (work.data.abandoned.length === 0) return;
  const stalled = (await stalledHolders(work)).length > 0;
  const left: { step: string; attempt: number }[] = [];
  for (const gone of work.data.abandoned) {
    const step = work.plan.steps.find((candidate) => candidate.id === gone.step);
    const row = work.attempts(gone.step, "do").find((candidate) => candidate.attempt === gone.attempt);
    if (step === undefined || row === undefined) continue;
    const old = work.now - row.intentAt >= stalledMsMax;
    if ((stalled && !old) || (await discardAttempt(work, step, row)).kind !== "done") left.push(gone);
  }
  if (left.length !== work.data.abandoned.length) await work.keep({ abandoned: left });
}
