import { setTimeout as delay } from "node:timers/promises";
import { CountersignError } from "@countersign/core";
import type { EngineClock } from "./clock.ts";

/** How often the system's clock is asked whether it is time (real time). */
const pollMs = 30_000;

export interface ClockJob {
  start(): void;
  /** Ends it after the look under way. */
  stop(): Promise<void>;
}

/**
 * Looks again and again in domain time, one look at a time; one that failed is made up for with the next. `nextDue`: when there is
 * something to look at; null: nothing waits for a time.
 */
export function clockJob(options: {
  readonly clock: EngineClock;
  readonly isDue: () => boolean;
  readonly look: () => Promise<void>;
  readonly nextDue: () => number | null;
  /** Told the code of a failure. */
  readonly failed: (error: string) => void;
}): ClockJob {
  const { clock } = options;
  const stopped = new AbortController();
  let looking: Promise<void> | null = null;
  let loop: Promise<void> = Promise.resolve();

  function lookIfDue(): Promise<void> {
    if (looking !== null) return looking;
    if (stopped.signal.aborted || !options.isDue()) return Promise.resolve();
    looking = clock
      .work(options.look)
      .catch((error: unknown) => options.failed(error instanceof CountersignError ? error.code : "unknown"))
      .finally(() => {
        looking = null;
      });
    return looking;
  }

  return {
    start() {
      clock.onTick(lookIfDue);
      clock.nextDue(() => Promise.resolve(options.nextDue()));
      loop = (async () => {
        while (!stopped.signal.aborted) {
          await lookIfDue();
          await delay(pollMs, undefined, { signal: stopped.signal }).catch(() => {});
        }
      })();
    },
    async stop() {
      stopped.abort();
      await loop;
      await looking;
    },
  };
}
