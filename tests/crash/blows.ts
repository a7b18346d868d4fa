import { setTimeout as delay } from "node:timers/promises";
import { closedStates, type RunState } from "@countersign/core";
import { z } from "zod";
import { type AtCrash, inRecord, readJournal, recoveriesOf, runsOf } from "./observe.ts";
import { type CrashPoint, matchFor } from "./points.ts";
import { effectsOf } from "./stage/effects.ts";
import type { Lane } from "./stage/lane.ts";
import type { Row } from "./stage/names.ts";
import type { Stop } from "./stage/pauses.ts";
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

/** A row whose run is struck. Several may stand at their points when one blow comes; one alone is struck again. */
export interface Target {
  readonly row: Row;
  readonly blows: readonly Blow[];
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
/** In these states a run has published nothing. */
const unpublished: ReadonlySet<RunState> = new Set<RunState>(["executing", "approved", "scheduled"]);
/** Those that stand at an outside call wait for the others for this share of its deadline. */
const patience = 0.7;
/** An answer that was let go has left by then. */
const answerMsMax = 2_000;

const Armed = z.looseObject({ id: z.string() });

/** One row's part in the blows. */
interface Mark {
  readonly row: Row;
  readonly left: Blow[];
  readonly rules: string[];
  run: string | null;
  /** It stands at its point. */
  stands: boolean;
  /** Id of its request that a hold has stopped. */
  held: string | null;
  /** Resolves when the answer that was let go has left. */
  answered: Promise<void>;
  done: number;
  recoveryMs: number | null;
  recoveryMsMax: number;
  atCrash: AtCrash | null;
  /** How often its run had been taken up before the latest blow; null: nobody held it then. */
  takenBefore: number | null;
  readonly deadValues: string[];
}

/** Arms each point in turn, waits until all stand, deals the blow there and starts the product again. */
export class Blows {
  readonly #lane: Lane;
  readonly #marks: readonly Mark[];
  readonly #after: number;
  readonly #stalls: boolean;
  #told: () => void = () => {};
  #due = false;
  #falling = false;
  #over = false;
  #waiting: NodeJS.Timeout | null = null;
  #stalled: { product: Product; thaw: Thaw; held: readonly (string | null)[] } | null = null;
  #unfenced: string | null = null;
  /** Resolves when the product stands at the next points. */
  reached: Promise<void> = Promise.resolve();

  constructor(lane: Lane, targets: readonly Target[], after: number) {
    this.#lane = lane;
    this.#after = after;
    this.#marks = targets.map(({ row, blows }) => ({
      row,
      left: [...blows],
      rules: [],
      run: null,
      stands: false,
      held: null,
      answered: Promise.resolve(),
      done: 0,
      recoveryMs: null,
      recoveryMsMax,
      atCrash: null,
      takenBefore: null,
      deadValues: [],
    }));
    this.#stalls = targets.some(({ blows }) => blows.some(({ how }) => how !== "kill"));
    const hows = new Set(targets.flatMap(({ blows }) => blows.map(({ how }) => JSON.stringify(how))));
    if (hows.size > 1) throw new RangeError(`expected one sort of blow for all, got ${[...hows].join(", ")}`);
  }

  get hasStalled(): boolean {
    return this.#stalls && this.#marks.some(({ done }) => done > 0);
  }

  /** The product stands at its points and has not been struck yet. */
  get due(): boolean {
    return this.#due;
  }

  /** No point is waited for any more. */
  get done(): boolean {
    return this.#over || this.#marks.every(({ left }) => left.length === 0);
  }

  struck(row: Row): Struck {
    const mark = this.#marks.find((one) => one.row === row);
    if (mark === undefined) throw new RangeError(`expected a row of this group, got ${row.name}`);
    return {
      reached: mark.left.length === 0 && mark.done > 0,
      recoveryMs: mark.recoveryMs,
      recoveryMsMax: mark.recoveryMsMax,
      atCrash: mark.atCrash,
      unfenced: this.#unfenced,
      deadValues: mark.deadValues,
      hasStalled: this.hasStalled,
    };
  }

  /** The run of a row, as soon as it is known: its announcements are told from others' by it. */
  runIs(row: Row, run: string): void {
    for (const mark of this.#marks) if (mark.row === row) mark.run = run;
  }

  async arm(): Promise<void> {
    this.reached = new Promise((resolve) => {
      this.#told = resolve;
    });
    const armed = this.#marks.filter(({ left }) => left.length > 0);
    const hearing = new Map<string, (event: { id: string; held: boolean }) => void>();
    this.#lane.listenToHolds((event) => hearing.get(event.rule)?.(event));
    const stops: Stop[] = [];
    for (const mark of armed) {
      const at = mark.left[0]?.point.at;
      mark.stands = false;
      mark.answered = Promise.resolve();
      if (at?.kind !== "journal") continue;
      const { position, nth } = at;
      const call = at.call.replaceAll("{row}", mark.row.name);
      stops.push({ run: () => mark.run, call, position, nth, reached: () => this.#stands(mark, null) });
    }
    this.#lane.pauses.listen(stops);
    for (const mark of armed) {
      const at = mark.left[0]?.point.at;
      if (at?.kind !== "call") continue;
      const hold = async (position: string) => {
        const match = matchFor(at.shape, mark.row, this.#lane.directory);
        const body = { op: at.shape.op, nth: at.nth, match, position };
        const { id } = Armed.parse(await this.#lane.simulator.post("/holds", body));
        mark.rules.push(id);
        return id;
      };
      // Nobody can hold an answer that has left: the request stands before it, until everybody else stands, too.
      if (at.position === "after-answer") {
        const announced = await hold("after-answer");
        mark.answered = new Promise((resolve) => hearing.set(announced, () => resolve()));
      }
      const id = await hold(at.position === "after-answer" ? "after-effect" : at.position);
      hearing.set(id, (event) => this.#stands(mark, event.id));
    }
  }

  #stands(mark: Mark, held: string | null): void {
    if (this.#due || this.#over) return;
    mark.stands = true;
    mark.held = held;
    const waited = this.#marks.filter(({ left }) => left.length > 0);
    if (waited.every(({ stands }) => stands)) void this.#fall();
    else this.#waiting ??= setTimeout(() => void this.#fall(), this.#lane.liveness.callDeadlineMs * patience);
  }

  /** At once: from an answer that has left on, every millisecond is one in which the product goes on. */
  async #fall(): Promise<void> {
    if (this.#waiting !== null) clearTimeout(this.#waiting);
    this.#waiting = null;
    if (this.#falling) return;
    this.#falling = true;
    const struck = this.#marks.filter(({ stands }) => stands);
    const answering = struck.filter(({ left }) => {
      const at = left[0]?.point.at;
      return at?.kind === "call" && at.position === "after-answer";
    });
    const letGo = answering.map((mark) => this.#decide(mark, "release"));
    // Now or never: one that is not heard of was cut before, and is not struck where it should be.
    if (answering.length > 0)
      await Promise.race([Promise.all(answering.map(({ answered }) => answered)), delay(answerMsMax)]);
    this.#due = true;
    const { product } = this.#lane;
    if (this.#stalls) product.stall();
    else void product.kill();
    void this.#lane.clock.freeze();
    await Promise.all(letGo);
    this.#told();
  }

  /** Waits for calls to the API that a blow may cut off. */
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
  async strike(): Promise<void> {
    const lane = this.#lane;
    const struckAt = performance.now();
    await lane.clock.freeze();
    const before = lane.product;
    if (this.#stalls) before.stall();
    else await before.kill();
    const struck = this.#marks.filter(({ stands }) => stands);
    const blows = new Map(struck.flatMap((mark) => mark.left.splice(0, 1).map((blow) => [mark, blow] as const)));
    const [first] = blows.values();
    // One that did not stand in time is tried again by itself.
    if (struck.length < this.#marks.length) this.#over = true;
    for (const id of this.#marks.flatMap(({ rules }) => rules.splice(0))) await lane.simulator.delete(`/holds/${id}`);
    lane.pauses.release();
    await this.#note(struck);
    for (const [mark, { verdict }] of blows) {
      mark.stands = false;
      mark.done += 1;
      if (verdict === "land-at-once") await this.#decide(mark, "release");
      if (verdict === "drop") await this.#decide(mark, "drop");
    }
    const how = first?.how ?? "kill";
    if (how !== "kill") {
      await lane.clock.standInFor(await lane.clock.others());
      this.#stalled = { product: before, thaw: how.thaw, held: struck.map(({ held }) => held) };
      for (const mark of struck) mark.held = null;
    }
    // The next point is one of the recovery itself: it counts from the start of the next process.
    const product = lane.start();
    this.#due = false;
    this.#falling = false;
    if (this.#over) this.#hearNothing();
    else await this.arm();
    const { leaseMs, callDeadlineMs } = lane.liveness;
    const isKill = how === "kill";
    // A process takes up what was left before it says that it is ready.
    await Promise.all([
      Promise.race([lane.untilReady(), ...(this.done ? [] : [this.reached])]),
      this.#untilTakenUp(struck, isKill ? product.startedAt : struckAt, isKill ? 0 : leaseMs + callDeadlineMs),
    ]);
    for (const mark of struck) if (!mark.stands) await this.#decide(mark, "release");
    await lane.clock.thaw();
  }

  /** What journal and tenant say at the moment of a blow; the first one is kept. */
  async #note(struck: readonly Mark[]): Promise<void> {
    const { server, simulator, directory } = this.#lane;
    const effects = await simulator.effects(this.#after);
    const runs = await runsOf(
      server.admin,
      struck.map(({ row }) => row),
    );
    for (const mark of struck) {
      mark.run ??= runs.get(mark.row.name)?.id ?? null;
      const journal = mark.run === null ? null : await readJournal(server.admin, mark.run);
      const isHeld = journal !== null && journal.worker !== null;
      mark.takenBefore = isHeld ? journal.entries.filter(({ type }) => type === "recovery.started").length : null;
      mark.atCrash ??= { journal, effects: effectsOf(effects, mark.row, directory), holder: journal?.worker ?? null };
    }
  }

  async #untilTakenUp(struck: readonly Mark[], from: number, patienceMs: number): Promise<void> {
    const left = new Set(struck.filter(({ takenBefore }) => takenBefore !== null));
    const msMax = patienceMs + recoveryMsMax;
    while (left.size > 0) {
      const runs = [...left].map(({ run }) => run ?? "");
      const taken = await recoveriesOf(this.#lane.server.admin, runs);
      const ms = performance.now() - from;
      for (const mark of left) {
        const isTaken = (taken.get(mark.run ?? "") ?? 0) > (mark.takenBefore ?? 0);
        if (!isTaken && !this.#due && ms <= msMax + graceMs) continue;
        mark.recoveryMs = Math.max(mark.recoveryMs ?? 0, ms);
        mark.recoveryMsMax = Math.max(mark.recoveryMsMax, msMax);
        left.delete(mark);
      }
      if (left.size > 0) await delay(50);
    }
  }

  /** Lets a stalled process go on once it is time for every run. */
  async thawIfTime(states: readonly (RunState | null)[], steps: number): Promise<void> {
    const thaw = this.#stalled?.thaw;
    if (thaw === undefined) return;
    const isTime = (state: RunState | null) =>
      state !== null && ((thaw === "published" && !unpublished.has(state)) || closedStates.has(state));
    if (thaw === "taken-over" || steps >= stallStepsMax || states.every(isTime)) await this.thaw();
  }

  /** SIGCONT: what the stalled process had sent lands at the latest now, and the process must end itself. */
  async thaw(): Promise<void> {
    const stalled = this.#stalled;
    if (stalled === null) return;
    this.#stalled = null;
    await this.#noteValue("before the stalled process went on");
    for (const held of stalled.held) await this.#decideRequest(held, "release");
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
    for (const { row, deadValues } of this.#marks)
      if ((await inRecord(this.#lane, row)) === null) deadValues.push(when);
  }

  #decide(mark: Mark, verdict: "release" | "drop"): Promise<void> {
    const id = mark.held;
    mark.held = null;
    return this.#decideRequest(id, verdict);
  }

  async #decideRequest(id: string | null, verdict: "release" | "drop"): Promise<void> {
    // It may have ended with its connection by itself.
    if (id !== null) await this.#lane.simulator.post(`/holds/${id}/${verdict}`, {}).catch(() => {});
  }

  #hearNothing(): void {
    this.#lane.listenToHolds(() => {});
    this.#lane.pauses.listen([]);
  }

  async end(): Promise<void> {
    this.#over = true;
    if (this.#waiting !== null) clearTimeout(this.#waiting);
    this.#hearNothing();
    this.#lane.pauses.release();
    if (this.#stalled !== null) await this.#stalled.product.kill();
    await this.#lane.simulator.clear();
    await this.#lane.clock.standInFor([]);
    await this.#lane.clock.thaw();
  }
}
