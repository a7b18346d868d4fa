import type { EngineClock } from "../clock/clock.ts";
import { type ClockJob, clockJob } from "../clock/job.ts";
import type { Store } from "../store/index.ts";

/**
 * Ends acceptances whose date has passed, with an entry each. What counts as accepted does not wait for it: that is asked of
 * the date itself.
 */
export function createAcceptanceEnd(options: {
  readonly store: Pick<Store, "acceptancesExpire" | "acceptanceNextEnd">;
  readonly clock: EngineClock;
  /** LOG_BEHIND: the database is older than this host has seen, and nothing is written into its log. */
  readonly assertNotBehind: () => Promise<void>;
  readonly log: (event: string, facts?: Readonly<Record<string, unknown>>) => void;
}): ClockJob {
  const { store, clock } = options;
  let next: number | null = null;
  return clockJob({
    clock,
    isDue: () => true,
    async look() {
      next = await store.acceptanceNextEnd();
      if (next === null || next > clock.now()) return;
      // Until it comes through it is tried again with the next look, and nobody waits for a time that has passed.
      next = null;
      await options.assertNotBehind();
      options.log("acceptance.expired", { ended: await store.acceptancesExpire(clock.now()) });
      next = await store.acceptanceNextEnd();
    },
    nextDue: () => next,
    failed: (error) => options.log("acceptances.failed", { error }),
  });
}
