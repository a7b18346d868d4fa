import { closedStates } from "../run/states.ts";
import type { Invariant, RunHistory } from "./history.ts";
import { authorisedAt, Findings, planned, spansOf, told } from "./reading.ts";

/** I2: never two rotations of one thing at once. */
export const oneAtATime: Invariant = {
  id: "I2",
  says: "A plan lists its lock keys: application, store entry, every whole container. The application's key is held to the end of the run, the others while executing or rolling back. Only an emergency run may supersede an overlapping run.",
  kept: [
    "packages/engine/migrations/0003-runs.sql (cs.take_locks, cs.move)",
    "packages/engine/src/execution/lease.ts, phases/start.ts, phases/moves.ts",
    "packages/core/src/procedure/procedure.ts (targetLocks)",
  ],
  checked: [
    "log: the stretches in which two runs needed the same key do not overlap",
    "locks: from its authorisation on a run holds the application's key, all keys of its plan while it has effects, none when it is closed",
    "journal: intents of one run never go back to an older fence",
    "log: a run that was superseded with effects is named by the plan of an emergency",
  ],
  unseen: [
    "Outside systems do not know our fence: a stalled process may still send what it had begun. It is looked for as a late twin (I3).",
  ],
  remedy:
    "Freeze (`countersign freeze --all`). Look in both runs which of them wrote last, and whether the record holds a credential that signs in; let one go on and roll back the other.",
  check: (history) => {
    const findings = new Findings("I2");
    const claims = planned(history).flatMap((run) => run.plan.lockKeys.map((lock) => ({ run, ...lock })));
    for (const [key, sharing] of Map.groupBy(claims, (claim) => claim.key)) {
      const stretches = sharing.flatMap(({ run, held }) => stretchesOf(run, held).map((span) => ({ run, ...span })));
      stretches.sort((a, b) => a.from - b.from);
      for (const [i, span] of stretches.entries()) {
        const before = stretches.slice(0, i).find((other) => other.run.id !== span.run.id && other.to > span.from);
        findings.must(
          before === undefined,
          span.run.id,
          () => `expected ${key} to be free, got it held by ${before?.run.id}`,
        );
      }
    }
    for (const run of history.runs) {
      const own = (holds: boolean, sentence: () => string) => findings.must(holds, run.id, sentence);
      own(
        !closedStates.has(run.state) || run.locks.length === 0,
        () => `expected no lock of a closed run, got ${run.locks.length}`,
      );
      const lacks = keysNeeded(run).filter((key) => !run.locks.some((lock) => lock.key === key));
      own(lacks.length === 0, () => `expected its locks in state ${run.state}, lacking ${lacks.join(", ")}`);
      const fences = run.steps.toSorted((a, b) => a.seq - b.seq);
      const back = fences.find((row, i) => row.fence < (fences[i - 1]?.fence ?? 0));
      own(
        back === undefined,
        () => `expected fences that only grow, got ${back?.fence} at ${back?.direction} of ${back?.step}`,
      );
      const taken = told(run, "run.moved").find(
        ({ data }) => data.to === "superseded" && (data.from === "overlapping" || data.from === "held"),
      );
      own(
        taken === undefined || planned(history).some(({ plan }) => plan.emergency?.supersedes?.run === run.id),
        () => "expected an emergency run that supersedes it, got none",
      );
    }
    return findings.found;
  },
};

/** Keys that a run has to hold in its present state: some to its end, the others while it has effects. */
function keysNeeded(run: RunHistory): string[] {
  const { plan, state } = run;
  if (plan === null || closedStates.has(state) || authorisedAt(run) === undefined) return [];
  const hasEffects = state === "executing" || state === "rolling_back";
  return plan.lockKeys.filter(({ held }) => held === "run" || hasEffects).map(({ key }) => key);
}

/** When the log says that a run needs a key of this kind: whole, or only while it has effects. */
function stretchesOf(run: RunHistory, held: "run" | "effects"): { from: number; to: number }[] {
  const spans = spansOf(run);
  if (held === "effects") return spans.filter(({ state }) => state === "executing" || state === "rolling_back");
  const first = spans.find(({ state }) => state === "executing");
  const end = spans.find(({ state }) => closedStates.has(state));
  return first === undefined ? [] : [{ from: first.from, to: end?.from ?? Number.POSITIVE_INFINITY }];
}
