import type { PlanFacts } from "../plan.ts";
import type { RunView } from "../run-view.ts";
import type { RunState } from "../states.ts";
import { prove } from "./report.ts";

/** A step with this verb is done by a person. */
const BY_HAND = /^manual\.ask@/;
/** In which states a word may be given or taken back; in an emergency also after the cut. */
const STATES_FOR = { do: ["executing", "overlapping", "held"], undo: ["rolling_back", "held"] } as const;
const AFTER_THE_CUT: readonly RunState[] = [...STATES_FOR.do, "retiring"];

/**
 * What is done by hand was asked for first and confirmed by an owner whom the plan names; before anything is retired (in
 * an emergency: before the run is completed) each such word stands, and none is counted as put back without one.
 * Undefined: nothing was to be done by hand.
 */
export function checkConfirmations(run: RunView, plan: PlanFacts | undefined): number | undefined {
  const byHand = new Set(plan?.steps.filter((step) => BY_HAND.test(step.verb)).map((step) => step.id));
  const retiring = new Set(plan?.steps.filter((step) => step.phase === "retire").map((step) => step.id));
  const asked = new Set<string>();
  const standing = new Set<string>();
  const allStand = (at: string) => {
    for (const id of byHand) prove(standing.has(`do ${id}`), `expected an owner's word on ${id} before ${at}`);
  };
  let state: RunState = "requested";
  let words = 0;
  for (const { entry } of run.entries) {
    const at = `entry ${entry.runSeq}`;
    if (entry.type === "run.moved") {
      state = entry.data.to;
      if (state === "completed" && plan?.emergency !== null) allStand(at);
    }
    if (entry.type === "step.intent" && entry.data.direction === "do") {
      const { step } = entry.data;
      asked.add(step);
      if (retiring.has(step) && plan?.emergency === null) allStand(at);
    }
    if (entry.type === "step.outcome" && entry.data.direction === "undo" && byHand.has(entry.data.step)) {
      const counted = entry.data.outcome === "done";
      const { step } = entry.data;
      prove(
        !counted || standing.has(`undo ${step}`),
        `expected an owner's word that ${step} was put back before ${at}`,
      );
    }
    if (entry.type !== "step.confirmed") continue;
    const { confirmation, direction, person, step } = entry.data;
    const late = direction === "do" && plan?.emergency !== null;
    const allowed: readonly RunState[] = late ? AFTER_THE_CUT : STATES_FOR[direction];
    prove(byHand.has(step) && asked.has(step), `expected ${at} to be about a step that was asked of a person`);
    prove(plan?.baseline.owners.includes(person) === true, `expected ${at} to be an owner's word, got ${person}'s`);
    prove(allowed.includes(state), `expected ${at} in state ${allowed.join(" or ")}, got ${state}`);
    const word = `${direction} ${step}`;
    prove(
      standing.has(word) === (confirmation === "withdrawn"),
      `expected ${at} to say another word than the one that stands`,
    );
    if (confirmation === "given") standing.add(word);
    else standing.delete(word);
    words += 1;
  }
  return byHand.size === 0 ? undefined : words;
}
