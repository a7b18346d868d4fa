import type { Target } from "../http/exchange.ts";

/** One thing that was done to the tenant, or tried. Never holds a secret value. */
export interface Effect {
  /** Position in the log, from 1. */
  seq: number;
  /** Virtual time, RFC 3339. */
  at: string;
  /** Real time, RFC 3339. */
  wall: string;
  op: string;
  /** appId (HTTP) or login role (PostgreSQL) of the caller. */
  caller: string | null;
  /** Hosted workload, or null for a caller from outside. */
  workload: string | null;
  target: Target;
  /** True if the tenant was changed (for `token`: a token was issued; for PostgreSQL: the server did it). */
  effect: boolean;
  /** Status of the answer the vendor would have sent; null if none was made. */
  status: number | string | null;
  /** Vendor's error code, null on success. */
  code: string | null;
  /** What a fault or a hold did to it, e.g. `after-effect:reset`. */
  fault: string | null;
  requestId: string | null;
  clientRequestId: string | null;
  userAgent: string | null;
}

export type EffectInput = Omit<Effect, "seq" | "at" | "wall">;

/** Which entries to read. */
export interface EffectFilter {
  after: number;
  limit: number;
  op: string | null;
  caller: string | null;
  workload: string | null;
  appId: string | null;
  effect: boolean | null;
  /** `outside` leaves hosted workloads out. */
  origin: "all" | "outside" | "workload";
}

const EFFECTS_MAX = 2_000_000;

/** Everything that was done to the tenant, in order. */
export class EffectLog {
  readonly #entries: Effect[] = [];
  readonly #nowMs: () => number;
  readonly #onAppend: () => void;

  constructor(nowMs: () => number, onAppend: () => void) {
    this.#nowMs = nowMs;
    this.#onAppend = onAppend;
  }

  /** Appends at the present virtual time, or at `atMs` for what began earlier in the same stretch. */
  append(input: EffectInput, atMs: number = this.#nowMs()): Effect {
    if (this.#entries.length >= EFFECTS_MAX) {
      throw new RangeError(`effect log: expected at most ${EFFECTS_MAX} entries`);
    }
    const effect: Effect = {
      seq: this.#entries.length + 1,
      at: new Date(atMs).toISOString(),
      wall: new Date().toISOString(),
      ...input,
    };
    this.#entries.push(effect);
    this.#onAppend();
    return effect;
  }

  /** Takes entries from a state file. */
  restore(entries: readonly Effect[]): void {
    this.#entries.push(...entries);
  }

  all(): readonly Effect[] {
    return this.#entries;
  }

  /** Entries after a cursor, oldest first; `next` is the cursor to go on from. */
  read(filter: EffectFilter): { entries: Effect[]; next: number; more: boolean } {
    const entries: Effect[] = [];
    let next = filter.after;
    for (let index = filter.after; index < this.#entries.length; index += 1) {
      const entry = this.#entries[index];
      if (entry === undefined) break;
      if (entries.length >= filter.limit) return { entries, next, more: true };
      next = entry.seq;
      if (matches(entry, filter)) entries.push(entry);
    }
    return { entries, next, more: false };
  }
}

function matches(entry: Effect, filter: EffectFilter): boolean {
  return (
    (filter.op === null || entry.op === filter.op) &&
    (filter.caller === null || entry.caller === filter.caller) &&
    (filter.workload === null || entry.workload === filter.workload) &&
    (filter.appId === null || entry.target.appId === filter.appId) &&
    (filter.effect === null || entry.effect === filter.effect) &&
    (filter.origin === "all" || (filter.origin === "workload") === (entry.workload !== null))
  );
}
