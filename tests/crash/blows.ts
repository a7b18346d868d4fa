import { setTimeout as delay } from "node:timers/promises";
import { closedStates, type RunState } from "@countersign/core";
import { type AtCrash, inRecord, readJournal, recoveriesOf, runOf } from "./observe.ts";
import { type CrashPoint, matchFor } from "./points.ts";
import type { Lane } from "./stage/lane.ts";
import type { Row } from "./stage/names.ts";
import { fencedCode, type Product } from "./stage/product.ts";

/** What becomes of the request that was stopped when its sender was struck. */
export const verdicts = ["drop", "land-at-once", "land-late"] as const;
export type Verdict = (typeof verdicts)[number];

/** When a stalled process goes on: another one has taken its run over, has published a value of its own, or is through. */
export const thaws = ["taken-over", "published", "ended"] as const;
export type Thaw = (typeof thaws)[number];

/** One blow: the product dies at a point, or stands still there (SIGSTOP) until its time has come (SIGCONT). */
export interface Blow {
  readonly point: CrashPoint;
  readonly how: "kill" | { readonly thaw: Thaw };
  readonly verdict: Verdict;
}

/** What is known of the blows afterwards. */
export interface Struck {
  /** Every blow was dealt. */
  readonly reached: boolean;
  /**
   * Longest real time until the run was taken up again, ms: from the start of the new process after a kill, from the
   * stall after a stall. Null when nobody had held it.
   */
  readonly recoveryMs: number | null;
  /** How long that may take. */
  readonly recoveryMsMax: number;
  /** At the first blow. */
  readonly atCrash: AtCrash | null;
  /** What a stalled process did wrong once it went on: null when it ended itself, as one does that has lost its lease. */
  readonly unfenced: string | null;
  /** Moments at which the record's newest value did not sign in. */
  readonly deadValues: readonly string[];
  readonly hasStalled: boolean;
}

/** Taking a run up again may take so long after the start of a process on the same host. */
const recoveryMsMax = 5_000;
/** Somebody who looks at the run is given so much longer before it counts as left. */
const graceMs = 10_000;
/** A process that goes on after a stall has ended itself by then. */
const fencedMsMax = 10_000;
/** A run waits for a stalled holder for a day: one that is to go on last goes on after so many steps of time. */
const stallStepsMax = 5;

/** Arms each point in turn, waits for it, deals the blow there and starts the product again. */
export class Blows {
  readonly #lane: Lane;
  readonly #row: Row;
  readonly #left: Blow[];
  readonly #after: number;
  #held: string | null = null;
  #told: () => void = () => {};
  #due = false;
  #done = 0;
  #stalled: { product: Product; thaw: Thaw; held: string | null } | null = null;
  #recoveryMs: number | null = null;
  #recoveryMsMax = recoveryMsMax;
  #atCrash: AtCrash | null = null;
  #unfenced: string | null = null;
  readonly #dead: string[] = [];
  readonly #stalls: boolean;
  /** Resolves when the product stands at the next point. */
  reached: Promise<void> = Promise.resolve();

  constructor(lane: Lane, row: Row, blows: readonly Blow[], after: number) {
    this.#lane = lane;
    this.#row = row;
    this.#left = [...blows];
    this.#after = after;
    this.#stalls = blows.some(({ how }) => how !== "kill");
  }

  get hasStalled(): boolean {
    return this.#stalls && this.#done > 0;
  }

  /** The product stands at a point and has not been struck yet. */
  get due(): boolean {
    return this.#due;
  }

  /** No point is waited for any more. */
  get done(): boolean {
    return this.#left.length === 0;
  }

  struck(): Struck {
    return {
      reached: this.done && this.#done > 0,
      recoveryMs: this.#recoveryMs,
      recoveryMsMax: this.#recoveryMsMax,
      atCrash: this.#atCrash,
      unfenced: this.#unfenced,
      deadValues: this.#dead,
      hasStalled: this.hasStalled,
    };
  }

  async arm(): Promise<void> {
    const blow = this.#left[0];
    const at = blow?.point.at;
    this.reached = new Promise((resolve) => {
      this.#told = resolve;
    });
    const { product } = this.#lane;
    const reached = () => {
      // At once: from an answer that has left on, every millisecond is one in which the product goes on.
      this.#due = true;
      if (blow?.how === "kill") void product.kill();
      else product.stall();
      void this.#lane.clock.freeze();
      this.#told();
    };
    if (at?.kind === "call") {
      this.#lane.pauses.listen(null, () => {});
      this.#lane.listenToHolds((event) => {
        if (this.#due) return;
        this.#held = event.held ? event.id : null;
        reached();
      });
      await this.#lane.simulator.post("/holds", {
        op: at.shape.op,
        nth: at.nth,
        match: matchFor(at.shape, this.#row, this.#lane.directory),
        position: at.position,
      });
    } else {
      this.#lane.listenToHolds(() => {});
      const stop =
        at === undefined
          ? null
          : { position: at.position, call: at.call.replaceAll("{row}", this.#row.name), nth: at.nth };
      this.#lane.pauses.listen(stop, reached);
    }
  }

  /** Waits for a call to the API that a blow may cut off. */
  async unlessReached(call: Promise<unknown>): Promise<void> {
    const settled = call.then(
      () => null,
      (error: unknown) => ({ error }),
    );
    // A process that stands still answers nobody: whoever waits for it goes on, too.
    const failed = await Promise.race([settled, ...(this.done ? [] : [this.reached.then(() => null)])]);
    if (failed === null) return;
    // The product dies between the last byte it sent and the announcement that it is to die.
    await Promise.race([this.reached, delay(500)]);
    if (!this.due && !this.#lane.product.fenced()) throw failed.error;
  }

  /** Deals the blow, notes what the journal says at that moment, and starts the product again. */
  async strike(run: string | null): Promise<void> {
    const lane = this.#lane;
    const blow = this.#left.shift();
    if (blow === undefined) return;
    const struckAt = performance.now();
    await lane.clock.freeze();
    const before = lane.product;
    if (blow.how === "kill") await before.kill();
    else before.stall();
    this.#due = false;
    this.#done += 1;
    lane.pauses.release();
    const id = run ?? (await runOf(lane.server.admin, this.#row.name))?.id ?? null;
    const journal = id === null ? null : await readJournal(lane.server.admin, id);
    this.#atCrash ??= { journal, effects: await lane.simulator.effects(this.#after), holder: journal?.worker ?? null };
    if (blow.verdict === "land-at-once") await this.#decide("release");
    if (blow.verdict === "drop") await this.#decide("drop");
    if (blow.how !== "kill") {
      await lane.clock.standInFor(await lane.clock.others());
      this.#stalled = { product: before, thaw: blow.how.thaw, held: this.#held };
      this.#held = null;
    }
    // The next point is one of the recovery itself: it counts from the start of the next process.
    const product = lane.start();
    await this.arm();
    await Promise.race([lane.untilReady(), this.reached]);
    if (journal !== null && journal.worker !== null) {
      const known = journal.entries.filter(({ type }) => type === "recovery.started").length;
      const { leaseMs, callDeadlineMs } = lane.liveness;
      const patienceMs = blow.how === "kill" ? 0 : leaseMs + callDeadlineMs;
      this.#recoveryMsMax = Math.max(this.#recoveryMsMax, patienceMs + recoveryMsMax);
      await this.#untilTakenUp(journal.run, known, blow.how === "kill" ? product.startedAt : struckAt, patienceMs);
    }
    await this.#decide("release");
    await lane.clock.thaw();
  }

  async #untilTakenUp(run: string, known: number, from: number, patienceMs: number): Promise<void> {
    for (;;) {
      const taken = (await recoveriesOf(this.#lane.server.admin, run)) > known;
      const ms = performance.now() - from;
      if (taken || this.#due || ms > patienceMs + recoveryMsMax + graceMs) {
        this.#recoveryMs = Math.max(this.#recoveryMs ?? 0, ms);
        return;
      }
      await delay(50);
    }
  }

  /** Lets a stalled process go on once it is time. */
  async thawIfTime(state: RunState | null, steps: number): Promise<void> {
    const thaw = this.#stalled?.thaw;
    if (thaw === undefined || state === null) return;
    const isPublished = state !== "executing" && state !== "approved" && state !== "scheduled";
    const isEnded = closedStates.has(state) || steps >= stallStepsMax;
    if (thaw === "taken-over" || (thaw === "published" && isPublished) || isEnded) await this.thaw();
  }

  /** SIGCONT: what the stalled process had sent lands at the latest now, and the process must end itself. */
  async thaw(): Promise<void> {
    const stalled = this.#stalled;
    if (stalled === null) return;
    this.#stalled = null;
    await this.#noteValue("before the stalled process went on");
    this.#held = stalled.held;
    await this.#decide("release");
    stalled.product.go();
    const code = await Promise.race([stalled.product.ended, delay(fencedMsMax, "still running")]);
    if (code !== fencedCode) {
      this.#unfenced = `expected the stalled process to end itself with ${fencedCode}, got ${code ?? "a signal"}`;
      await stalled.product.kill();
    }
    await this.#lane.clock.standInFor([]);
    await this.#noteValue("when the stalled process had gone on");
  }

  async #noteValue(when: string): Promise<void> {
    if ((await inRecord(this.#lane, this.#row)) === null) this.#dead.push(when);
  }

  async #decide(verdict: "release" | "drop"): Promise<void> {
    const id = this.#held;
    this.#held = null;
    // It may have ended with its connection by itself.
    if (id !== null) await this.#lane.simulator.post(`/holds/${id}/${verdict}`, {}).catch(() => {});
  }

  async end(): Promise<void> {
    this.#lane.listenToHolds(() => {});
    this.#lane.pauses.listen(null, () => {});
    this.#lane.pauses.release();
    if (this.#stalled !== null) await this.#stalled.product.kill();
    await this.#lane.simulator.clear();
    await this.#lane.clock.standInFor([]);
    await this.#lane.clock.thaw();
  }
}
