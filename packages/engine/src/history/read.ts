import {
  CountersignError,
  type Facts,
  type History,
  type LoggedFact,
  type RunHistory,
  thawPlan,
} from "@countersign/core";
import { parseEntry } from "@countersign/evidence";
import type { Store, StoredHistory } from "../store/index.ts";

/** The part of the store that histories are read from. */
export type HistorySource = Pick<Store, "histories" | "entriesOfNoRun" | "credentials">;

const besideMax = 10_000;
const orphansMax = 1_000;
const pageSize = 50;

/**
 * What is stored about these runs, as the invariants read it. Nothing is believed: a plan whose bytes are not what the digest
 * says is no plan, and nothing here asks the outside.
 */
export async function readHistory(
  source: HistorySource,
  runs: readonly string[],
  now: number,
): Promise<Omit<History, "scopes" | "outside">> {
  const found: RunHistory[] = [];
  for (let from = 0; from < runs.length; from += pageSize)
    found.push(...(await source.histories(runs.slice(from, from + pageSize))).map(runHistory));
  const beside = await source.entriesOfNoRun(["sweep.intent", "sweep.outcome"], besideMax);
  const ledger = await source.credentials({ states: ["orphan", "unknown"], limit: orphansMax });
  return {
    at: now,
    runs: found,
    beside: beside.map(({ idx, entry }) => ({ index: idx, entry: parseEntry(entry) })),
    ledger: ledger.map(({ application, id, state, runId, marker }) => ({ application, id, state, run: runId, marker })),
  };
}

function runHistory(stored: StoredHistory): RunHistory {
  const { run, steps, locks, entries, entryIndexes, holderSilentMs } = stored;
  return {
    id: run.id,
    state: run.state,
    requester: run.requester,
    notBefore: run.notBefore,
    updatedAt: run.updatedAt,
    planDigest: run.planDigest,
    plan: planOf(stored),
    holder: run.worker === null ? null : { worker: run.worker, lostForMs: holderSilentMs ?? Number.POSITIVE_INFINITY },
    steps: steps.map((row) => ({
      ...row,
      objectIds: row.outcomeData?.objectIds ?? {},
      facts: (row.outcomeData?.facts ?? {}) as Facts,
      verified: row.outcomeData?.verified ?? null,
    })),
    entries: entries.map((bytes, i): LoggedFact => ({ index: entryIndexes[i] ?? 0, entry: parseEntry(bytes) })),
    locks: locks.map(({ key, held }) => ({ key, held })),
  };
}

function planOf({ run, plan }: StoredHistory): RunHistory["plan"] {
  if (run.planDigest === null || plan === null) return null;
  try {
    return thawPlan(plan, run.planDigest).plan;
  } catch (error) {
    if (error instanceof CountersignError) return null;
    throw error;
  }
}
