import {
  type BundleFiles,
  type EntryData,
  type IndexedEntry,
  type Population,
  type PopulationInput,
  type ReadChange,
  type SampleWish,
  digestOf,
  makePopulationBundle,
  parseEntry,
  populationBytes,
  populationOf,
  rangeMarginMs,
} from "@countersign/evidence";
import { BUILD, type Draft, LIVES, type Log, NEW_KEY, OLD_KEY, OWNER, RUN } from "./builder.ts";

/*
 * A period in the life of a small installation: one run, looks at the directory's log, and what people did around it. The list is
 * made as the product makes it, or as somebody does who has something to hide.
 */

const TENANT = "contoso";
const QUERY = "GET /v1.0/auditLogs/directoryAudits?$filter=activityDateTime ge {from} and activityDateTime le {to}";
const hourMs = 3_600_000;

export interface Period {
  readonly log: Log;
  readonly changes: ReadChange[];
  from: string;
  to: string;
}

/** How a list may be made otherwise. */
export interface Ways {
  /** Changes what the list is made from. */
  readonly input?: (input: PopulationInput) => PopulationInput;
  /** Changes the list before its digest is written down. */
  readonly list?: (population: Population) => Population;
  /** Changes what the log says of it. */
  readonly entry?: (data: EntryData<"population.exported">) => EntryData<"population.exported">;
  /** Comes into the log between what the list was made from and its export. */
  readonly between?: (log: Log) => void;
  /** Changes the list after its digest was written down. */
  readonly afterwards?: (population: Population) => Population;
  readonly sample?: SampleWish | null;
}

const ago = (log: Log, seconds: number) => new Date(Date.parse(log.now()) - seconds * 1_000).toISOString();

function changeOf(log: Log, n: number, more: Partial<ReadChange> = {}): ReadChange {
  return {
    act: "added",
    actor: "b0b0b0b0-0000-4000-8000-000000000001",
    actorKind: "person",
    at: ago(log, 1_200 + n),
    attempt: null,
    because: "by-person",
    credential: `5c7a9f10-77aa-4c0b-9c1e-${String(n).padStart(12, "0")}`,
    direction: null,
    entry: `Directory_${n}`,
    holder: "application",
    kind: "client-secret",
    objectId: "aaaaaaaa-0000-4000-8000-000000000001",
    readAt: log.now(),
    readIn: 0,
    run: null,
    step: null,
    tenant: TENANT,
    verdict: "out-of-band",
    ...more,
  };
}

/** One look, which counts these changes. */
export function look(period: Period, changes: readonly ReadChange[], more: Partial<EntryData<"audit.read">> = {}): void {
  const { log } = period;
  const of = (verdict: ReadChange["verdict"]) => changes.filter((one) => one.verdict === verdict).length;
  const readIn = log.add("audit.read", {
    breakGlass: of("break-glass"),
    entries: 10 * changes.length,
    from: ago(log, 3 * 86_400),
    new: changes.length,
    ours: of("ours"),
    outOfBand: of("out-of-band"),
    query: QUERY,
    tenant: TENANT,
    to: log.now(),
    unknown: of("unknown"),
    unreadable: 0,
    ...more,
  });
  period.changes.push(...changes.map((one) => ({ ...one, readIn })));
}

/** Changes that a run had said before: what it made, and what it took away. */
function oursOf(log: Log): ReadChange[] {
  const intents = log.drafts.filter((one): one is Draft<"step.intent"> => one.type === "step.intent");
  const by = (step: string) => {
    const data = intents.find((one) => (one as Draft<"step.intent">).data.step === step)?.data as EntryData<"step.intent">;
    return { attempt: data.attempt, direction: data.direction, run: RUN, step };
  };
  const us = { actor: "0a0a0a0a-0000-4000-8000-000000000001", actorKind: "application", verdict: "ours" } as const;
  return [
    changeOf(log, 1, { ...us, ...by("create"), because: "made-by-attempt", credential: NEW_KEY }),
    changeOf(log, 2, { ...us, ...by("retire"), act: "removed", because: "removed-by-attempt", credential: OLD_KEY }),
  ];
}

/** Two days: a run, three looks, one explanation, and a third day that is not of the period. */
export async function lived(): Promise<Period> {
  const { log } = await LIVES.completed();
  const period: Period = { log, changes: [], from: "2026-11-01T00:00:00.000Z", to: "2026-11-03T00:00:00.000Z" };
  log.pass(1_800);
  look(period, [...oursOf(log), changeOf(log, 3), changeOf(log, 4, { act: "unreadable", credential: null, verdict: "unknown", because: "change-unreadable", kind: "other" })]);
  log.add("audit.explained", {
    act: "added",
    credential: changeOf(log, 3).credential,
    entry: "Directory_3",
    objectId: "aaaaaaaa-0000-4000-8000-000000000001",
    person: OWNER,
    reasonDigest: digestOf(Buffer.from("the vendor's migration")),
    tenant: TENANT,
    verdict: "out-of-band",
  });
  log.pass(86_400);
  look(period, [changeOf(log, 5), changeOf(log, 6, { act: "removed" })]);
  log.pass(86_400);
  // One of before that came late, and one of the third day.
  look(period, [changeOf(log, 7, { at: ago(log, 20 * 3_600) }), changeOf(log, 8)], { unreadable: 1 });
  return period;
}

/** Lists all looks of the whole period, without what nobody saw. */
export const withGap = async (): Promise<Period> => ({ ...(await lived()), from: "2026-10-25T00:00:00.000Z" });

/** The bundle of a period: the list, its export in the log, and the log from before the period on. */
export async function bundleOfPeriod(period: Period, ways: Ways = {}): Promise<BundleFiles> {
  const { log, from, to } = period;
  const at = log.now();
  const size = log.size;
  const entries = (): IndexedEntry[] => log.entries.map(({ index, bytes }) => ({ index, entry: parseEntry(bytes) }));
  const early = new Date(Date.parse(from) - rangeMarginMs).toISOString();
  const later = entries().find(({ entry }) => entry.at > early)?.index ?? size;
  const start = Math.max(0, later - 1);
  const input: PopulationInput = {
    at,
    build: BUILD,
    changes: period.changes.filter(({ readIn }) => readIn >= start),
    entries: entries(),
    from,
    log: { origin: log.keys.log.name, size, start },
    sample: ways.sample === undefined ? { seed: "4711", size: 2 } : ways.sample,
    tenants: [{ keptMs: 30 * 86_400_000, lateMs: 2 * hourMs, name: TENANT }],
    to,
  };
  const made = populationOf((ways.input ?? ((same) => same))(input));
  const population = (ways.list ?? ((same) => same))(made);
  ways.between?.(log);
  const { counts, gaps, sample } = population;
  const data: EntryData<"population.exported"> = {
    by: OWNER,
    changes: counts.changes,
    digest: digestOf(populationBytes(population)),
    from: population.from,
    gaps: gaps.length,
    runs: counts.runs,
    sample: sample === null ? null : { seed: sample.seed, size: sample.size },
    to: population.to,
  };
  log.replay({ at: population.at, type: "population.exported", data: (ways.entry ?? ((same) => same))(data), run: null });
  const { size: end } = await log.sign();
  return makePopulationBundle({
    checkpoint: log.notes.get(end) as Uint8Array,
    genesis: log.entries[0]?.bytes as Uint8Array,
    population: (ways.afterwards ?? ((same) => same))(population),
    range: log.entries.slice(population.log.start).map(({ bytes }) => bytes),
    tree: log.tree,
  });
}

const without = (place: number) => (population: Population): Population => ({
  ...population,
  changes: population.changes.filter((_, at) => at !== place),
  counts: { ...population.counts, changes: population.counts.changes - 1 },
});
const recounted = (input: PopulationInput, changes: readonly ReadChange[]): PopulationInput => ({ ...input, changes });
const first = <T>(items: readonly T[]): T => items[0] as T;

/** What somebody with something to hide does, who has no key or all of them, and the check that refuses it. */
export const PERIOD_FORGERIES: readonly [name: string, code: string, ways: Ways, period?: () => Promise<Period>][] = [
  ["a row removed afterwards", "exported", { afterwards: without(2) }],
  ["a row altered afterwards", "exported", { afterwards: (p) => ({ ...p, changes: p.changes.map((one) => ({ ...one, verdict: "ours" as const })) }) }],
  ["a row removed before the export", "changes", { list: without(2) }],
  ["a row removed, and everything made anew without it", "changes", { input: (i) => recounted(i, i.changes.slice(1)) }],
  ["a row added", "changes", { input: (i) => recounted(i, [...i.changes, { ...first(i.changes), entry: "Directory_99" }]) }],
  ["a row twice", "changes", { input: (i) => recounted(i, [...i.changes.slice(1), i.changes[1] as ReadChange]) }],
  ["a row of another look in place of one", "changes", { input: (i) => recounted(i, [{ ...first(i.changes), entry: "Directory_99", readIn: 0 }, ...i.changes.slice(1)]) }],
  ["out of band called ours", "changes", { input: (i) => recounted(i, i.changes.map((one) => ({ ...one, verdict: "ours" as const }))) }],
  ["an attempt that no run had committed to", "changes", { input: (i) => recounted(i, i.changes.map((one) => (one.run === null ? one : { ...one, attempt: 77 }))) }],
  ["an explanation that nobody gave", "changes", { list: (p) => ({ ...p, changes: p.changes.map((one) => ({ ...one, explained: { at: p.at, person: OWNER } })) }) }],
  ["an explanation left out", "changes", { list: (p) => ({ ...p, changes: p.changes.map((one) => ({ ...one, explained: null })) }) }],
  ["a row moved out of the period", "changes", { list: (p) => ({ ...p, changes: p.changes.slice(1), others: [...p.others, first(p.changes)] }) }],
  ["the order of rows", "changes", { list: (p) => ({ ...p, changes: p.changes.toReversed() }) }],
  ["a count altered", "changes", { list: (p) => ({ ...p, counts: { ...p.counts, outOfBand: 1 } }) }],
  ["a count altered in the log only", "exported", { entry: (d) => ({ ...d, changes: d.changes - 1 }) }],
  ["a run left out", "runs", { list: (p) => ({ ...p, runs: [], counts: { ...p.counts, runs: 0 } }) }],
  ["a run added", "runs", { list: (p) => ({ ...p, runs: [...p.runs, { ...first(p.runs), run: RUN.replace("z", "y") }], counts: { ...p.counts, runs: 3 } }) }],
  ["a run that ended otherwise", "runs", { list: (p) => ({ ...p, runs: p.runs.map((one) => ({ ...one, state: "rolled_back" as const })) }) }],
  ["a gap hidden", "gaps", { list: (p) => ({ ...p, gaps: p.gaps.slice(1) }) }, withGap],
  ["a gap shortened", "gaps", { list: (p) => ({ ...p, gaps: p.gaps.map((gap) => ({ ...gap, from: gap.to })) }) }, withGap],
  ["a gap renamed", "gaps", { list: (p) => ({ ...p, gaps: p.gaps.map((gap) => ({ ...gap, why: "ahead" as const })) }) }, withGap],
  ["a day without a look hidden", "gaps", { list: (p) => ({ ...p, tenants: p.tenants.map((one) => ({ ...one, daysWithout: [] })) }) }, withGap],
  ["entries that could not be read hidden", "gaps", { list: (p) => ({ ...p, tenants: p.tenants.map((one) => ({ ...one, unreadable: 0 })) }) }],
  ["another query", "gaps", { list: (p) => ({ ...p, tenants: p.tenants.map((one) => ({ ...one, queries: ["GET /all"] })) }) }],
  ["late entries hidden", "gaps", { list: (p) => ({ ...p, tenants: p.tenants.map((one) => ({ ...one, late: 0, slowestMs: 0 })) }) }],
  ["a tenant left out", "gaps", { input: (i) => ({ ...i, tenants: [] }) }],
  ["another sample than the seed draws", "sample", { list: (p) => ({ ...p, sample: p.sample && { ...p.sample, changes: [0, 1].filter((n) => !p.sample?.changes.includes(n)).concat(4) } }) }],
  ["a sample cut short", "sample", { list: (p) => ({ ...p, sample: p.sample && { ...p.sample, changes: p.sample.changes.slice(1) } }) }],
  ["another seed in the log", "exported", { entry: (d) => ({ ...d, sample: { seed: "mine", size: 2 } }) }],
  ["a list of an earlier state of the log", "exported", { input: (i) => ({ ...i, log: { ...i.log, size: i.log.size - 4 }, changes: i.changes.filter(({ readIn }) => readIn < i.log.size - 4) }) }],
  ["an export without the log", "exported", { entry: (d) => ({ ...d, digest: digestOf(Buffer.from("another")) }) }],
  ["a list that says it was made at another time", "exported", { between: (log) => log.pass(60), list: (p) => p, entry: (d) => d, afterwards: (p) => ({ ...p, at: p.to }) }],
  ["a range that begins within the period", "range", { input: (i) => ({ ...i, log: { ...i.log, start: 5 } }) }],
  ["a period that ends before it begins", "population", { input: (i) => ({ ...i, to: i.from }) }],
];
