import { nextCron } from "@countersign/core";

/** A scan that is due: which, and the instant it is named by, the same for every worker. */
export interface DueScan {
  readonly kind: "full" | "delta";
  readonly at: number;
}

/** What came of it. `elsewhere`: another worker does it, or it was done or given up. `too-old`: changes cannot be told any more. */
export type Tried = "done" | "nothing" | "elsewhere" | "failed" | "too-old";

/** A scan that failed, or that another worker may yet leave behind, is looked at again after this, doubling (domain time). */
const againMs = 5 * 60_000;
const againMsMax = 60 * 60_000;
/** Instants of a cron that are stepped over after a long time without scans. */
const stepsMax = 5_000;

/** When to scan. */
export interface Times {
  readonly cron: string;
  readonly zone: string;
  /** How often to ask what has changed since the last whole listing; 0: never. */
  readonly changesEverySeconds: number;
}

/** When the scans of one tenant are due (domain time): whole listings by cron, changes in between. */
export class Schedule {
  readonly #rules: Times;
  /** Cron instants up to here are dealt with. */
  #fullFrom = 0;
  #known: { readonly from: number; readonly next: number | null } | null = null;
  /** The whole listing that has yet to come through. */
  #open: { readonly at: number; readonly notBefore: number; readonly tries: number } | null = null;
  /** When changes were last looked at; null: nobody can tell what has changed, there was no whole listing yet. */
  #changesFrom: number | null = null;

  constructor(rules: Times) {
    this.#rules = rules;
  }

  /** `lastFull`: what the last whole listing that came through was due at; one that was missed since is made up for. */
  begin(now: number, lastFull: number | null, changesKnown: boolean): void {
    this.#fullFrom = Math.min(lastFull ?? now, now);
    this.#changesFrom = changesKnown ? now : null;
  }

  /** What is due now; a whole listing goes first. */
  due(now: number): DueScan | null {
    const instant = this.#lastInstant(now);
    // A newer instant takes the place of one that never came through.
    if (instant !== null && instant > (this.#open?.at ?? 0)) this.#open = { at: instant, notBefore: now, tries: 0 };
    if (this.#open !== null) return this.#open.notBefore <= now ? { kind: "full", at: this.#open.at } : null;
    const changes = this.#nextChanges();
    return changes !== null && changes <= now ? { kind: "delta", at: this.#slot(now) } : null;
  }

  /** Takes note of what came of a scan. `changesKnown`: there are links from which changes can be told. */
  tried(due: DueScan, now: number, result: Tried, changesKnown: boolean): void {
    this.#changesFrom = changesKnown ? now : null;
    if (result === "too-old") this.#open = { at: now, notBefore: now, tries: 0 };
    else if (due.kind === "full") this.#triedFull(due.at, now, result);
  }

  /** The next instant at which something may be due; null: never. */
  next(): number | null {
    const times = [
      this.#open?.notBefore ?? this.#cronAfter(this.#fullFrom),
      this.#open === null ? this.#nextChanges() : null,
    ].filter((time) => time !== null);
    return times.length === 0 ? null : Math.min(...times);
  }

  #triedFull(at: number, now: number, result: Tried): void {
    if (result === "done" || result === "nothing") {
      this.#fullFrom = Math.max(at, this.#fullFrom);
      this.#open = null;
      return;
    }
    const tries = (this.#open?.tries ?? 0) + 1;
    this.#open = { at, tries, notBefore: now + Math.min(againMs * 2 ** (tries - 1), againMsMax) };
  }

  #lastInstant(now: number): number | null {
    let last: number | null = null;
    for (let steps = 0; steps < stepsMax; steps += 1) {
      const next = this.#cronAfter(last ?? this.#fullFrom);
      if (next === null || next > now) return last;
      last = next;
    }
    return now;
  }

  /** Asked at every instant at which anything happens, and the same nearly each time: computed once. */
  #cronAfter(from: number): number | null {
    if (this.#known?.from !== from) this.#known = { from, next: nextCron(this.#rules.cron, this.#rules.zone, from) };
    return this.#known.next;
  }

  #nextChanges(): number | null {
    const everyMs = this.#rules.changesEverySeconds * 1_000;
    return everyMs === 0 || this.#changesFrom === null ? null : this.#slot(this.#changesFrom) + everyMs;
  }

  #slot(now: number): number {
    const everyMs = this.#rules.changesEverySeconds * 1_000;
    return Math.floor(now / everyMs) * everyMs;
  }
}
