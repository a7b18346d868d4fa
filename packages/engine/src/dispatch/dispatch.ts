/**
 * Brings runs to workers. A job says "run R may be due" and nothing else: it carries no authority and no data. It may come
 * twice, late, never, or from somebody who should not have sent it; the claim on the run's row decides, and the sweep over
 * `not_before` offers again what was lost.
 */
export interface Dispatch {
  /** Offers runs, together, to whoever has room. Offering one that already waits does nothing. */
  offer(runs: readonly string[]): Promise<void>;
  /** Calls `handler` with offered runs, at most `inFlightMax` at a time in this process. What it throws goes to `onError`. */
  work(handler: (run: string) => Promise<void>, options: { readonly inFlightMax: number }): Promise<void>;
  /** Takes no further jobs and waits for the handlers that run. */
  stop(): Promise<void>;
}
