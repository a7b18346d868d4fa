import { check, heldOf, type Violation } from "./check.ts";
import type { AtCrash, Journal, Observation } from "./observe.ts";
import type { Effect } from "./stage/effects.ts";
import { consumersOf } from "./stage/names.ts";

/** A change of what was seen that makes it a broken promise, and the check that must say so. */
interface Falsification {
  readonly name: string;
  readonly rule: string;
  readonly change: (seen: Observation) => Observation;
}

const falsifications: readonly Falsification[] = [
  {
    name: "a consumer that never came to what is left",
    rule: "I1",
    change: (seen) => ({
      ...seen,
      effects: seen.effects.filter(
        ({ workload, target }) =>
          workload !== consumersOf(seen.row)[0]?.name ||
          (target.keyId ?? target.role) !== heldOf(seen, seen.row.course === "back"),
      ),
    }),
  },
  {
    name: "a last sign-in that failed",
    rule: "I1",
    change: (seen) => {
      const last = seen.effects.findLast(({ op, workload }) => workload !== null && /^token|connect$/.test(op));
      return { ...seen, effects: seen.effects.map((one) => (one === last ? { ...one, effect: false } : one)) };
    },
  },
  { name: "a dead value in the record", rule: "I1", change: (seen) => ({ ...seen, deadValues: ["once"] }) },
  { name: "a record with another value", rule: "I3", change: (seen) => ({ ...seen, inRecord: "another" }) },
  { name: "a record whose value does not sign in", rule: "I3", change: (seen) => ({ ...seen, inRecord: null }) },
  { name: "a second credential", rule: "I3", change: (seen) => ({ ...seen, live: [...seen.live, "another"] }) },
  { name: "no credential at all", rule: "I3", change: (seen) => ({ ...seen, live: [] }) },
  { name: "an orphan", rule: "I3", change: (seen) => ({ ...seen, orphans: 1 }) },
  {
    name: "the wrong one left",
    rule: "I5",
    change: (seen) => {
      const left = seen.row.course === "back" ? "another" : (seen.plan?.old.id ?? "");
      return { ...seen, live: [left], inRecord: left };
    },
  },
  {
    name: "an effect that nobody had intended at the kill",
    rule: "I6",
    change: (seen) =>
      atKill(seen, (journal) => ({ ...journal, steps: journal.steps.filter(({ step }) => step !== "store") })),
  },
  {
    name: "an effect before the authorisation at the kill",
    rule: "I4",
    change: (seen) =>
      atKill(seen, (journal) => ({
        ...journal,
        entries: journal.entries.filter(({ type }) => type !== "run.authorised"),
      })),
  },
  {
    name: "an effect without any run at the kill",
    rule: "I6",
    change: (seen) => ({ ...seen, atCrash: { journal: null, effects: seen.effects, holder: null } }),
  },
  { name: "a stalled process that went on", rule: "I6", change: (seen) => ({ ...seen, unfenced: "it went on" }) },
  {
    name: "a run that holds",
    rule: "ended",
    change: (seen) => ({ ...seen, journal: seen.journal && { ...seen.journal, state: "held" } }),
  },
  { name: "a run that never ended", rule: "ended", change: (seen) => ({ ...seen, stuck: "it never ended" }) },
  { name: "no run", rule: "ended", change: (seen) => ({ ...seen, journal: null, plan: null }) },
  { name: "a bundle that proves nothing", rule: "evidence", change: (seen) => ({ ...seen, bundle: "refused" }) },
  { name: "a point that was passed by", rule: "reached", change: (seen) => ({ ...seen, reached: false }) },
  { name: "a slow recovery", rule: "recovery", change: (seen) => ({ ...seen, recoveryMs: seen.recoveryMsMax + 1 }) },
];

/** The whole clean run as what stood there at a kill, but for one change of its journal. */
function atKill(seen: Observation, change: (journal: Journal) => Journal): Observation {
  const effects: readonly Effect[] = seen.effects;
  const atCrash: AtCrash = { journal: seen.journal && change(seen.journal), effects, holder: null };
  return { ...seen, atCrash };
}

/** Applies every falsification to a clean observation; one that the checks do not see is a violation itself. */
export function missedFalsifications(clean: Observation): Violation[] {
  const whole = atKill({ ...clean, reached: true, recoveryMs: 1 }, (journal) => journal);
  const point = `falsified/${clean.row.procedure}/${clean.row.course}`;
  const strange = check(whole, true).map(({ sentence }) => `expected a clean run to be clean, got ${sentence}`);
  const missed = falsifications
    .filter(({ rule, change }) => !check(change(whole), true).some((violation) => violation.rule === rule))
    .map(({ name, rule }) => `expected ${rule} to see ${name}, it did not`);
  return [...strange, ...missed].map((sentence) => ({ point, rule: "planted", sentence }));
}
