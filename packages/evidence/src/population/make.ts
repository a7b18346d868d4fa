import { canonicalBytes, type Json } from "../canonical.ts";
import { sha256Hex } from "../digest.ts";
import type { Entry, EntryOf } from "../entry.ts";
import type { EntryType } from "../entry-types.ts";
import { assertThat } from "../errors.ts";
import type { RunState } from "../states.ts";
import { gapsOf } from "./coverage.ts";
import { POPULATION_TYPE, type Population, type PopulationChange, type SampleWish } from "./document.ts";

/** An entry of the log with its index. */
export interface IndexedEntry {
  readonly index: number;
  readonly entry: Entry;
}

/** A change as it was read; whether it was explained follows from the log. */
export type ReadChange = Omit<PopulationChange, "explained">;

/** What a population is made from; everything else in it follows. */
export interface PopulationInput {
  /** From then on, and before that. */
  readonly from: string;
  readonly to: string;
  /** When it was made; entries of the log from then on are not in it. */
  readonly at: string;
  readonly build: string;
  readonly log: Population["log"];
  /** All entries from `log.start` on; those from `log.size` on are left out. */
  readonly entries: readonly IndexedEntry[];
  /** All changes that the reads among those entries have counted. */
  readonly changes: readonly ReadChange[];
  readonly tenants: readonly Pick<Population["tenants"][number], "name" | "lateMs" | "keptMs">[];
  readonly sample: SampleWish | null;
}

/** The population as a document, wholly determined by its input: who writes it and who verifies it both make it. */
export function populationOf(input: PopulationInput): Population {
  const { from, to, at, build, log, sample: wish } = input;
  const known = input.entries.filter(({ index }) => index < log.size);
  const inPeriod = (time: string) => time >= from && time < to;
  const all = explainedBy(known, input.changes).sort(byPlace);
  const changes = all.filter((one) => inPeriod(one.at));
  const runs = runsOf(known).filter((one) => inPeriod(one.at));
  const tenants = input.tenants.map((tenant) => tenantOf(tenant, input, known, changes));
  const verdicts = (verdict: PopulationChange["verdict"]) => changes.filter((one) => one.verdict === verdict).length;
  return {
    _type: POPULATION_TYPE,
    at,
    build,
    changes,
    counts: {
      breakGlass: verdicts("break-glass"),
      changes: changes.length,
      explained: changes.filter(({ explained }) => explained !== null).length,
      ours: verdicts("ours"),
      outOfBand: verdicts("out-of-band"),
      runs: runs.length,
      unknown: verdicts("unknown"),
    },
    from,
    gaps: input.tenants.flatMap((tenant) => gapsIn(tenant, input, known)),
    log,
    others: all.filter((one) => !inPeriod(one.at)),
    runs,
    sample:
      wish === null
        ? null
        : {
            changes: drawn(
              wish,
              changes.map(({ tenant, entry, credential, act }) => [tenant, entry, credential, act]),
            ),
            runs: drawn(
              wish,
              runs.map(({ run }) => [run]),
            ),
            seed: wish.seed,
            size: wish.size,
          },
    tenants,
    to,
  };
}

/** The entries of one type among these, in order. */
export function entriesOf<T extends EntryType>(
  entries: readonly IndexedEntry[],
  type: T,
): { readonly index: number; readonly entry: EntryOf<T> }[] {
  return entries.filter((one): one is { index: number; entry: EntryOf<T> & Entry } => one.entry.type === type);
}

/**
 * The positions that a seed draws, ascending: each item has the ticket SHA-256 of `countersign/sample/v1`, the seed and the item in
 * canonical JSON, each on a line of its own (the last without an end); the lowest tickets are drawn.
 */
export function drawn({ seed, size }: SampleWish, items: readonly Json[]): number[] {
  const head = Buffer.from(`countersign/sample/v1\n${seed}\n`);
  return items
    .map((item, place) => ({ place, ticket: sha256Hex(Buffer.concat([head, canonicalBytes(item)])) }))
    .sort((a, b) => compare(a.ticket, b.ticket))
    .slice(0, size)
    .map(({ place }) => place)
    .sort((a, b) => a - b);
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
const keyOf = (one: {
  readonly tenant: string;
  readonly entry: string;
  readonly credential: string | null;
  readonly act: string;
}) => [one.tenant, one.entry, one.credential ?? "", one.act] as const;
const idOf = (one: Parameters<typeof keyOf>[0]) => keyOf(one).join(" ");

/** By time, tenant, entry, credential, act. */
function byPlace(a: ReadChange, b: ReadChange): number {
  const [left, right] = [
    [a.at, ...keyOf(a)],
    [b.at, ...keyOf(b)],
  ];
  return left.map((part, i) => compare(part, right[i] as string)).find((order) => order !== 0) ?? 0;
}

function explainedBy(known: readonly IndexedEntry[], changes: readonly ReadChange[]): PopulationChange[] {
  const said = new Map(entriesOf(known, "audit.explained").map(({ entry }) => [idOf(entry.data), entry]));
  return changes.map((change) => {
    const entry = said.get(idOf(change));
    return { ...change, explained: entry === undefined ? null : { at: entry.at, person: entry.data.person } };
  });
}

function runsOf(known: readonly IndexedEntry[]): Population["runs"] {
  const states = new Map<string, RunState>();
  for (const { entry } of entriesOf(known, "run.moved")) states.set(String(entry.run), entry.data.to);
  const closed = new Set(entriesOf(known, "run.closed").map(({ entry }) => entry.run));
  return entriesOf(known, "run.requested").map(({ entry }) => ({
    at: entry.at,
    closed: closed.has(entry.run),
    procedure: entry.data.procedure,
    requester: entry.data.requester,
    run: String(entry.run),
    state: states.get(String(entry.run)) ?? "requested",
    target: entry.data.target,
    trigger: entry.data.trigger,
  }));
}

/** Looks at a tenant's log, as they were written down. */
function readsOf(name: string, known: readonly IndexedEntry[]) {
  return entriesOf(known, "audit.read")
    .map(({ entry }) => entry)
    .filter(({ data }) => data.tenant === name);
}

const ms = (time: string) => Date.parse(time);
const dayMs = 86_400_000;

function tenantOf(
  { name, lateMs, keptMs }: PopulationInput["tenants"][number],
  { from, to, at }: PopulationInput,
  known: readonly IndexedEntry[],
  changes: readonly PopulationChange[],
): Population["tenants"][number] {
  const reads = readsOf(name, known);
  const touching = reads.filter(({ data }) => data.from < to && data.to >= from);
  const waits = changes.filter(({ tenant }) => tenant === name).map((one) => ms(one.readAt) - ms(one.at));
  const looked = new Set(reads.map((entry) => entry.at.slice(0, 10)));
  const daysWithout: string[] = [];
  const end = Math.min(ms(to), ms(at));
  for (let day = ms(from) - (ms(from) % dayMs); day < end; day += dayMs) {
    const word = new Date(day).toISOString().slice(0, 10);
    if (!looked.has(word)) daysWithout.push(word);
  }
  return {
    daysWithout,
    keptMs,
    late: waits.filter((wait) => wait > lateMs).length,
    lateMs,
    name,
    queries: [...new Set(touching.map(({ data }) => data.query))].sort(compare),
    reads: touching.length,
    slowestMs: Math.max(0, ...waits),
    unreadable: touching.reduce((sum, { data }) => sum + data.unreadable, 0),
  };
}

function gapsIn(
  { name, lateMs, keptMs }: PopulationInput["tenants"][number],
  { from, to, at }: PopulationInput,
  known: readonly IndexedEntry[],
): Population["gaps"] {
  const spans = readsOf(name, known).map(({ data }) => ({ from: ms(data.from), to: ms(data.to) }));
  const iso = (time: number) => new Date(time).toISOString();
  return gapsOf({ from: ms(from), to: ms(to) }, spans, { now: ms(at), lateMs, keptMs }).map((gap) => ({
    from: iso(gap.from),
    tenant: name,
    to: iso(gap.to),
    why: gap.why,
  }));
}

/**
 * Whether the changes are all that the looks have counted, each once, and fit what the log says of them. Throws `refused` and says
 * what does not.
 */
export function checkCounted(changes: readonly ReadChange[], entries: readonly IndexedEntry[], size: number): void {
  const known = entries.filter(({ index }) => index < size);
  const expect = (holds: boolean, sentence: string) => assertThat(holds, "refused", sentence);
  const ids = new Set(changes.map(idOf));
  expect(ids.size === changes.length, "expected each change once");
  const reads = new Map(entriesOf(known, "audit.read").map((read) => [read.index, read.entry.data]));
  const found = new Map<number, Map<string, number>>();
  for (const { readIn, tenant, verdict } of changes) {
    expect(reads.get(readIn)?.tenant === tenant, `expected entry ${readIn} to have read the log of ${tenant}`);
    const counts = found.get(readIn) ?? new Map<string, number>();
    counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
    found.set(readIn, counts);
  }
  for (const [index, data] of reads) {
    const counts = found.get(index) ?? new Map<string, number>();
    const all = [...counts.values()].reduce((sum, n) => sum + n, 0);
    expect(all === data.new, `expected the ${data.new} changes that entry ${index} has counted, got ${all}`);
    // What could not be told at first may have become one of the others since; nothing else changes its verdict.
    const told = { ours: data.ours, "break-glass": data.breakGlass, "out-of-band": data.outOfBand };
    for (const [verdict, least] of Object.entries(told))
      expect((counts.get(verdict) ?? 0) >= least, `expected at least ${least} ${verdict} changes of entry ${index}`);
  }
  const begun = new Set(entriesOf(known, "run.requested").map(({ entry }) => entry.run));
  const intents = new Set(
    entriesOf(known, "step.intent").map(({ entry: { run, data } }) =>
      attemptOf(run, data.step, data.direction, data.attempt),
    ),
  );
  for (const { run, step, direction, attempt, entry } of changes)
    if (run !== null && begun.has(run))
      expect(
        intents.has(attemptOf(run, step, direction, attempt)),
        `expected an intent in the log for what ${entry} tells of`,
      );
}

const attemptOf = (...parts: readonly unknown[]) => JSON.stringify(parts);
