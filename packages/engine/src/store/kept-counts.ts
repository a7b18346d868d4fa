import type { LedgerCount, LedgerView } from "./ledger-store.ts";
import type { Store } from "./store.ts";

/** Searches of which counts are kept at the same time. */
const keptMax = 200;
/** A connection that has died without a word hears nothing: no count is older (real time). */
const ageMsMax = 20_000;

interface Kept {
  readonly counts: readonly LedgerCount[];
  /** Domain time: from when until before when they hold. */
  readonly from: number;
  readonly until: number;
  /** Real time. */
  readonly readAt: number;
}

/** Counts of the ledger by what is searched, from memory where nothing has changed since. */
export interface KeptCounts {
  ledgerCounts(view: LedgerView): Promise<readonly LedgerCount[]>;
  stop(): Promise<void>;
}

/**
 * Keeps what {@link Store.ledgerCounts} gave until the ledger is written (each commit says so), or until time alone would
 * change one of the counts. Filters do not narrow them, so choosing one counts nothing anew.
 */
export async function keepLedgerCounts(
  store: Pick<Store, "ledgerCounts" | "ledgerTurn" | "listen">,
): Promise<KeptCounts> {
  const kept = new Map<string, Kept>();
  let writes = 0;
  const stop = await store.listen("cs_ledger", () => {
    writes += 1;
    kept.clear();
  });
  return {
    async ledgerCounts(view) {
      const key = JSON.stringify([view.filter.search ?? null, view.filter.state === "retired", view.managed]);
      const found = kept.get(key);
      const isFresh = found !== undefined && performance.now() - found.readAt < ageMsMax;
      if (isFresh && found.from <= view.now && view.now < found.until) return found.counts;
      const [before, readAt] = [writes, performance.now()];
      const [counts, turn] = await Promise.all([store.ledgerCounts(view), store.ledgerTurn(view.now)]);
      // Written while we counted: these may be of before or of after.
      if (before === writes) {
        if (kept.size >= keptMax) kept.clear();
        kept.set(key, { counts, from: view.now, until: turn ?? Number.POSITIVE_INFINITY, readAt });
      }
      return counts;
    },
    stop: async () => {
      kept.clear();
      await stop();
    },
  };
}
