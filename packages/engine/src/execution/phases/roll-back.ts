import type { PlanStep } from "@countersign/core";
import type { Guard } from "../guard.ts";
import type { RunWork } from "../run-work.ts";
import { discardAttempt, undoStep } from "../step.ts";
import { recordLedger } from "./ledger.ts";
import { hold, move, type Next, releaseUntil } from "./moves.ts";

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
    for (const step of steps.toReversed()) {
      if (step === create || !step.undoable || !work.mayHaveEffect(step.id)) continue;
      const result = await undoStep(work, step);
      if (result.kind !== "done")
        return hold(work, { code: result.kind === "failed" ? result.code : "OUTSIDE_UNKNOWN", step: step.id });
    }
    const pickupMs = Math.max(0, ...work.plan.consumers.map((consumer) => consumer.pickupSeconds)) * 1_000;
    await work.keep({ rollback: { ...work.data.rollback, backAt: work.now + pickupMs } });
  }

  const backAt = work.data.rollback?.backAt ?? null;
  if (backAt !== null && work.now < backAt) return releaseUntil(work, backAt);
  if (create !== undefined) {
    const problem = await removeCreated(work, create);
    if (problem !== null) return hold(work, { code: problem, step: create.id });
  }
  work.services.held.drop(work.id);
  await recordLedger(work, "rolled-back");
  return move(work, "rolled_back", { because: { code: work.data.rollback?.code ?? "asked-for" } });
}

/** Removes every credential this run may have created and not yet taken back. */
async function removeCreated(work: RunWork, create: PlanStep): Promise<string | null> {
  for (const attempt of work.attempts(create.id, "do")) {
    if (attempt.outcome === "failed" && Object.keys(attempt.objectIds).length === 0) continue;
    if (work.attempts(create.id, "discard").some((row) => row.attempt === attempt.attempt && row.outcome === "done"))
      continue;
    const result = await discardAttempt(work, create, attempt);
    if (result.kind !== "done") return result.kind === "failed" ? result.code : "OUTSIDE_UNKNOWN";
  }
  return null;
}
