import type { EntryData } from "../entry-types.ts";
import { show } from "../errors.ts";
import type { PlanFacts, PlanStepFacts } from "../plan.ts";
import { firstOf, type PlacedEntry, type RunView } from "../run-view.ts";
import type { RunState } from "../states.ts";
import { prove } from "./report.ts";

/** What the log says about one outside call. */
export interface ProvenCall {
  readonly step: PlanStepFacts;
  readonly intent: PlacedEntry<"step.intent">;
  /** In the order of the log; `unknown` ones may come before the last. */
  readonly outcomes: readonly PlacedEntry<"step.outcome">[];
  /** The run's state when the intent was committed. */
  readonly state: RunState;
}

type CallName = Pick<EntryData<"step.intent">, "step" | "direction" | "attempt" | "call">;

const nameOf = (d: CallName): string => JSON.stringify([d.step, d.direction, d.attempt, d.call]);

/** In which states an intent may be committed. A discard takes back what was never published, whenever it is found. */
const STATES_FOR = {
  do: { execute: ["executing"], overlap: ["overlapping"], retire: ["retiring"], restore: ["retiring"] },
  undo: ["rolling_back"],
  discard: ["executing", "overlapping", "retiring", "rolling_back", "held"],
} as const;

/**
 * Every intent and outcome is of a step and verb of the plan, every outcome has its intent before it, and no intent
 * stands before the authorisation, before the planned start, or (forwards) after the approvals were voided.
 */
export function checkCalls(run: RunView, plan: PlanFacts | undefined): ProvenCall[] {
  const calls = new Map<string, { call: ProvenCall; outcomes: PlacedEntry<"step.outcome">[] }>();
  const authorised = firstOf(run, "run.authorised");
  let state: RunState = "requested";
  let voided = false;
  for (const placed of run.entries) {
    const { entry, index, leaf } = placed;
    if (entry.type === "run.moved") state = entry.data.to;
    if (entry.type === "approval.voided") voided = true;
    if (entry.type !== "step.intent" && entry.type !== "step.outcome") continue;
    const at = `entry ${entry.runSeq}`;
    const step = plan?.steps.find((s) => s.id === entry.data.step);
    prove(step !== undefined, `expected ${at} to name a step of the plan, got ${show(entry.data.step)}`);
    prove(entry.data.verb === step.verb, `expected ${at} to use ${step.verb}, got ${show(entry.data.verb)}`);
    const name = nameOf(entry.data);
    const known = calls.get(name);
    if (entry.type === "step.intent") {
      prove(
        authorised !== undefined && authorised.index < index,
        `expected no intent before the authorisation, got ${at}`,
      );
      prove(known === undefined, `expected ${at} to be a new attempt or call`);
      prove(
        !voided || entry.data.direction !== "do",
        `expected nothing new after the approvals were voided, got ${at}`,
      );
      prove(
        Date.parse(entry.at) >= Date.parse(plan?.timing.notBefore ?? ""),
        `expected nothing before the planned start, got ${at}`,
      );
      const outcomes: PlacedEntry<"step.outcome">[] = [];
      calls.set(name, { call: { step, intent: { entry, index, leaf }, outcomes, state }, outcomes });
    } else {
      prove(known !== undefined, `expected an intent before the outcome at ${at}`);
      const last = known.outcomes.at(-1)?.entry.data.outcome;
      prove(last === undefined || last === "unknown", `expected one final outcome of a call, got another at ${at}`);
      prove(
        entry.data.outcome !== "done" || entry.data.error === null,
        `expected no error beside outcome done at ${at}`,
      );
      known.outcomes.push({ entry, index, leaf });
    }
  }
  return [...calls.values()].map(({ call }) => call);
}

/** How a step stands at some point of the log. */
export interface StepState {
  /** Outcome of its newest `do` call, `started` while that has none. */
  readonly done: "started" | "done" | "failed" | "unknown" | undefined;
  /** Taken back since it was last done: undone, or what its newest attempt made was discarded. */
  readonly takenBack: boolean;
}

/** The calls of each step, in order: a step is asked after often. */
export function byStep(calls: readonly ProvenCall[]): ReadonlyMap<PlanStepFacts, readonly ProvenCall[]> {
  return Map.groupBy(calls, (c) => c.step);
}

/** How a step stands just before log index `before`, given its calls. */
export function stepStateAt(calls: readonly ProvenCall[] | undefined, before: number): StepState {
  const own = (calls ?? []).filter((c) => c.intent.index < before);
  const newest = own.filter((c) => c.intent.entry.data.direction === "do").at(-1);
  const outcomeBefore = (c: ProvenCall) => c.outcomes.filter((o) => o.index < before).at(-1)?.entry.data.outcome;
  const takenBack = own.some((c) => {
    const { direction, attempt } = c.intent.entry.data;
    if (newest === undefined || direction === "do" || c.intent.index < newest.intent.index) return false;
    const meansNewest = direction === "undo" || attempt === newest.intent.entry.data.attempt;
    return meansNewest && outcomeBefore(c) === "done";
  });
  return { done: newest === undefined ? undefined : (outcomeBefore(newest) ?? "started"), takenBack };
}

/**
 * Steps were done in the plan's order and in the state their phase belongs to: a step begins only when all steps it
 * waits for are done and not taken back.
 */
export function checkOrder(plan: PlanFacts, calls: readonly ProvenCall[]): true {
  const own = byStep(calls);
  for (const { step, intent, state } of calls) {
    const { direction, step: id } = intent.entry.data;
    const left = isLeftBehind(plan, step);
    const forward: readonly RunState[] = left ? ["executing", "retiring"] : STATES_FOR.do[step.phase];
    const allowed: readonly RunState[] = direction === "do" ? forward : STATES_FOR[direction];
    prove(allowed.includes(state), `expected ${direction} of ${id} in state ${allowed.join(" or ")}, got ${state}`);
    if (direction !== "do") continue;
    for (const earlier of stepsBefore(plan, step)) {
      const { done, takenBack } = stepStateAt(own.get(earlier), intent.index);
      // In an emergency a consumer that cannot be written does not keep the compromised credential alive.
      const tried = isLeftBehind(plan, earlier) && done !== undefined && done !== "started";
      const ready = (done === "done" && !takenBack) || tried;
      prove(
        ready,
        `expected step ${earlier.id} to be done before ${id}, got ${takenBack ? "taken back" : (done ?? "not begun")}`,
      );
    }
  }
  return true;
}

/** Whether the plan of an emergency says that this consumer may be left behind until after the cut. */
function isLeftBehind(plan: PlanFacts, step: PlanStepFacts): boolean {
  return plan.emergency?.leaveBehind.includes(step.id) === true;
}

/** Which steps a step waits for: within execute and retire, all before it; between phases, whole phases. */
function stepsBefore(plan: PlanFacts, step: PlanStepFacts): PlanStepFacts[] {
  const rank = { execute: 0, overlap: 1, retire: 2, restore: 3 } as const;
  const position = plan.steps.indexOf(step);
  return plan.steps.filter((other, i) => {
    if (other.phase !== step.phase) return rank[other.phase] < rank[step.phase];
    // Consumers are confirmed as they pick the credential up, in any order.
    return step.phase !== "overlap" && step.phase !== "restore" && i < position;
  });
}
