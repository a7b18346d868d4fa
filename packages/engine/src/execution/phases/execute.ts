import type { PlanStep } from "@countersign/core";
import type { RunWork } from "../run-work.ts";
import { mayStillPublish } from "../stalled.ts";
import { doStep, takeBack, tryStep } from "../step.ts";
import { askOwners } from "./by-hand.ts";
import { recordLedger } from "./ledger.ts";
import { frozenMs, hold, move, type Next, releaseUntil, rollBackBecause } from "./moves.ts";

/** How often a stalled holder is looked for (domain time). */
const stalledAgainMs = 60_000;

/**
 * executing: every step of phase `execute`, in the plan's order. The value exists in memory from `create` to `store`;
 * when it was lost in between (a crash), what was created is taken away and the steps are done again.
 */
export async function execute(work: RunWork): Promise<Next> {
  const steps = work.plan.steps.filter((step) => step.phase === "execute");
  // Another attempt would replace the value that a stalled holder may still publish; both sign in while it is waited for.
  if (await wouldReplace(work, steps)) {
    if (work.asked === "roll-back") return rollBackBecause(work, { code: "asked-for" });
    return releaseUntil(work, work.now + stalledAgainMs);
  }
  await startOverIfValueLost(work, steps);
  const { emergency, target, tenant } = work.plan;
  const heeds = { tenant: tenant.name, application: emergency === undefined ? target.name : null };
  for (const step of steps) {
    const mayBeLeft = emergency?.leaveBehind.includes(step.id) === true;
    const result = await (mayBeLeft ? tryStep(work, step, { heeds }) : doStep(work, step, { heeds }));
    // Heard anew by whoever goes on with it, who gives way.
    if (result.kind === "emergency") return "again";
    // The kill switch stops between two effects; what is in memory stays there until it is lifted.
    if (result.kind === "frozen") {
      if (work.asked === "roll-back") return rollBackBecause(work, { code: "asked-for" });
      return releaseUntil(work, work.now + frozenMs);
    }
    // A consumer that cannot be written does not keep a compromised credential alive: it is written after the cut.
    if (mayBeLeft && result.kind !== "done") continue;
    if (result.kind === "unknown") return hold(work, { code: "OUTSIDE_UNKNOWN", step: step.id });
    if (result.kind === "failed") {
      const because = { code: result.code, step: step.id };
      // Going back would put the compromised credential back: an emergency holds, and a person decides.
      return emergency === undefined ? rollBackBecause(work, because) : hold(work, because);
    }
    if (work.verbOf(step).asks === true) await askOwners(work, step, "do");
  }
  work.services.held.drop(work.id);
  await recordLedger(work, "published");
  return move(work, "overlapping", { data: { overlapUntil: work.now + work.plan.timing.overlapSeconds * 1_000 } });
}

/** Whether going on may create anew where there is one place for it, while a stalled holder may publish what stands there. */
async function wouldReplace(work: RunWork, steps: readonly PlanStep[]): Promise<boolean> {
  const create = steps.find((step) => work.verbOf(step).value === "yields");
  const store = steps.find((step) => work.verbOf(step).value === "stores");
  if (create === undefined || store === undefined || work.verbOf(create).replaces !== true) return false;
  const newest = work.attempts(create.id, "do").at(-1);
  if (newest === undefined || work.services.held.has(work.id) || work.outcomeOf(store.id) !== undefined) return false;
  return mayStillPublish(work, newest.intentAt);
}

/** The credential's value was never stored and is in nobody's memory: remove what carries our marker, mint again. */
async function startOverIfValueLost(work: RunWork, steps: readonly PlanStep[]): Promise<void> {
  const create = steps.find((step) => work.verbOf(step).value === "yields");
  const store = steps.find((step) => work.verbOf(step).value === "stores");
  if (create === undefined || store === undefined || work.services.held.has(work.id)) return;
  if (work.outcomeOf(create.id) === undefined || work.outcomeOf(store.id) !== undefined) return;

  // A store attempt without outcome may have landed: then the value is published and the credential must live.
  const open = work.attempts(store.id, "do").at(-1);
  if (open !== undefined && (open.outcome === null || open.outcome === "unknown")) {
    const stored = await doStep(work, store, { onlyReconcile: true });
    if (stored.kind === "done") return;
  }

  for (const attempt of work.attempts(create.id, "do")) {
    if (attempt.outcome === "done" && !work.isVoid(attempt)) await takeBack(work, create, attempt);
  }
}
