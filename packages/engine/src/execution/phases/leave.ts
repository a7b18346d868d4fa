import type { RunWork } from "../run-work.ts";
import { move, type Next } from "./moves.ts";

/** Attempts without an answer stay unknown when a run ends, so that the sweep still looks for what they may have made. */
export async function leaveUnknown(work: RunWork, reconciled: "superseded" | "closed"): Promise<void> {
  for (const step of work.plan.steps)
    for (const direction of ["do", "undo", "discard"] as const)
      for (const row of work.attempts(step.id, direction)) {
        const isOpen = row.outcome === null || (row.outcome === "unknown" && row.facts.reconciled === undefined);
        const error = { code: "OUTSIDE_UNKNOWN" };
        if (isOpen) await work.conclude(row, step, { outcome: "unknown", error, facts: { reconciled } });
      }
  work.services.held.drop(work.id);
}

/** Ends a held run with all that it has left outside, as two people have signed it. Nothing outside is touched. */
export async function leaveAsItIs(work: RunWork): Promise<Next> {
  await leaveUnknown(work, "closed");
  return move(work, "left_as_is", { because: { code: "closed-as-it-stands" }, answered: true });
}
