import type { PlanStep } from "@countersign/core";
import type { Guard } from "../guard.ts";
import { leftNothing, type RunWork } from "../run-work.ts";
import { mayStillPublish } from "../stalled.ts";
import { discardAttempt, undoStep } from "../step.ts";
import { askOwners, remindOwners } from "./by-hand.ts";
import { recordLedger } from "./ledger.ts";
import { hold, move, type Next, releaseUntil } from "./moves.ts";

/** How often a roll back looks for an owner's word by itself (domain time); the word wakes it. */
const waitMs = 10 * 60_000;

/**
 * rolling_back: undo in reverse order, with an overlap of its own (I8): the new credential stays valid until every
 * consumer that could have read it has had its pick-up delay to return. Windows never block it.
 */
export async function rollBack(work: RunWork, guard: Guard): Promise<Next> {
  const steps = work.plan.steps.filter((step) => step.phase === "execute");
  const create = steps.find((step) => work.verbOf(step).value === "yields");
  const published = steps.some((step) => work.verbOf(step).value === "stores" && work.mayHaveEffect(step.id));

  if (published && work.data.rollback?.backAt === null) {
    const problem = await guard.beforeRollBack(work);
    if (problem !== null) return hold(work, problem);
    let waits = false;
    let followMs = 0;
    for (const step of undoOrder(work, steps)) {
      const { follows } = work.verbOf(step);
      const wasDone = work.mayHaveEffect(step.id);
      if (step === create || !step.undoable || !(wasDone || follows !== undefined)) continue;
      if (work.verbOf(step).asks === true && !(await putBackByHand(work, step))) {
        waits = true;
        continue;
      }
      const result = await undoStep(work, step);
      // It followed the record without us and does so again: where it cannot be hurried, it has its own time for that.
      if (result.kind !== "done" && follows !== undefined && !wasDone) followMs = Math.max(followMs, follows.withinMs);
      else if (result.kind !== "done")
        return hold(work, { code: result.kind === "failed" ? result.code : "OUTSIDE_UNKNOWN", step: step.id });
    }
    // What somebody may still hold stays valid until an owner has said that it was put back (I8).
    if (waits) return releaseUntil(work, work.now + waitMs);
    const pickupsMs = work.plan.consumers.map((consumer) => consumer.pickupSeconds * 1_000);
    await work.keep({ rollback: { ...work.data.rollback, backAt: work.now + Math.max(followMs, ...pickupsMs) } });
  }

  const backAt = work.data.rollback?.backAt ?? null;
  if (backAt !== null && work.now < backAt) return releaseUntil(work, backAt);
  if (create !== undefined) {
    // A holder that stalled may still publish what it created: nothing is removed before it no longer can (I8).
    const newest = work.attempts(create.id, "do").at(-1);
    if (newest !== undefined && (await mayStillPublish(work, newest.intentAt)))
      return releaseUntil(work, work.now + waitMs);
    if (work.data.unproven.length > 0) {
      const found = await guard.recordHeld(work, versionsBack(work));
      if (found?.code === "world-unreadable") return releaseUntil(work, work.now + waitMs);
      if (found !== null) return hold(work, found);
    }
    const problem = await removeCreated(work, create);
    if (problem !== null) return hold(work, { code: problem, step: create.id });
  }
  work.services.held.drop(work.id);
  await recordLedger(work, "rolled-back");
  return move(work, "rolled_back", { because: { code: work.data.rollback?.code ?? "asked-for" } });
}

/**
 * Reverse order; then what follows the record by itself, since only now it finds the previous value there; and last
 * what a person puts back, who reads that value from the record.
 */
function undoOrder(work: RunWork, steps: readonly PlanStep[]): PlanStep[] {
  const rank = (step: PlanStep) => {
    const { asks, follows } = work.verbOf(step);
    return asks === true ? 2 : follows !== undefined ? 1 : 0;
  };
  return steps.toReversed().toSorted((a, b) => rank(a) - rank(b));
}

/** Asks an owner to put back what was done by hand. Whether that was confirmed. */
async function putBackByHand(work: RunWork, step: PlanStep): Promise<boolean> {
  if ((await work.confirmed(step.id, "undo")) !== null) return true;
  await askOwners(work, step, "undo");
  await remindOwners(work, step, "undo", work.data.rollback?.since || work.now);
  return false;
}

/** Versions of the record that hold the old value again: the one of the plan, and what undo steps wrote. */
function versionsBack(work: RunWork): string[] {
  const back = work.plan.steps
    .filter((step) => work.verbOf(step).value === "stores")
    .flatMap((step) => work.attempts(step.id, "undo"))
    .map((row) => row.objectIds.version);
  return [work.plan.baseline.recordVersion, ...back].filter((version) => typeof version === "string");
}

/** Removes every credential this run may have created and not yet taken back. */
async function removeCreated(work: RunWork, create: PlanStep): Promise<string | null> {
  for (const attempt of work.attempts(create.id, "do")) {
    if (leftNothing(attempt)) continue;
    if (work.attempts(create.id, "discard").some((row) => row.attempt === attempt.attempt && row.outcome === "done"))
      continue;
    const result = await discardAttempt(work, create, attempt);
    if (result.kind !== "done") return result.kind === "failed" ? result.code : "OUTSIDE_UNKNOWN";
  }
  return null;
}
