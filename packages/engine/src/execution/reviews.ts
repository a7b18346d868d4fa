import type { EngineClock } from "../clock/clock.ts";
import type { BreakGlassRow, Store } from "../store/index.ts";

/** An overdue review is told again this often (domain time). */
const againMs = 24 * 60 * 60_000;

/**
 * Tells that the review of a break-glass use is overdue, and says it again each day until somebody has accepted it.
 * Meanwhile the application stays locked for everything that would begin by itself.
 */
export function createReviews(options: { readonly store: Store; readonly clock: EngineClock }): {
  look(): Promise<void>;
  /** When the next word is due (domain time); null: no use waits. */
  nextDue(): Promise<number | null>;
} {
  const { store, clock } = options;
  /** How often each was told, as far as this process knows; the outbox takes each key once. */
  const told = new Map<string, number>();

  const dueAt = (use: BreakGlassRow) => use.reviewUntil + (told.get(use.runId) ?? 0) * againMs;

  async function tell(use: BreakGlassRow, now: number): Promise<void> {
    const nth = Math.floor((now - use.reviewUntil) / againMs) + 1;
    await store.noticePut({
      run: use.runId,
      kind: "breakglass.review-late",
      channel: "owners",
      key: `${use.runId}:review-late:${nth}`,
      payload: { application: use.targetKey, person: use.person },
      notBefore: now,
      at: now,
    });
    told.set(use.runId, nth);
  }

  return {
    async look() {
      const now = clock.now();
      for (const use of await store.breakGlassUses({ waiting: true })) if (dueAt(use) <= now) await tell(use, now);
    },
    async nextDue() {
      const times = (await store.breakGlassUses({ waiting: true })).map(dueAt);
      return times.length === 0 ? null : Math.min(...times);
    },
  };
}
