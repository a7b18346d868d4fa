import type { Leave } from "./leave.ts";

/** A ceiling on requests in a span of domain time, e.g. 5 per 10 s for sign-in reports. */
export interface Rate {
  readonly requests: number;
  readonly windowMs: number;
}

/**
 * What one tenant may take of one provider: requests in flight, an optional rate, and the pauses that the provider
 * asked for. A pause holds for all callers: the 429 of one is a warning to the others.
 */
export class Budget {
  readonly #inFlightMax: number;
  readonly #rate: Rate | null;
  readonly #sent: number[] = [];
  readonly #waiting: (() => void)[] = [];
  #inFlight = 0;
  #pausedUntil = 0;

  constructor(inFlightMax: number, rate: Rate | null = null) {
    this.#inFlightMax = inFlightMax;
    this.#rate = rate;
  }

  /** Resolves when a request may leave; call the result once it has been answered. */
  async enter(leave: Leave): Promise<() => void> {
    for (;;) {
      leave.signal.throwIfAborted();
      const waitMs = this.#waitMs(leave.clock.now());
      if (waitMs > 0) await leave.clock.sleep(waitMs, leave.signal);
      else if (this.#inFlight >= this.#inFlightMax) await this.#turn(leave.signal);
      else break;
    }
    this.#inFlight += 1;
    if (this.#rate !== null) this.#sent.push(leave.clock.now());
    let open = true;
    return () => {
      if (!open) return;
      open = false;
      this.#inFlight -= 1;
      this.#waiting.shift()?.();
    };
  }

  /** Nobody leaves before domain time `until` (ms). */
  pause(until: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, until);
  }

  /**
   * Honours `x-ms-throttle-limit-percentage` (Graph sends it from 0.8 of the limit on): the nearer the limit, the
   * longer everybody waits, so that the 429 does not come.
   */
  observe(percentage: string | undefined, now: number): void {
    const share = Number(percentage);
    if (percentage === undefined || !(share >= 0.8)) return;
    this.pause(now + Math.min(10_000, Math.round((share - 0.7) * 5_000)));
  }

  #waitMs(now: number): number {
    const paused = this.#pausedUntil - now;
    if (this.#rate === null) return paused;
    while (this.#sent.length > 0 && (this.#sent[0] ?? 0) <= now - this.#rate.windowMs) this.#sent.shift();
    const oldest = this.#sent[this.#sent.length - this.#rate.requests];
    return Math.max(paused, oldest === undefined ? 0 : oldest + this.#rate.windowMs - now);
  }

  #turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const go = () => {
        signal.removeEventListener("abort", stop);
        resolve();
      };
      const stop = () => {
        const place = this.#waiting.indexOf(go);
        if (place >= 0) this.#waiting.splice(place, 1);
        reject(signal.reason as Error);
      };
      signal.addEventListener("abort", stop, { once: true });
      this.#waiting.push(go);
    });
  }
}

/** One budget per key (tenant and provider), made when first asked for. */
export function createBudgets(inFlightMax: number): (key: string, rate?: Rate) => Budget {
  const budgets = new Map<string, Budget>();
  return (key, rate) => {
    let budget = budgets.get(key);
    if (budget === undefined) {
      budget = new Budget(inFlightMax, rate ?? null);
      budgets.set(key, budget);
    }
    return budget;
  };
}
