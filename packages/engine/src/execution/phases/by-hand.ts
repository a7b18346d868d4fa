import type { PlanStep } from "@countersign/core";
import type { NoticeKind } from "../../notify/kinds.ts";
import type { RunWork } from "../run-work.ts";

/** An owner who has not answered is asked again this often, or four times within the overlap where that is shorter (domain time). */
const remindMs = 24 * 60 * 60_000;

/** Steps of this run that a person does by hand. */
function handSteps(work: RunWork): PlanStep[] {
  return work.plan.steps.filter((step) => step.phase === "execute" && work.verbOf(step).asks === true);
}

/** Tells the owners what they are to do, or to put back; each key is sent once, so that twice is once. */
export function askOwners(work: RunWork, step: PlanStep, direction: "do" | "undo", reminder = 0): Promise<void> {
  const { plan } = work;
  const kind: NoticeKind = reminder > 0 ? "step.reminded" : direction === "do" ? "step.asked" : "step.asked-back";
  return work.store.note(work.hold, {
    at: work.now,
    entries: [],
    notices: [
      {
        kind,
        channel: "owners",
        key: `${work.id}:${direction}:${step.id}:${reminder}`,
        payload: {
          application: plan.target.name,
          tenant: plan.tenant.name,
          environment: plan.environment,
          owners: [...plan.baseline.owners],
          step: step.id,
          direction,
          checklist: step.params.checklist ?? [],
        },
      },
    ],
  });
}

/** Asks again where no word has come since `askedAt`. */
export async function remindOwners(
  work: RunWork,
  step: PlanStep,
  direction: "do" | "undo",
  askedAt: number,
): Promise<void> {
  const everyMs = Math.max(1_000, Math.min(remindMs, (work.plan.timing.overlapSeconds * 1_000) / 4));
  const reminder = Math.floor((work.now - askedAt) / everyMs);
  if (reminder > 0) await askOwners(work, step, direction, reminder);
}

/** Reminds the owners of every step that waits for their word. */
export async function remindAll(work: RunWork): Promise<void> {
  for (const step of handSteps(work)) {
    const asked = work.attempts(step.id, "do").find((row) => row.outcome === "done");
    if (asked !== undefined && (await work.confirmed(step.id, "do")) === null)
      await remindOwners(work, step, "do", asked.intentAt);
  }
}

/** A step that was counted as done by hand and whose word does not stand any more; null when all stand. */
export async function takenBack(work: RunWork): Promise<PlanStep | null> {
  for (const step of handSteps(work)) {
    const counted = work.plan.steps.some(
      ({ id, params, phase }) => phase === "overlap" && params.update === step.id && work.outcomeOf(id) !== undefined,
    );
    if (counted && (await work.confirmed(step.id, "do")) === null) return step;
  }
  return null;
}
