import { type History, type Outside, type RunHistory, type Violation, violationsOf } from "@countersign/core";
import type { Store } from "../store/index.ts";
import { type HistorySource, readHistory } from "./read.ts";

/** What the check of the invariants found. */
export interface Checked {
  /** How many runs were judged. */
  readonly runs: number;
  readonly violations: readonly Violation[];
}

/** What is judged, and by whose word. */
export interface CheckOptions {
  readonly now: number;
  /** Every open run is judged, and every other that moved since (domain time, ms). */
  readonly since: number;
  /** Where the configuration lets values be written; null: that is not judged. */
  readonly scopes: History["scopes"];
  /** Reads what can be seen outside of these runs; null: nothing is looked at there. */
  readonly look: ((runs: readonly RunHistory[]) => Promise<Outside | null>) | null;
}

/** Runs that are judged together: what two of them did at the same time is seen within a page. */
const pageRuns = 100;

/**
 * Judges an installation's runs by every invariant, from journal, log, locks, ledger and configuration. It changes
 * nothing. Cost grows with the runs that are open or moved, not with history.
 */
export async function checkInvariants(
  source: HistorySource & Pick<Store, "runsToCheck">,
  { now, since, scopes, look }: CheckOptions,
): Promise<Checked> {
  const found = new Map<string, Violation>();
  let runs = 0;
  for (let after: string | undefined = ""; after !== undefined; ) {
    const page: readonly string[] = await source.runsToCheck({ since, after, limit: pageRuns });
    // The first page is judged even when it is empty: the ledger is part of it.
    if (page.length === 0 && after !== "") break;
    const read = await readHistory(source, page, now);
    const outside = look === null ? null : await look(read.runs);
    for (const violation of violationsOf({ ...read, scopes, outside })) found.set(JSON.stringify(violation), violation);
    runs += page.length;
    after = page.at(-1);
  }
  return { runs, violations: [...found.values()] };
}
