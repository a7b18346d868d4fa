import type { Plan, RunDetail } from "@countersign/contract";
import type { KnownPerson, RunRecord } from "../ports.ts";
import type { RunEntry } from "./entries.ts";
import { iso } from "./time.ts";

type HandStep = RunDetail["hand"][number];

const confirmable = {
  do: new Set<string>(["executing", "overlapping", "held"]),
  undo: new Set<string>(["rolling_back", "held"]),
} as const;

/** Steps that were asked of the owners: what is to be done, who confirmed it, and whether this person may. */
export function handSteps(
  run: RunRecord,
  plan: Plan | null,
  entries: readonly RunEntry[],
  person: KnownPerson,
): HandStep[] {
  if (plan === null) return [];
  // A run that has begun to roll back waits for things to be put back, also while it is held.
  const turn = entries.findLast(
    ({ type, data }) => type === "run.moved" && (data.to === "rolling_back" || data.to === "executing"),
  );
  const direction = turn?.data.to === "rolling_back" ? "undo" : "do";
  // In an emergency the cut did not wait for it, so the word may come after it.
  const isAfterCut = plan.emergency !== undefined && direction === "do" && run.state === "retiring";
  return plan.steps
    .filter(
      (step) =>
        step.verb.startsWith("manual.ask@") &&
        entries.some(({ type, data }) => type === "step.intent" && data.direction === "do" && data.step === step.id),
    )
    .map((step) => {
      const said = entries.findLast(
        ({ type, data }) => type === "step.confirmed" && data.step === step.id && data.direction === direction,
      );
      const checklist = Array.isArray(step.params.checklist) ? step.params.checklist.map(String) : [];
      return {
        step: step.id,
        describe: step.describe,
        direction,
        checklist,
        confirmed:
          said === undefined || said.data.confirmation === "withdrawn"
            ? null
            : { person: said.data.person, at: iso(Date.parse(said.at)) },
        you: !(confirmable[direction].has(run.state) || isAfterCut)
          ? { allowed: false, why: "The run does not wait for this any more." }
          : plan.baseline.owners.includes(person.person)
            ? { allowed: true, why: null }
            : { allowed: false, why: "Only an owner of the application may confirm what is done by hand." },
      };
    });
}
