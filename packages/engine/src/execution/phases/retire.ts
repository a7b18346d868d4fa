import type { Guard } from "../guard.ts";
import type { RunWork } from "../run-work.ts";
import { doStep } from "../step.ts";
import { takenBack } from "./by-hand.ts";
import { readGate } from "./gate.ts";
import { recordLedger } from "./ledger.ts";
import { hold, move, type Next, releaseUntil } from "./moves.ts";
import { restore } from "./restore.ts";
import { unconfirmed } from "./second-person.ts";

const retryMs = 10 * 60_000;
/** A compromised credential is looked at again sooner. */
const urgentMs = 30_000;
const passing: ReadonlySet<string> = new Set(["frozen", "world-unreadable", "CLOCK_SKEWED", unconfirmed]);

/**
 * retiring: the point of no return. Authorisation, world and gate are checked once more, right before the exact
 * credential of the plan is removed; once that was intended, only its outcome counts. An emergency asks no gate and waits
 * for no consumer; what it left behind is restored afterwards.
 */
export async function retire(work: RunWork, guard: Guard): Promise<Next> {
  const steps = work.plan.steps.filter((step) => step.phase === "retire");
  const urgent = work.plan.emergency !== undefined;
  const againMs = urgent ? urgentMs : retryMs;
  if (!work.cutBegun) {
    const problem = await guard.beforeRetirement(work);
    // What passes by itself is waited for; everything else is for a person.
    if (problem !== null && passing.has(problem.code)) return releaseUntil(work, work.now + againMs);
    if (problem !== null) return hold(work, problem);
    // From here on no word can be taken back; what was taken back before is seen now.
    const back = urgent ? null : await takenBack(work);
    if (back !== null) return hold(work, { code: "confirmation-withdrawn", step: back.id });
    if (work.asked === "roll-back" || !(urgent || (await readGate(work))))
      return move(work, "overlapping", { because: { code: "gate-shut" } });
  }
  for (const step of steps) {
    const result = await doStep(work, step);
    if (result.kind === "unknown") return releaseUntil(work, work.now + againMs);
    if (result.kind === "failed") return hold(work, { code: result.code, step: step.id });
  }
  await recordLedger(work, "retired");
  return urgent ? restore(work, guard) : move(work, "completed");
}
