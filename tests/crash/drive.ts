import { setTimeout as delay } from "node:timers/promises";
import { closedStates, type RunState } from "@countersign/core";
import { type AtCrash, readJournal, recoveriesOf, runOf } from "./observe.ts";
import { type CrashPoint, matchFor } from "./points.ts";
import type { Lane } from "./stage/lane.ts";
import type { Row } from "./stage/names.ts";
import { startWorkloads } from "./stage/tenant.ts";

/** What becomes of the request that was stopped when its sender died. */
export type Verdict = "drop" | "land-at-once" | "land-late";

/** What happened around one kill. */
export interface Driven {
  readonly run: string | null;
  readonly reached: boolean;
  /** Real ms from the start of the new process until it had taken the run up; null when nobody had held it. */
  readonly recoveryMs: number | null;
  readonly atCrash: AtCrash | null;
  /** Everything announced of the journal; meaningful without a crash. */
  readonly announced: readonly string[];
  /** Why the run was given up, when it did not end by itself. */
  readonly stuck: string | null;
}

const runDeadlineMs = 90_000;
const recoveryDeadlineMs = 15_000;
const planningSeconds = 5;
const stepSeconds = 1_800;
const stepsMax = 30;

/** Rotates one row from request to end, killing the product at `point` (null: a clean run). */
export async function drive(
  lane: Lane,
  row: Row,
  point: CrashPoint | null,
  verdict: Verdict,
  after: number,
): Promise<Driven> {
  await lane.product.ready;
  await startWorkloads(lane.simulator, row, lane.folder);
  // Each consumer signs in with the old credential once, so that its last use is known.
  await advance(lane, 10);
  const crash = new Crash(lane, row, point, verdict, after);
  await crash.arm();
  let moving: Promise<void> | null = null;
  let steps = 0;
  const deadline = performance.now() + runDeadlineMs;
  const ended = (stuck: string | null, run: string | null): Driven => ({
    run,
    reached: crash.done,
    recoveryMs: crash.recoveryMs,
    atCrash: crash.atCrash,
    announced: [...lane.pauses.seen],
    stuck,
  });
  let run: string | null = null;
  try {
    for (;;) {
      if (performance.now() > deadline) return ended("expected the run to end in time, got none", run);
      if (crash.due) await crash.strike(run);
      if (lane.product.fenced()) await lane.start().ready;
      const row_ = await runOf(lane.server.admin, row.name);
      run = row_?.id ?? null;
      if (moving !== null) {
        // A point that was reached stays so: waiting for it again would be no wait at all.
        await Promise.race([moving, delay(50), ...(crash.done ? [] : [crash.reached])]);
        if (crash.due) continue;
        if (!(await isSettled(moving))) continue;
        moving = null;
      }
      if (row_ === null) {
        await crash.unlessReached(lane.people.request(row.name));
        continue;
      }
      const state = row_.state as RunState;
      if (closedStates.has(state)) break;
      const isPlanning = state === "requested" || state === "planned";
      if (steps >= stepsMax) return ended(`expected the run to end, got ${state}`, run);
      if (state === "awaiting_approval") {
        await crash.unlessReached(approve(lane, row_.id));
        continue;
      }
      if (!isPlanning) steps += 1;
      // Nothing of a plan takes domain time; a pause after an interruption does.
      if (isPlanning) await delay(20);
      moving = advance(lane, isPlanning ? planningSeconds : stepSeconds);
    }
    // Orphans are counted 60 s after they can be seen, and a late request of the dead process has landed by then.
    await advance(lane, 130);
    return ended(null, run);
  } finally {
    await crash.end();
    await moving?.catch(() => {});
  }
}

async function approve(lane: Lane, run: string): Promise<void> {
  // After a crash one of them may have decided already: the state of the run says whether more is needed.
  await lane.people.approve("ada", run, "app-owner").catch(ignoreProblem);
  await lane.people.approve("ben", run, "platform").catch(ignoreProblem);
}

function ignoreProblem(error: unknown): void {
  if (error instanceof Error && error.name === "ProblemError") return;
  throw error;
}

async function advance(lane: Lane, seconds: number): Promise<void> {
  await lane.simulator.post("/clock/advance", { by: seconds, limitMs: 60_000 });
}

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol("pending");
  return (await Promise.race([promise, Promise.resolve(pending)])) !== pending;
}

/** Arms a point, waits for it, kills the product there and starts it again. */
class Crash {
  readonly #lane: Lane;
  readonly #row: Row;
  readonly #point: CrashPoint | null;
  readonly #verdict: Verdict;
  readonly #after: number;
  #held: string | null = null;
  #told: () => void = () => {};
  #due = false;
  done = false;
  recoveryMs: number | null = null;
  atCrash: AtCrash | null = null;
  /** Resolves when the product stands at the point. */
  readonly reached: Promise<void>;

  constructor(lane: Lane, row: Row, point: CrashPoint | null, verdict: Verdict, after: number) {
    this.#lane = lane;
    this.#row = row;
    this.#point = point;
    this.#verdict = verdict;
    this.#after = after;
    this.reached = new Promise((resolve) => {
      this.#told = resolve;
    });
  }

  /** The product stands at the point and has not been killed yet. */
  get due(): boolean {
    return this.#due && !this.done;
  }

  async arm(): Promise<void> {
    const at = this.#point?.at;
    const reached = () => {
      // Dead at once: from an answer that has left on, every millisecond is one in which the product goes on.
      this.#due = true;
      void this.#lane.product.kill();
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
      const stop =
        at === undefined
          ? null
          : { position: at.position, call: at.call.replaceAll("{row}", this.#row.name), nth: at.nth };
      this.#lane.pauses.listen(stop, reached);
    }
  }

  /** Waits for a call to the API that a crash may cut off. */
  async unlessReached(call: Promise<unknown>): Promise<void> {
    try {
      await call;
    } catch (error) {
      // The product dies between the last byte it sent and the announcement that it is to die.
      await Promise.race([this.reached, delay(500)]);
      if (!this.due && !this.#lane.product.fenced()) throw error;
    }
  }

  /** Kills, notes what the journal says at that moment, and starts the product again. */
  async strike(run: string | null): Promise<void> {
    const lane = this.#lane;
    await lane.clock.freeze();
    await lane.product.kill();
    this.done = true;
    lane.pauses.release();
    const id = run ?? (await runOf(lane.server.admin, this.#row.name))?.id ?? null;
    const journal = id === null ? null : await readJournal(lane.server.admin, id);
    this.atCrash = { journal, effects: await lane.simulator.effects(this.#after), holder: journal?.worker ?? null };
    if (this.#verdict === "land-at-once") await this.#decide("release");
    if (this.#verdict === "drop") await this.#decide("drop");
    const product = lane.start();
    await product.ready;
    if (journal !== null && journal.worker !== null) {
      const known = journal.entries.filter(({ type }) => type === "recovery.started").length;
      await this.#untilTakenUp(journal.run, known, product.startedAt);
    }
    await this.#decide("release");
    await lane.clock.thaw();
  }

  async #untilTakenUp(run: string, known: number, startedAt: number): Promise<void> {
    for (;;) {
      const taken = (await recoveriesOf(this.#lane.server.admin, run)) > known;
      this.recoveryMs = performance.now() - startedAt;
      if (taken || this.recoveryMs > recoveryDeadlineMs) return;
      await delay(20);
    }
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
    await this.#lane.simulator.clear();
    await this.#lane.clock.thaw();
  }
}
