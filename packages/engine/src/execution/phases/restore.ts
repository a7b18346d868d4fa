import { CountersignError, type PlanStep } from "@countersign/core";
import type { Guard } from "../guard.ts";
import type { RunWork } from "../run-work.ts";
import { tryStep } from "../step.ts";
import { removeAbandoned } from "./abandoned.ts";
import { askOwners, remindAll, takenBack } from "./by-hand.ts";
import { confirm } from "./confirm.ts";
import { hold, move, type Next, releaseUntil } from "./moves.ts";
import { unconfirmed } from "./second-person.ts";

/** How often consumers that fail are tried and looked at (domain time). */
const againMs = 60_000;
/** A consumer that stays broken is tried less often: the pause grows with the time since the cut, up to this. */
const againMsMax = 10 * 60_000;

/**
 * retiring, after the cut of an emergency: what was left behind is written, and every consumer is waited for until it was
 * seen on the new credential. There is nothing to go back to, so nothing is given up: what stays broken is tried again
 * and its owners hear of it.
 */
export async function restore(work: RunWork, guard: Guard): Promise<Next> {
  const since = await tellContained(work);
  if (work.asked === "hold") return hold(work, { code: "asked-for" });
  const published = await removeAbandoned(work, guard);
  if (published !== null) return hold(work, published);
  const frozen = await guard.frozen(work.plan.tenant.name);
  const left = frozen ? leftBehind(work) : await writeLeft(work);
  const seen = await confirmAll(work);
  if (left.length > 0 || seen.open.length > 0) {
    await tellLate(work, since, [...left, ...seen.open]);
    await remindAll(work);
    // A consumer on another value than ours is somebody else's doing: a person looks, once the others are well.
    const [refuted] = seen.refuted;
    if (refuted !== undefined && left.length + seen.open.length === seen.refuted.length)
      return hold(work, { code: "consumer-refuted", step: refuted.id });
    const patienceMs = Math.min(againMsMax, Math.max(againMs, Math.floor((work.now - since) / 4)));
    return releaseUntil(work, work.now + Math.min(patienceMs, Math.max(seen.lookAgainMs, 1_000)));
  }
  const back = await takenBack(work);
  if (back !== null) return hold(work, { code: "confirmation-withdrawn", step: back.id });
  // Accounted for until a stalled holder can no longer publish it; closed, nobody would take it back.
  if (work.data.abandoned.length > 0) return releaseUntil(work, work.now + againMsMax);
  // What one person started alone is not complete before a second one has confirmed it.
  const missing = await guard.unconfirmed(work);
  if (missing?.code === unconfirmed) return releaseUntil(work, work.now + againMsMax);
  return missing === null ? move(work, "completed") : hold(work, missing);
}

/** Said once: the compromised credential is dead, and whom that leaves behind. Returns when it was. */
async function tellContained(work: RunWork): Promise<number> {
  if (work.data.containedAt !== null) return work.data.containedAt;
  const containedAt = work.now;
  await work.note({ containedAt }, [], ["run.contained"], { left: leftBehind(work).map(({ id }) => id) });
  return containedAt;
}

/** Said once: the time that policy gives to restore has passed, and who still waits. */
async function tellLate(work: RunWork, since: number, open: readonly PlanStep[]): Promise<void> {
  const withinMs = (work.plan.emergency?.restoreWithinSeconds ?? 0) * 1_000;
  if (work.data.restoreTold || work.now < since + withinMs) return;
  await work.note({ restoreTold: true }, [], ["run.restore-late"], { left: open.map(({ id }) => id) });
}

/** Updates that may be left behind and are not done. */
function leftBehind(work: RunWork): PlanStep[] {
  const may = work.plan.emergency?.leaveBehind ?? [];
  return work.plan.steps.filter((step) => may.includes(step.id) && work.outcomeOf(step.id) === undefined);
}

/** Tries what was left behind; returns what still is. */
async function writeLeft(work: RunWork): Promise<PlanStep[]> {
  for (const step of leftBehind(work)) {
    const result = await tryStep(work, step, { since: work.now });
    if (result.kind === "done" && work.verbOf(step).asks === true) await askOwners(work, step, "do");
  }
  return leftBehind(work);
}

interface Seen {
  readonly open: readonly PlanStep[];
  readonly refuted: readonly PlanStep[];
  readonly lookAgainMs: number;
}

/** Looks at every consumer that was written and not yet seen on the new credential. */
async function confirmAll(work: RunWork): Promise<Seen> {
  const open: PlanStep[] = [];
  const refuted: PlanStep[] = [];
  let lookAgainMs = Number.POSITIVE_INFINITY;
  for (const step of work.plan.steps.filter(({ phase }) => phase === "restore")) {
    if (work.outcomeOf(step.id) !== undefined) continue;
    if (work.outcomeOf(String(step.params.update)) === undefined) {
      open.push(step);
      continue;
    }
    const before = work.attempts(step.id, "do").at(-1);
    const refutedBefore = before?.outcome === "failed" && before.intentAt >= work.data.resumedAt;
    const waitMs = refutedBefore ? "refuted" : await looked(work, step);
    if (waitMs === null) continue;
    open.push(step);
    if (waitMs === "refuted") refuted.push(step);
    else lookAgainMs = Math.min(lookAgainMs, waitMs);
  }
  return { open, refuted, lookAgainMs };
}

/** A consumer that cannot be looked at now is looked at later; that must not keep the others waiting. */
async function looked(work: RunWork, step: PlanStep): Promise<number | null | "refuted"> {
  try {
    return await confirm(work, step);
  } catch (error) {
    if (error instanceof CountersignError && error.code.startsWith("OUTSIDE_")) return againMs;
    throw error;
  }
}
