import { CountersignError } from "@countersign/core";
import type { Guard } from "../guard.ts";
import type { RunWork } from "../run-work.ts";
import { doStep } from "../step.ts";
import { takenBack } from "./by-hand.ts";
import { readGate } from "./gate.ts";
import { recordLedger } from "./ledger.ts";
import { frozenMs, hold, move, type Next, releaseUntil } from "./moves.ts";
import { restore } from "./restore.ts";
import { unconfirmed } from "./second-person.ts";

/** A compromised credential is looked at again after this, for ever (domain time). */
const urgentMs = 30_000;
/** A person lifts it, or gives the second word. */
const untilSaid: ReadonlySet<string> = new Set(["frozen", unconfirmed]);
const waitedFor: ReadonlySet<string> = new Set(["world-unreadable", "CLOCK_SKEWED"]);

/**
 * retiring: the point of no return. Authorisation, world and gate are checked once more, right before the exact
 * credential of the plan is removed; once that was intended, only its outcome counts. An emergency asks no gate and waits
 * for no consumer; what it left behind is restored afterwards.
 */
export async function retire(work: RunWork, guard: Guard): Promise<Next> {
  const steps = work.plan.steps.filter((step) => step.phase === "retire");
  const urgent = work.plan.emergency !== undefined;
  if (!work.cutBegun) {
    const problem = await guard.beforeRetirement(work);
    if (problem !== null && untilSaid.has(problem.code)) return releaseUntil(work, work.now + frozenMs);
    if (problem !== null && waitedFor.has(problem.code)) return waitForIt(work, problem.code, urgent);
    if (problem !== null) return hold(work, problem);
    // From here on no word can be taken back; what was taken back before is seen now.
    const back = urgent ? null : await takenBack(work);
    if (back !== null) return hold(work, { code: "confirmation-withdrawn", step: back.id });
    if (work.asked === "roll-back" || !(urgent || (await readGate(work))))
      return move(work, "overlapping", { because: { code: "gate-shut" } });
  }
  const heeds = { tenant: work.plan.tenant.name, application: null };
  for (const step of steps) {
    const result = await doStep(work, step, { heeds });
    if (result.kind === "frozen") return releaseUntil(work, work.now + frozenMs);
    if (result.kind === "unknown") return waitForIt(work, "OUTSIDE_UNKNOWN", urgent);
    if (result.kind === "failed") return hold(work, { code: result.code, step: step.id });
  }
  await recordLedger(work, "retired");
  return urgent ? restore(work, guard) : move(work, "completed");
}

/**
 * What passes by itself is waited for, and everything else is for a person. An emergency never gives up; any other run is
 * let go of as when its work was cut off, and so it holds and its owners are told when it never passes (I9).
 */
function waitForIt(work: RunWork, code: string, urgent: boolean): Promise<Next> {
  if (urgent) return releaseUntil(work, work.now + urgentMs);
  throw new CountersignError(
    code === "OUTSIDE_UNKNOWN" ? code : "OUTSIDE_UNAVAILABLE",
    `expected to be able to retire, got ${code}`,
  );
}
