import { show } from "../errors.ts";
import { HOLDER_STEP, type PlanFacts, type PlanStepFacts, REMOVED_ID_KEY } from "../plan.ts";
import { ofType, type PlacedEntry, type RunView } from "../run-view.ts";
import type { RunState } from "../states.ts";
import { prove } from "./report.ts";
import type { ProvenCall } from "./steps.ts";
import { byStep, stepStateAt } from "./steps.ts";

const GRADE_RANK = { none: 0, weak: 1, strong: 2 } as const;
const VERIFIED_RANK = { accepted: 0, "metadata-changed": 1, "value-matched": 2, used: 3 } as const;

/** The intents that end the old credential, in order. */
export function retireCalls(calls: readonly ProvenCall[]): ProvenCall[] {
  return calls.filter((c) => c.step.phase === "retire" && c.intent.entry.data.direction === "do");
}

/** The move from which the overlap counts: the first into `overlapping` after the last into `executing`. */
export function overlapStart(run: RunView, before: number): PlacedEntry<"run.moved"> | undefined {
  let start: PlacedEntry<"run.moved"> | undefined;
  for (const move of ofType(run, "run.moved").filter((m) => m.index < before)) {
    if (move.entry.data.to === "executing") start = undefined;
    if (move.entry.data.to === "overlapping") start ??= move;
  }
  return start;
}

/** Before anything was retired, old and new were both valid for the time named in the plan. Returns the shortest, in ms. */
export function checkOverlap(run: RunView, plan: PlanFacts, calls: readonly ProvenCall[]): number | undefined {
  let shortest: number | undefined;
  for (const { intent } of retireCalls(calls)) {
    const start = overlapStart(run, intent.index);
    prove(start !== undefined, "expected the run to overlap before it retires anything");
    const ms = Date.parse(intent.entry.at) - Date.parse(start.entry.at);
    const needed = plan.timing.overlapSeconds * 1000;
    prove(ms >= needed, `expected an overlap of ${plan.timing.overlapSeconds} s before retirement, got ${ms / 1000} s`);
    shortest = Math.min(shortest ?? ms, ms);
  }
  return shortest;
}

/** Before anything was retired, the gate's last word was open at the grade of the plan, and every consumer was confirmed. */
export function checkGate(
  run: RunView,
  plan: PlanFacts,
  calls: readonly ProvenCall[],
): PlacedEntry<"gate.checked"> | "forced" | undefined {
  // The authorisation of an emergency is the forced retirement as well (I5): no gate is asked.
  if (plan.emergency !== null) return retireCalls(calls).length === 0 ? undefined : "forced";
  let last: PlacedEntry<"gate.checked"> | undefined;
  for (const { intent } of retireCalls(calls)) {
    const gate = ofType(run, "gate.checked")
      .filter((g) => g.index < intent.index)
      .at(-1);
    prove(gate !== undefined, "expected the retire gate to be checked before retirement");
    const { open, grade } = gate.entry.data;
    prove(open, "expected the retire gate to be open before retirement");
    const enough = GRADE_RANK[grade] >= GRADE_RANK[plan.retire.minGrade];
    prove(enough, `expected grade ${plan.retire.minGrade} or above before retirement, got ${grade}`);
    prove(
      plan.old.binding !== "unproven",
      "expected no retirement of a credential that was never shown to be the stored one",
    );
    for (const step of plan.steps.filter((s) => s.phase === "overlap")) {
      const level = calls
        .filter((c) => c.step === step && c.intent.entry.data.direction === "do")
        .flatMap((c) => c.outcomes)
        .filter((o) => o.index < intent.index && o.entry.data.outcome === "done")
        .at(-1)?.entry.data.verified;
      const wanted = wantedLevel(plan, step);
      const shown = level !== undefined && level !== null && VERIFIED_RANK[level] >= VERIFIED_RANK[wanted];
      prove(shown, `expected ${step.id} at level ${wanted} or above, got ${level ?? "none"}`);
    }
    last = gate;
  }
  return last;
}

/**
 * How far a consumer must have been seen on the new credential. Of what lives on a named one nothing is known but from where
 * it was used: from there it must be used again; where it was never seen in use, the owner's word has to do.
 */
function wantedLevel(plan: PlanFacts, step: PlanStepFacts): keyof typeof VERIFIED_RANK {
  if (plan.old.binding !== "named" || step.id !== HOLDER_STEP) return plan.retire.consumerLevel;
  const { callers } = step.params;
  return Array.isArray(callers) && callers.length === 0 ? "accepted" : "used";
}

/** What was retired is the one credential the plan names, and nothing discarded was that one. */
export function checkRemoved(plan: PlanFacts, calls: readonly ProvenCall[]): true | undefined {
  const key = REMOVED_ID_KEY[plan.target.kind];
  const named = (call: ProvenCall): unknown[] => {
    const { target, facts } = call.intent.entry.data;
    const objects = call.outcomes.map((o) => o.entry.data.objectIds);
    // A list that holds the id names it as well.
    return [target, facts, ...objects].flatMap((m) => m[key] ?? []);
  };
  const removable = plan.emergency?.revoke ?? [plan.old.id];
  const isRemovable = (value: unknown) => removable.some((id) => id === value);
  const steps = plan.steps.filter((s) => s.phase === "retire");
  for (const step of steps) {
    const planned = step.params[key];
    prove(
      planned === undefined || isRemovable(planned),
      `expected step ${step.id} to be for ${show(plan.old.id)}, got ${show(planned)}`,
    );
  }
  for (const call of retireCalls(calls)) {
    const planned = call.step.params[key] ?? plan.old.id;
    for (const value of named(call))
      prove(value === planned, `expected to retire ${show(planned)}, got ${show(value)}`);
    for (const [name, value] of Object.entries(targetIds(plan))) {
      const seen = call.intent.entry.data.target[name];
      prove(seen === undefined || seen === value, `expected retirement at ${name} ${show(value)}, got ${show(seen)}`);
    }
  }
  for (const call of calls.filter((c) => c.intent.entry.data.direction === "discard")) {
    for (const value of named(call)) prove(!isRemovable(value), "expected never to discard the old credential");
  }
  const gone = retireCalls(calls).filter((c) => c.outcomes.at(-1)?.entry.data.outcome === "done");
  if (gone.length > 0)
    prove(
      gone.some((c) => named(c).length > 0),
      `expected the retirement to name ${key}, got nothing`,
    );
  return retireCalls(calls).length === 0 ? undefined : true;
}

function targetIds(plan: PlanFacts): Record<string, string> {
  return plan.target.kind === "entra-application"
    ? { objectId: plan.target.objectId, appId: plan.target.appId }
    : { systemIdentifier: plan.target.systemIdentifier };
}

/**
 * What a final state promises holds: completed = every step done; rolled back = every effect taken back, nothing
 * retired; rejected = somebody said no.
 */
export function checkResult(
  run: RunView,
  plan: PlanFacts | undefined,
  calls: readonly ProvenCall[],
  state: RunState,
): void {
  if (state === "rejected") {
    const noes = ofType(run, "approval.given").filter((g) => g.entry.data.decision === "reject");
    prove(noes.length > 0, "expected a rejection behind state rejected");
  }
  if (state !== "completed" && state !== "rolled_back") return;
  prove(plan !== undefined, `expected a plan behind state ${state}`);
  const own = byStep(calls);
  for (const step of plan.steps) {
    const { done, takenBack } = stepStateAt(own.get(step), Number.POSITIVE_INFINITY);
    if (state === "completed") {
      prove(done === "done" && !takenBack, `expected step ${step.id} of a completed run to be done`);
    } else {
      const mayStand = done !== undefined && done !== "failed" && !takenBack;
      const harmless = !step.undoable && step.phase !== "retire";
      prove(!mayStand || harmless, `expected step ${step.id} of a rolled back run to be taken back`);
    }
  }
}
