import type { PlanStep } from "@countersign/core";
import type { Guard } from "../guard.ts";
import type { RunWork } from "../run-work.ts";
import { removeAbandoned } from "./abandoned.ts";
import { remindAll, takenBack } from "./by-hand.ts";
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
  await removeAbandoned(work);
  const now = work.now;
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

/** Looks at one consumer. Null: confirmed and journaled; a number: look again after so many ms. */
async function confirm(work: RunWork, step: PlanStep): Promise<number | null | "refuted"> {
  const verb = work.verbOf(step);
  const past = work.attempts(step.id, "do").at(-1);
  // A crash between intent and outcome leaves an attempt open: this look is its outcome (I6), not a further attempt.
  const open = past?.outcome === null ? past : undefined;
  const attempt = open?.attempt ?? (past?.attempt ?? 0) + 1;
  const nothing = { objectIds: {}, facts: {}, requestIds: [] };
  const ctx = work.context(step, "do", attempt, past?.nonce ?? "");
  if (verb.verify === undefined) return null;
  const seen = await verb.verify(ctx, step.params, nothing);
  if (seen.kind === "not-yet") return seen.lookAgainMs;
  // Only what was found is journaled, not each look: a look changes nothing outside.
  const row = open ?? (await work.intend(step, "do", attempt, {}));
  if (seen.kind === "refuted") {
    await work.conclude(row, step, { outcome: "failed", facts: seen.facts, error: { code: seen.code } });
    return "refuted";
  }
  await work.conclude(row, step, { outcome: "done", facts: seen.facts, verified: seen.level });
  return null;
}
