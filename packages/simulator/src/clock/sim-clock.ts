/** One change of the virtual clock, as sent on `/clock/stream`. */
export interface Tick {
  /** Virtual time, milliseconds since the epoch. */
  nowMs: number;
  /** Counts broadcasts, from 1; an idle report names the tick it answers. */
  seq: number;
}

/** The virtual clock: it moves only when told to. */
export class SimClock {
  #nowMs: number;
  #seq = 1;
  readonly #listeners = new Set<(tick: Tick) => void>();

  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  /** Virtual time, milliseconds since the epoch. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Number of the last broadcast. */
  get seq(): number {
    return this.#seq;
  }

  /** Moves to a later time without telling anybody: workload events inside one stretch. */
  moveTo(ms: number): void {
    if (ms < this.#nowMs) throw new RangeError(`clock: expected a time >= ${this.#nowMs}, got ${ms}`);
    this.#nowMs = ms;
  }

  /** Tells every listener the present time under a new number. */
  broadcast(): Tick {
    this.#seq += 1;
    const tick = { nowMs: this.#nowMs, seq: this.#seq };
    for (const listener of this.#listeners) listener(tick);
    return tick;
  }

  /** Hears every broadcast; returns the function that stops it. */
  subscribe(listener: (tick: Tick) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
