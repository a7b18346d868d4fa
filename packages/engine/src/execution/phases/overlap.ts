import type { PlanStep } from "@countersign/core";
import type { Guard } from "../guard.ts";
import type { RunWork } from "../run-work.ts";
import { removeAbandoned } from "./abandoned.ts";
import { remindAll, takenBack } from "./by-hand.ts";
import { confirm } from "./confirm.ts";
import { readGate } from "./gate.ts";
import { frozenMs, hold, move, type Next, releaseUntil, rollBackBecause } from "./moves.ts";

/** How often an overlapping run looks at its consumers when nothing tells it otherwise (domain time). */
const pollMsMax = 10 * 60_000;

/** After the cut-over nothing new can be seen for so long, or for the pick-up delay when that is shorter (domain time). */
const settledMs = 60_000;

/** How often an overdue run looks for its stragglers (domain time). */
const overdueMsMax = 60_000;

/** How often a shut gate is asked again (domain time). */
const gateMsMax = 60 * 60_000;

/** No wait is longer than the overlap itself: where that is seconds (profile test, real clock), an hour would never end. */
function within(work: RunWork, ms: number): number {
  return Math.min(ms, Math.max(work.plan.timing.overlapSeconds * 1_000, 1_000));
}

/**
 * overlapping: both credentials are valid. Consumers are confirmed by polls, each poll a row that comes due; when all
 * are confirmed, the overlap named in the plan has passed and the retire gate is open, the run goes on to retirement.
 * A shut gate never retires: the run stays here, overdue, and says why.
 */
export async function overlap(work: RunWork, guard: Guard): Promise<Next> {
  if (work.asked === "hold") return hold(work, { code: "asked-for" });
  if (work.asked === "roll-back") return rollBackBecause(work, { code: "asked-for" });
  const now = work.now;
  // The authorisation of an emergency is the forced retirement as well (I5): nobody is waited for.
  if (work.plan.emergency !== undefined) {
    if (await guard.frozen(work.plan.tenant.name)) return releaseUntil(work, now + frozenMs);
    return move(work, "retiring", { because: { code: "forced-retirement" } });
  }
  const published = await removeAbandoned(work, guard);
  if (published !== null) return hold(work, published);
  const until = work.data.overlapUntil ?? now;
  let lookAt = now + pollMsMax;
  let open = 0;
  for (const step of work.plan.steps.filter((candidate) => candidate.phase === "overlap")) {
    if (work.outcomeOf(step.id) !== undefined) continue;
    const waitMs = freshMs(work, step, until) ?? (await confirm(work, step));
    if (waitMs === "refuted") return hold(work, { code: "consumer-refuted", step: step.id });
    if (waitMs === null) continue;
    open += 1;
    lookAt = Math.min(lookAt, now + Math.max(waitMs, 1_000));
  }
  if (open > 0) await remindAll(work);
  const back = await takenBack(work);
  if (back !== null) return hold(work, { code: "confirmation-withdrawn", step: back.id });
  if (now < until) return releaseUntil(work, open > 0 ? lookAt : until);
  if (open > 0) {
    // Overdue: the gate's reading names who is left behind, and the owners are told.
    await readGate(work);
    return releaseUntil(work, Math.max(lookAt, now + within(work, overdueMsMax)));
  }
  // What a stalled holder may still publish must sign in until it no longer can; only then is one of the two retired.
  if (work.data.abandoned.length > 0) return releaseUntil(work, now + within(work, pollMsMax));
  if (await guard.frozen(work.plan.tenant.name)) return releaseUntil(work, now + frozenMs);
  if (await readGate(work)) return move(work, "retiring");
  return releaseUntil(work, now + within(work, gateMsMax));
}

/**
 * What was written and verified a moment ago cannot have been picked up yet: how long until a look can show more, ms;
 * null when it is time to look. Later looks within the pick-up delay still find another writer.
 */
function freshMs(work: RunWork, step: PlanStep, until: number): number | null {
  const consumer = work.plan.consumers.find(({ name }) => name === step.params.consumer);
  const pickupMs = (consumer?.pickupSeconds ?? 0) * 1_000;
  const since = work.now - (until - work.plan.timing.overlapSeconds * 1_000);
  return since < Math.min(pickupMs, settledMs) ? pickupMs - since : null;
}
