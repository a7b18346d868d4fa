import type { RunState } from "@countersign/core";
import type { Guard } from "../guard.ts";
import type { RunWork } from "../run-work.ts";
import { leaveAsItIs } from "./leave.ts";
import { move, moveLocked, type Next, releaseUntil, rollBackBecause } from "./moves.ts";
import { unconfirmed } from "./second-person.ts";

/**
 * held: both credentials are valid and nothing moves until a person says so. `look-again` goes on where the run stopped,
 * `resume` goes forward; the steps that had failed may be tried once more. `roll-back` undoes. Two people may also close it
 * as it stands.
 */
export async function held(work: RunWork, guard: Guard): Promise<Next> {
  if (await guard.leftAsItIs(work)) return leaveAsItIs(work);
  // A hold for want of a second person ends with that person's word.
  const confirmed = work.data.held?.code === unconfirmed && work.confirmUntil === null;
  const asked = work.asked === null && confirmed ? "look-again" : work.asked;
  if (asked === null || asked === "hold") return releaseUntil(work, null);
  // What it did after the backup is not in its journal: two people close it as it stands, and a new run sees the world.
  if (await guard.restored(work.id)) return releaseUntil(work, null);
  // After the cut of an emergency there is nothing to go back to: it stays held until it is told to go on.
  if (asked === "roll-back" && work.plan.emergency !== undefined && work.cutBegun) return releaseUntil(work, null);
  if (asked === "roll-back") return rollBackBecause(work, { code: "asked-for" });
  const to = wayOn(work, asked);
  const forward = to === "executing" ? { rollback: null } : {};
  const go = to === "executing" || to === "rolling_back" ? moveLocked : move;
  return go(work, to, {
    because: { code: confirmed && work.asked === null ? "break-glass-confirmed" : "asked-for" },
    answered: true,
    data: { held: null, resumedAt: work.now, ...forward },
  });
}

/** A roll back of which nothing has been done yet can be given up; one that was begun can only be ended. */
function wayOn(work: RunWork, asked: "resume" | "look-again"): RunState {
  const from = work.data.held?.from ?? "executing";
  if (from !== "rolling_back" || asked === "look-again") return from;
  const undone = work.plan.steps.some((step) => work.attempts(step.id, "undo").length > 0);
  const begun = undone || (work.data.rollback?.backAt ?? null) !== null;
  return begun ? from : "executing";
}
