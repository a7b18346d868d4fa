import type { Clock } from "@countersign/core";

/**
 * The Clock port as the engine drives it. Domain time only; leases and deadlines use the monotonic clock.
 *
 * A virtual clock must know when the product has nothing left to do at an instant, so work is counted: code that runs
 * on behalf of a run goes through {@link EngineClock.work}; a `sleep` inside it counts as waiting.
 */
export interface EngineClock extends Clock {
  readonly kind: "system" | "virtual";
  /** Counts `act` as work in progress. */
  work<T>(act: () => Promise<T>): Promise<T>;
  /** Called after domain time has moved; a returned promise counts as work. */
  onTick(listener: () => Promise<void>): void;
  /** Adds a source of the next instant at which something becomes due (ms), null when there is none. */
  nextDue(source: () => Promise<number | null>): void;
  close(): Promise<void>;
}
