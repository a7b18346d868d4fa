import { closedStates } from "../run/states.ts";
import type { AttemptFact, History, Invariant, OutsideEffect, RunHistory } from "./history.ts";
import {
  attempts,
  changesOf,
  changeText,
  createStep,
  credentialIds,
  eachRun,
  entriesOf,
  Findings,
  instant,
  isTarget,
  namedForRemoval,
  placeOf,
  planned,
  sameId,
  told,
} from "./reading.ts";

/** I6: intent before effect, outcome after it. */
export const intentFirst: Invariant = {
  id: "I6",
  says: "Intent is committed before each effect, outcome after it; each is a log entry in the same transaction as the state change. Outcomes are done, failed or unknown. Nothing that is not idempotent is retried blindly.",
  kept: [
    "packages/engine/src/execution/step.ts, run-work.ts",
    "packages/engine/migrations/0004-workers.sql (cs.intent, cs.outcome)",
  ],
  checked: [
    "log: a run's entries are numbered without a gap, and a closed run counts them",
    "journal and log: each attempt has exactly one intent entry, and the outcome that its row has is the last one in the log",
    "journal: a closed run has an outcome of each attempt; unknown is allowed only for what the sweep still looks for",
    "outside: each change has an intent that was committed before it, and no more changes were made than intended",
  ],
  unseen: [
    "Changes in systems whose log the checker does not read: variable groups, app settings, files and steps by hand are judged by journal and log alone.",
  ],
  remedy:
    "Freeze. An effect without intent, or a row without entry, was not made by the product as it is: compare the run's bundle with the directory's audit log, and see who can write to the database.",
  check: (history) => [...numbered(history), ...outside(history)],
};

const nameOf = ({
  step,
  direction,
  attempt,
}: {
  readonly step: string;
  readonly direction: string;
  readonly attempt: number;
}) => `${direction}:${step}:${attempt}`;

const numbered = eachRun("I6", (run, must) => {
  const { entries } = run;
  must(
    entries.every(({ entry }, index) => entry.runSeq === index),
    () => "expected the run's entries to be numbered without a gap",
  );
  const closed = told(run, "run.closed")[0];
  must(
    closed === undefined || (closed.data.entries === entries.length && entries.at(-1)?.entry.type === "run.closed"),
    () => `expected run.closed to be last and to count ${entries.length}, got ${closed?.data.entries}`,
  );
  const intents = told(run, "step.intent");
  const outcomes = told(run, "step.outcome");
  const rows = new Map(run.steps.map((row) => [nameOf(row), row]));
  const names = intents.map(({ data }) => nameOf(data));
  must(new Set(names).size === names.length, () => "expected no intent twice in the log");
  must(
    rows.size === names.length && names.every((name) => rows.has(name)),
    () => `expected an entry for each of ${rows.size} attempts, got ${names.length}`,
  );
  for (const [name, row] of rows) {
    const own = outcomes.filter(({ data }) => nameOf(data) === name);
    const intent = intents.find(({ data }) => nameOf(data) === name);
    must(
      own.every(({ index }) => intent !== undefined && index > intent.index),
      () => `expected the intent of ${name} before its outcome`,
    );
    must(
      (own.at(-1)?.data.outcome ?? null) === row.outcome,
      () => `expected outcome ${row.outcome} of ${name} in the log, got ${own.at(-1)?.data.outcome ?? "none"}`,
    );
    must(
      own.slice(0, -1).every(({ data }) => data.outcome === "unknown"),
      () => `expected one final outcome of ${name}, got ${own.length}`,
    );
    must(
      !closedStates.has(run.state) || row.outcome !== null,
      () => `expected an outcome of ${name} in a closed run, got none`,
    );
  }
  must(
    outcomes.every(({ data }) => rows.has(nameOf(data))),
    () => "expected an attempt for each outcome in the log",
  );
});

function outside(history: History) {
  const findings = new Findings("I6");
  const used = new Map<string, number>();
  for (const effect of changesOf(history)) {
    const mine = planned(history).filter(({ plan }) =>
      effect.kind === "write"
        ? plan.steps.some((step) => placeOf(step) === effect.place)
        : isTarget(plan, effect.target),
    );
    const intended = mine.flatMap((run) =>
      run.steps.filter((row) => row.intentAt <= effect.at && fits(run, row, effect)),
    );
    const swept =
      effect.kind === "remove" &&
      entriesOf(history.beside, "sweep.intent").some(
        ({ at, data }) => at <= effect.at && sameId(data.credential, effect.credential ?? ""),
      );
    if (swept) continue;
    const key = keyOf(effect);
    const count = (used.get(key) ?? 0) + 1;
    used.set(key, count);
    findings.must(
      count <= intended.length,
      mine.at(-1)?.id ?? null,
      () =>
        `expected an intent before the ${changeText(effect)} at ${instant(effect.at)}, got ${intended.length} for ${count} such changes`,
    );
  }
  return findings.found;
}

/** Changes that share their intents. */
function keyOf({ kind, credential, target, place, marker }: OutsideEffect): string {
  if (kind === "write") return `write ${place}`;
  if (kind === "remove") return `remove ${credential}`;
  return `create ${marker?.nonce ?? target.role ?? target.objectId ?? ""}`;
}

/** Whether an attempt may lead to such a change. */
function fits(run: RunHistory, row: AttemptFact, effect: OutsideEffect): boolean {
  const { plan } = run;
  if (plan === null) return false;
  const step = plan.steps.find(({ id }) => id === row.step);
  if (step === undefined) return false;
  if (effect.kind === "write") return row.direction !== "discard" && placeOf(step) === effect.place;
  if (effect.kind === "create") {
    if (row.step !== createStep) return false;
    // A role is given its password and, when that is taken back, another one: both change the role.
    return effect.marker === null
      ? row.direction !== "undo"
      : row.direction === "do" && row.nonce === effect.marker.nonce;
  }
  const named = [...credentialIds(row), ...(step.phase === "retire" ? namedForRemoval(plan) : [])];
  if (row.direction === "do") return step.phase === "retire" && named.some((id) => sameId(id, effect.credential ?? ""));
  // Taken back without knowing its id: by the marker of the attempt.
  const unnamed = attempts(run, createStep, "do").some(
    ({ attempt, objectIds }) => attempt === row.attempt && Object.keys(objectIds).length === 0,
  );
  return row.step === createStep && (unnamed || named.some((id) => sameId(id, effect.credential ?? "")));
}
