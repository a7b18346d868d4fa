import { nextCron } from "@countersign/core";
import type { ScanStand } from "../store/index.ts";

/** A scan that is due: which, and the instant it is named by, the same for every worker. */
export interface DueScan {
  readonly kind: "full" | "delta" | "details";
  readonly at: number;
}

/**
 * What came of it. `elsewhere`: another worker does a scan of this tenant, or this one was done or given up. `too-old`: changes
 * cannot be told any more.
 */
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

/** Something that has yet to come through. */
interface Open {
  readonly at: number;
  readonly notBefore: number;
  readonly tries: number;
}

/**
 * When the scans of one tenant are due (domain time): whole listings by cron and when a person asks, changes in between, and the
 * second pass that either asks for.
 */
export class Schedule {
  readonly #rules: Times;
  /** Cron instants up to here are dealt with. */
  #fullFrom = 0;
  /** What the last whole listing that came through was due at. */
  #listed = Number.NEGATIVE_INFINITY;
  #known: { readonly from: number; readonly next: number | null } | null = null;
  /** The whole listing that has yet to come through. */
  #open: Open | null = null;
  #pass: Open | null = null;
  /** Changes are looked at once beside the pace. */
  #wanted: number | null = null;
  /** When changes were last looked at; null: nobody can tell what has changed, there was no whole listing yet. */
  #changesFrom: number | null = null;

  constructor(rules: Times) {
    this.#rules = rules;
  }

  /** From where scans stand: a listing that was missed or asked for since the last is made up for, and a pass that is owed. */
  begin(now: number, stand: ScanStand): void {
    this.#fullFrom = Math.min(stand.lastFull ?? now, now);
    this.#changesFrom = stand.changesKnown ? now : null;
    this.#listed = stand.lastFull ?? Number.NEGATIVE_INFINITY;
    if (stand.asked !== null) this.ask(stand.asked);
    if (stand.pass !== null) this.#pass = { at: stand.pass.since, notBefore: now, tries: 0 };
  }

  /** A person has asked for a whole listing, at this time. */
  ask(at: number): void {
    if (at > Math.max(this.#listed, this.#open?.at ?? this.#listed)) this.#open = { at, notBefore: at, tries: 0 };
  }

  /** Changes are to be looked at now. */
  want(at: number): void {
    this.#wanted = at;
  }

  /** What is due now; a whole listing goes first. */
  due(now: number): DueScan | null {
    const instant = this.#lastInstant(now);
    // A newer instant takes the place of one that never came through.
    if (instant !== null && instant > (this.#open?.at ?? 0)) this.#open = { at: instant, notBefore: now, tries: 0 };
    if (this.#open !== null && this.#open.notBefore <= now) return { kind: "full", at: this.#open.at };
    if (this.#pass !== null && this.#pass.notBefore <= now) return { kind: "details", at: this.#pass.at };
    if (this.#wanted !== null) return { kind: "delta", at: this.#wanted };
    if (this.#open !== null) return null;
    const changes = this.#nextChanges();
    return changes !== null && changes <= now ? { kind: "delta", at: this.#slot(now) } : null;
  }

  /** Takes note of what came of a scan, and of where scans stand after it. */
  tried(due: DueScan, now: number, result: Tried, stand: ScanStand): void {
    if (due.kind === "full") this.#triedFull(due.at, now, result);
    if (due.kind === "delta") this.#wanted = null;
    if (due.kind !== "details") this.#changesFrom = stand.changesKnown ? now : null;
    if (result === "too-old") this.#open = { at: now, notBefore: now, tries: 0 };
    this.#owe(due, now, result, stand);
  }

  /** The next instant at which something may be due; null: never. */
  next(): number | null {
    const times = [
      this.#open?.notBefore ?? this.#cronAfter(this.#fullFrom),
      this.#pass?.notBefore ?? null,
      this.#wanted,
      this.#open === null ? this.#nextChanges() : null,
    ].filter((time) => time !== null);
    return times.length === 0 ? null : Math.min(...times);
  }

  #triedFull(at: number, now: number, result: Tried): void {
    if (result === "done" || result === "nothing") {
      this.#fullFrom = Math.max(at, this.#fullFrom);
      this.#listed = Math.max(at, this.#listed);
      this.#open = null;
      return;
    }
    this.#open = again({ at, tries: this.#open?.tries ?? 0 }, now);
  }

  /** The pass after our own scan is ours to do; that after another worker's is its own, unless it leaves it behind. */
  #owe(due: DueScan, now: number, result: Tried, { pass }: ScanStand): void {
    if (pass === null) this.#pass = null;
    else if (this.#pass?.at !== pass.since)
      this.#pass =
        result === "elsewhere"
          ? again({ at: pass.since, tries: 0 }, now)
          : { at: pass.since, notBefore: now, tries: 0 };
    else if (due.kind === "details") this.#pass = again(this.#pass, now);
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

function again({ at, tries }: Pick<Open, "at" | "tries">, now: number): Open {
  return { at, tries: tries + 1, notBefore: now + Math.min(againMs * 2 ** tries, againMsMax) };
}
