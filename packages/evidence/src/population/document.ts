import { parseCanonical } from "../canonical.ts";
import {
  actorId,
  code,
  count,
  id,
  ids,
  origin,
  personId,
  procedureName,
  query,
  runId,
  stepId,
  time,
} from "../fields.ts";
import { LIMITS } from "../limits.ts";
import { boolean, distinct, integer, list, nullable, object, oneOf, type Shaped, text } from "../shape.ts";
import { RUN_STATES } from "../states.ts";
import { GAP_WORDS } from "./coverage.ts";

export const POPULATION_TYPE = "countersign/population/v1";

/** What an auditor draws with: printable ASCII, chosen by the auditor, and how many of each list. */
const wish = { seed: text(/^[\x21-\x7e]{1,64}$/, "a seed", 64), size: integer(1, 10_000) };
export const sampleWish = object(wish);
export type SampleWish = Shaped<typeof sampleWish>;

/** A change of a credential that the directory's log tells of, with whose doing it was. */
const change = object({
  act: oneOf("added", "removed", "unreadable"),
  actor: nullable(id),
  actorKind: oneOf("person", "application", "unnamed"),
  at: time,
  attempt: nullable(count),
  because: code,
  credential: nullable(id),
  direction: nullable(oneOf("do", "undo", "discard")),
  entry: id,
  explained: nullable(object({ at: time, person: personId })),
  holder: oneOf("application", "service-principal"),
  kind: oneOf("client-secret", "certificate", "other"),
  objectId: id,
  readAt: time,
  /** Index in the log of the `audit.read` that counted it. */
  readIn: count,
  run: nullable(runId),
  step: nullable(stepId),
  tenant: id,
  verdict: oneOf("ours", "break-glass", "out-of-band", "unknown"),
});
export type PopulationChange = Shaped<typeof change>;

/** A run that was asked for in the period, as of the end of what the population was made from. */
const run = object({
  at: time,
  closed: boolean,
  procedure: procedureName,
  requester: actorId,
  run: runId,
  state: oneOf(...RUN_STATES),
  target: ids,
  trigger: text(/^[a-z]{1,20}$/, "a trigger", 20),
});

/** A tenant, by what it was read, and what that came to. */
const tenant = object({
  /** Days (UTC) without one look that was written down. */
  daysWithout: list(text(/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/, "a day", 10), 0, LIMITS.periodDaysMax + 1),
  keptMs: count,
  /** How late an entry of the directory may come, and how many came later than that. */
  lateMs: count,
  late: count,
  name: id,
  queries: distinct(list(query, 0, 100)),
  /** Looks that were written down and whose span touches the period. */
  reads: count,
  /** The longest between a change and its being read, ms. */
  slowestMs: count,
  /** Entries of those looks that could not be read. */
  unreadable: count,
});

const positions = list(count, 0, 10_000);

const document = object({
  _type: oneOf(POPULATION_TYPE),
  at: time,
  build: id,
  changes: list(change, 0, LIMITS.populationRowsMax),
  counts: object({
    breakGlass: count,
    changes: count,
    explained: count,
    ours: count,
    outOfBand: count,
    runs: count,
    unknown: count,
  }),
  from: time,
  gaps: list(object({ from: time, tenant: id, to: time, why: oneOf(...GAP_WORDS) }), 0, 10_000),
  log: object({ origin, size: integer(1), start: count }),
  /** Changes that the same looks have read and that are not of the period: without them nobody could count. */
  others: list(change, 0, LIMITS.populationRowsMax),
  runs: list(run, 0, LIMITS.populationRowsMax),
  /** Positions in `changes` and `runs`, from 0. */
  sample: nullable(object({ changes: positions, runs: positions, ...wish })),
  tenants: list(tenant, 0, 1_000),
  to: time,
});
export type Population = Shaped<typeof document>;

/** Reads population.json. */
export function parsePopulation(bytes: Uint8Array): Population {
  return document(parseCanonical(bytes, LIMITS.populationBytesMax), "population");
}
