import { closedStates, type RunState, runStates } from "@countersign/core";
import type { RunRow, Store } from "../../store/index.ts";
import type { Guard } from "../guard.ts";
import type { RunWork } from "../run-work.ts";
import { leaveUnknown } from "./leave.ts";
import { hold, move, moveLocked, type Next, releaseUntil } from "./moves.ts";

/** An emergency of the same application goes first. */
const emergencyFirst = "emergency";
/** How often a run that gives way looks at the emergency by itself (domain time); an authorised one wakes it. */
const againMs = 30_000;

const openStates = runStates.filter((state) => !closedStates.has(state));
const stops: ReadonlySet<RunState> = new Set(["executing", "overlapping", "retiring", "rolling_back"]);
/** States in which a run does nothing by itself: it can be taken over, with all that it has made. */
const settled: ReadonlySet<RunState> = new Set(["awaiting_approval", "approved", "scheduled", "held"]);
const runsMax = 200;

/** Older open runs of the same application that have not come to rest yet. An emergency is planned after them. */
export async function restlessElders(store: Store, run: RunRow): Promise<RunRow[]> {
  const open = await store.runs({ targetKey: run.targetKey, states: openStates, limit: runsMax });
  return open.filter(
    (other) =>
      other.id !== run.id &&
      other.trigger !== "compromise" &&
      other.createdAt <= run.createdAt &&
      (other.worker !== null || !settled.has(other.state)),
  );
}

/**
 * Lets an emergency of the same application go first: at its next step boundary this run holds, and once the emergency is
 * authorised and can begin it ends here, by its own holder (I2). When the emergency came to nothing, it goes on where it was. Null:
 * there is nothing to give way to. What was heard last counts: each intent looks again by itself.
 */
export async function giveWay(work: RunWork, guard: Guard): Promise<Next | null> {
  if (work.plan.emergency !== undefined) return null;
  const { emergency } = work;
  const { held } = work.data;
  if (emergency === null) {
    const waited = work.state === "held" && held?.code === emergencyFirst && !(await guard.restored(work.id));
    return waited ? goOn(work, held.from) : null;
  }
  // What was begun to be removed has one outcome; the emergency waits for it.
  if (stops.has(work.state)) return work.cutBegun ? null : hold(work, { code: emergencyFirst, run: emergency.id });
  if (!settled.has(work.state)) return null;
  if (await guard.takesOver(emergency, work.id)) return handOver(work, emergency.id);
  if (work.state === "awaiting_approval") return null;
  if (work.state === "approved")
    await move(work, "scheduled", { because: { code: emergencyFirst, run: emergency.id } });
  return releaseUntil(work, work.now + againMs);
}

function goOn(work: RunWork, to: RunState): Promise<Next> {
  const go = to === "executing" || to === "rolling_back" ? moveLocked : move;
  return go(work, to, { because: { code: "emergency-over" }, data: { held: null } });
}

/** Ends a run in favour of an authorised emergency; everything that is known to be made is in the emergency's plan. */
async function handOver(work: RunWork, emergency: string): Promise<Next> {
  await leaveUnknown(work, "superseded");
  const because = { code: emergencyFirst, run: emergency };
  return move(work, "superseded", { because, data: { takenOverBy: emergency } });
}
