import { setTimeout as delay } from "node:timers/promises";
import { CountersignError } from "@countersign/core";
import {
  digestOf,
  EvidenceError,
  type IndexedEntry,
  LIMITS,
  makePopulationBundle,
  type Population,
  parseEntry,
  populationBytes,
  populationOf,
  type ReadChange,
  rangeMarginMs,
  readCheckpointUnverified,
  type SampleWish,
  writeZip,
} from "@countersign/evidence";
import type { AuditChangeRow, CheckpointRow, Store } from "../store/index.ts";
import { treeOf } from "./log-tree.ts";

/** Changes that one list holds at most. */
const changesMax = LIMITS.populationRowsMax;
const pageRows = 5_000;
/** The executor signs the log every second; one that does not run is not waited for longer (real time). */
const checkpointMsMax = 10_000;
const checkpointPollMs = 50;

/** What somebody asks for. */
export interface PopulationAsk {
  /** From then on, ms. */
  readonly from: number;
  /** Until before that, ms. */
  readonly to: number;
  /** How an auditor wants it drawn; null: no sample. */
  readonly sample: SampleWish | null;
  /** The person who asks. */
  readonly by: string;
  /** Domain time, ms. */
  readonly at: number;
}

/** What holds for the installation. */
export interface PopulationTerms {
  readonly origin: string;
  readonly build: string;
  /** Tenants whose logs are to be read. */
  readonly tenants: readonly string[];
  /** How late a directory's entry may come, and how long it is kept. */
  readonly lateMs: number;
  readonly keptMs: number;
}

/**
 * All credential changes and runs of a period as a bundle that proves that none is missing: the list, what was not read, the sample,
 * and every entry of the log from before the period on. That it was given to somebody is itself an entry. Errors: INPUT_INVALID (too
 * much for one bundle), RECORD_UNSIGNED (no checkpoint covers it yet).
 */
export async function populationBundle(store: Store, ask: PopulationAsk, terms: PopulationTerms): Promise<Uint8Array> {
  const iso = (ms: number) => new Date(ms).toISOString();
  const { size } = await store.logHolds(0);
  const later = await store.firstAfter(iso(ask.from - rangeMarginMs));
  const start = Math.max(0, Math.min(later ?? size, size) - 1);
  const changes = await store.auditCounted(start, size, changesMax);
  if (changes === null) throw tooMuch();
  const before = await rangeOf(store, start, size);
  const population = populationOf({
    at: iso(ask.at),
    build: terms.build,
    changes: changes.map(changeOf),
    entries: before.map(indexed(start)),
    from: iso(ask.from),
    log: { origin: terms.origin, size, start },
    sample: ask.sample,
    tenants: terms.tenants.map((name) => ({ keptMs: terms.keptMs, lateMs: terms.lateMs, name })),
    to: iso(ask.to),
  });
  const bytes = populationBytes(population);
  if (bytes.length > LIMITS.populationBytesMax) throw tooMuch();
  const index = await store.populationExport(dataOf(population, bytes, ask.by), ask.at);
  const checkpoint = await checkpointOver(store, index);
  const tree = await treeOf(store, readCheckpointUnverified(Buffer.from(checkpoint.note)));
  const range = [...before, ...(await rangeOf(store, size, checkpoint.size))];
  const [genesis] = await rangeOf(store, 0, 1);
  if (genesis === undefined) throw new CountersignError("LOG_INVALID", "expected a log with a first entry, got none");
  try {
    return writeZip(
      makePopulationBundle({ checkpoint: Buffer.from(checkpoint.note), genesis, population, range, tree }),
    );
  } catch (error) {
    throw error instanceof EvidenceError && error.code === "too-large" ? tooMuch() : error;
  }
}

function tooMuch(): CountersignError {
  return new CountersignError(
    "INPUT_INVALID",
    `expected a period that fits one bundle (${changesMax} changes, ${LIMITS.bundleBytesMax} bytes with the log since then), got a longer one`,
  );
}

function dataOf({ counts, from, to, gaps, sample }: Population, bytes: Uint8Array, by: string) {
  return {
    by,
    changes: counts.changes,
    digest: digestOf(bytes),
    from,
    gaps: gaps.length,
    runs: counts.runs,
    sample: sample === null ? null : { seed: sample.seed, size: sample.size },
    to,
  };
}

const indexed =
  (start: number) =>
  (bytes: Uint8Array, place: number): IndexedEntry => ({ index: start + place, entry: parseEntry(bytes) });

/** Entries of the log from one index until before another, as bytes. */
async function rangeOf(store: Store, from: number, before: number): Promise<Uint8Array[]> {
  const entries: Uint8Array[] = [];
  let bytes = 0;
  while (from + entries.length < before) {
    const page = await store.entries(from + entries.length, Math.min(pageRows, before - from - entries.length));
    if (page.length === 0) break;
    for (const row of page) {
      entries.push(row.entry);
      bytes += row.entry.length;
    }
    if (bytes > LIMITS.bundleBytesMax) throw tooMuch();
  }
  return entries;
}

async function checkpointOver(store: Store, index: number): Promise<CheckpointRow> {
  const until = performance.now() + checkpointMsMax;
  for (;;) {
    const checkpoint = await store.checkpoint();
    if (checkpoint !== null && checkpoint.size > index) return checkpoint;
    if (performance.now() > until)
      throw new CountersignError(
        "RECORD_UNSIGNED",
        "expected the executor to sign the log up to the export, got nothing",
      );
    await delay(checkpointPollMs);
  }
}

function changeOf(row: AuditChangeRow): ReadChange {
  const iso = (ms: number) => new Date(ms).toISOString();
  const { act, actor, actorKind, attempt, because, direction, entry, holder, kind, objectId, runId, step } = row;
  return {
    act,
    actor,
    actorKind,
    at: iso(row.at),
    attempt,
    because,
    credential: row.credential === "" ? null : row.credential,
    direction,
    entry,
    holder,
    kind,
    objectId,
    readAt: iso(row.readAt),
    readIn: row.readIn ?? 0,
    run: runId,
    step,
    tenant: row.tenant,
    verdict: row.verdict,
  };
}
