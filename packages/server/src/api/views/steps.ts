import type { Plan, RunDetail } from "@countersign/contract";
import type { RunEntry } from "./entries.ts";

type StepView = RunDetail["steps"][number];
type Attempt = StepView["attempts"][number];

/** The plan's steps with what the journal says of each, in the plan's order. */
export function stepViews(plan: Plan | null, entries: readonly RunEntry[]): StepView[] {
  const attempts = attemptsByStep(entries);
  return (plan?.steps ?? []).map((step) => {
    const of = attempts.get(step.id) ?? [];
    return {
      id: step.id,
      verb: step.verb,
      phase: step.phase,
      describe: step.describe,
      state: stateOf(of),
      attempts: of,
    };
  });
}

function attemptsByStep(entries: readonly RunEntry[]): Map<string, Attempt[]> {
  const steps = new Map<string, Attempt[]>();
  for (const { type, data, at, runSeq } of entries) {
    if (type !== "step.intent" && type !== "step.outcome") continue;
    const of = steps.get(data.step) ?? [];
    steps.set(data.step, of);
    if (type === "step.intent") {
      of.push({
        attempt: data.attempt,
        direction: data.direction,
        call: data.call,
        intentAt: at,
        outcomeAt: null,
        outcome: null,
        verified: null,
        error: null,
        objectIds: {},
        facts: data.facts,
        requestIds: [],
        connector: null,
        build: null,
        intentSeq: runSeq,
        outcomeSeq: null,
      });
      continue;
    }
    const open = of.findLastIndex(
      (attempt) => attempt.attempt === data.attempt && attempt.direction === data.direction,
    );
    const intent = of[open];
    if (intent === undefined) continue;
    of[open] = {
      ...intent,
      outcomeAt: at,
      outcome: data.outcome,
      verified: data.verified,
      error: data.error,
      objectIds: data.objectIds,
      facts: { ...intent.facts, ...data.facts },
      requestIds: data.requestIds,
      connector: data.connector,
      build: data.build,
      outcomeSeq: runSeq,
    };
  }
  return steps;
}

function stateOf(attempts: readonly Attempt[]): StepView["state"] {
  const last = attempts.at(-1);
  if (last === undefined) return "waiting";
  if (last.direction !== "do") return last.outcome === "done" ? "undone" : (last.outcome ?? "started");
  return last.outcome ?? "started";
}
