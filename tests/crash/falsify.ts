import { check, type Violation } from "./check.ts";
import type { Journal, LogEntry, Observation } from "./observe.ts";
import type { Effect } from "./stage/effects.ts";
import { consumersOf } from "./stage/names.ts";

/** A change of what was seen that makes it a broken promise, and the check that must say so. */
interface Falsification {
  readonly name: string;
  readonly rule: string;
  readonly change: (seen: Observation) => Observation;
}

const hourMs = 3_600_000;

const falsifications: readonly Falsification[] = [
  {
    name: "a sign-in that failed",
    rule: "I1",
    change: (seen) => ({
      ...seen,
      effects: seen.effects.map((effect, index) =>
        index === signInIndex(seen) ? { ...effect, effect: false, code: "7000215" } : effect,
      ),
    }),
  },
  {
    name: "a consumer that never came to the new credential",
    rule: "I1",
    change: (seen) => ({
      ...seen,
      effects: seen.effects.filter(
        (effect) => !isConsumer(seen, effect, -1) || credentialOf(effect) === seen.plan?.old.id,
      ),
    }),
  },
  {
    name: "a lock that is left",
    rule: "I2",
    change: (seen) => withJournal(seen, (journal) => ({ ...journal, locks: 1 })),
  },
  { name: "a second live credential", rule: "I3", change: (seen) => ({ ...seen, live: [...seen.live, "another"] }) },
  {
    name: "an old value in the record",
    rule: "I3",
    change: (seen) => ({ ...seen, inRecord: seen.plan?.old.id ?? null }),
  },
  { name: "an orphan", rule: "I3", change: (seen) => ({ ...seen, orphans: 1 }) },
  {
    name: "no authorisation in the log",
    rule: "I4",
    change: (seen) => withEntries(seen, (entries) => entries.filter(({ type }) => type !== "run.authorised")),
  },
  {
    name: "an old credential that stayed",
    rule: "I5",
    change: (seen) => ({ ...seen, effects: seen.effects.filter((effect) => !isRemoval(effect)) }),
  },
  {
    name: "an old credential that went an hour early",
    rule: "I5",
    change: (seen) => ({
      ...seen,
      effects: seen.effects.map((effect) =>
        isRemoval(effect) ? { ...effect, at: new Date(Date.parse(effect.at) - hourMs).toISOString() } : effect,
      ),
    }),
  },
  {
    name: "an effect that nobody intended",
    rule: "I6",
    change: (seen) =>
      withJournal(seen, (journal) => ({ ...journal, steps: journal.steps.filter(({ step }) => step !== "store") })),
  },
  {
    name: "an intent that is logged twice",
    rule: "I6",
    change: (seen) =>
      withEntries(seen, (entries) =>
        entries.flatMap((entry) =>
          entry.type === "step.intent" && entry.data.step === "store" ? [entry, entry] : [entry],
        ),
      ),
  },
  {
    name: "an intent without outcome",
    rule: "I6",
    change: (seen) =>
      withEntries(seen, (entries) =>
        entries.filter((entry) => entry.type !== "step.outcome" || entry.data.step !== "store"),
      ),
  },
  {
    name: "a gap in the log",
    rule: "I6",
    change: (seen) => withEntries(seen, (entries) => entries.filter((_, index) => index !== 1)),
  },
  {
    name: "a run that holds",
    rule: "I9",
    change: (seen) => withJournal(seen, (journal) => ({ ...journal, state: "held" })),
  },
  { name: "a bundle that proves nothing", rule: "evidence", change: (seen) => ({ ...seen, bundle: "refused" }) },
  { name: "a point that was passed by", rule: "reached", change: (seen) => ({ ...seen, reached: false }) },
  { name: "a slow recovery", rule: "recovery", change: (seen) => ({ ...seen, recoveryMs: 5_001 }) },
];

/** The same for a run that went back. */
const backwards: readonly Falsification[] = [
  {
    name: "an old credential that was removed",
    rule: "I5",
    change: (seen) => ({
      ...seen,
      effects: seen.effects.map((effect) => (isRemoval(effect) ? removalOf(effect, seen.plan?.old.id ?? "") : effect)),
    }),
  },
  { name: "a new value in the record", rule: "I8", change: (seen) => ({ ...seen, inRecord: "another" }) },
  {
    name: "a new credential that stayed",
    rule: "I3",
    change: (seen) => ({ ...seen, live: [...seen.live, "another"] }),
  },
  {
    name: "a new credential that went at once",
    rule: "I8",
    change: (seen) => ({
      ...seen,
      effects: seen.effects.map((effect) =>
        isRemoval(effect) ? { ...effect, at: new Date(Date.parse(effect.at) - hourMs).toISOString() } : effect,
      ),
    }),
  },
  {
    name: "a consumer that did not come back",
    rule: "I1",
    change: (seen) => ({
      ...seen,
      effects: seen.effects.filter(
        (effect) => !isConsumer(seen, effect, 0) || credentialOf(effect) !== seen.plan?.old.id,
      ),
    }),
  },
  {
    name: "a roll back that holds",
    rule: "I9",
    change: (seen) => withJournal(seen, (journal) => ({ ...journal, state: "held" })),
  },
  { name: "a stalled process that went on", rule: "I6", change: (seen) => ({ ...seen, unfenced: "it went on" }) },
  { name: "a dead value in the record", rule: "I1", change: (seen) => ({ ...seen, deadValues: ["once"] }) },
];

function removalOf(effect: Effect, id: string): Effect {
  const text = `alter role "${id}" nologin`;
  return {
    ...effect,
    target: effect.op === "postgres.query" ? { ...effect.target, text } : { ...effect.target, keyId: id },
  };
}

/** Applies every falsification to a clean observation; one that the checks do not see is a violation itself. */
export function missedFalsifications(clean: Observation): Violation[] {
  const all = clean.row.course === "back" ? backwards : falsifications;
  return all.flatMap(({ name, rule, change }) => {
    const found = check(change({ ...clean, reached: true, recoveryMs: 1 }), true);
    return found.some((violation) => violation.rule === rule)
      ? []
      : [
          {
            point: `falsified/${clean.row.procedure}/${clean.row.course}`,
            rule: "planted",
            sentence: `expected ${rule} to see ${name}, it did not`,
          },
        ];
  });
}

function withJournal(seen: Observation, change: (journal: Journal) => Journal): Observation {
  return { ...seen, journal: seen.journal === null ? null : change(seen.journal) };
}

function withEntries(seen: Observation, change: (entries: readonly LogEntry[]) => readonly LogEntry[]): Observation {
  return withJournal(seen, (journal) => ({ ...journal, entries: change(journal.entries) }));
}

/** A sign-in of the row's consumer at `index`, counted from the end when negative. */
function isConsumer(seen: Observation, effect: Effect, index: number): boolean {
  // A database's workload also asks something once it is in; that is no sign-in.
  const isSignIn = effect.op === "token" || effect.op === "postgres.connect";
  return isSignIn && effect.workload !== null && effect.workload === consumersOf(seen.row).at(index)?.name;
}

function signInIndex(seen: Observation): number {
  return seen.effects.findLastIndex((effect) => isConsumer(seen, effect, 0));
}

function credentialOf({ target }: Effect): unknown {
  return target.keyId ?? target.role;
}

function isRemoval({ op, target }: Effect): boolean {
  return op === "application.removePassword" || (op === "postgres.query" && /nologin/i.test(String(target.text)));
}
