import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { closedStates, type RunState } from "@countersign/core";
import { check, type Violation } from "./check.ts";
import { judged, laneHistory } from "./judge.ts";
import { observe, runsOf } from "./observe.ts";
import { randomOf } from "./random.ts";
import { searchLane } from "./search-lane.ts";
import { request } from "./stage/by-hand.ts";
import { type Lane, startLane } from "./stage/lane.ts";
import { type Row, rowsOf } from "./stage/names.ts";
import type { Product } from "./stage/product.ts";
import { startWorkloads, stopWorkloads } from "./stage/tenant.ts";

export interface StormOptions {
  readonly seed: number;
  /** The storm goes on until so many processes were killed. */
  readonly kills: number;
  readonly runs: number;
  /** One strike in five stops a process and wakes it later, in place of killing it. */
  readonly stalls: boolean;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface StormReport {
  readonly storm: { readonly runs: number; readonly kills: number; readonly stalls: number };
  readonly crashPoints: readonly string[];
  readonly violations: readonly Violation[];
  /** How the runs ended. */
  readonly ends: Readonly<Record<string, number>>;
  /** How often a run was taken over from a lost executor. */
  readonly takeOvers: number;
  readonly secretsFound: number;
  readonly seconds: number;
}

/** All rows are of one tenant: what a tenant gets of an executor's time would keep most of them waiting. */
const budgets = "budgets: { effectsPerTenantMax: 1000, runsInFlightMax: 1000 }\n";
/** Rows that are requested together; more follow as the storm goes on. */
const waveRows = 40;
/** Between two strikes, once two executors run (real ms). */
const calmMsMax = 600;
const stallShare = 0.2;
/** Two executors with dozens of runs are busy: a beat may be late by a second, and so may an answer. */
const liveness = { leaseMs: 4_000, beatMs: 400, freshMs: 2_000, callDeadlineMs: 3_000, settleMs: 3_000 };
/** A process stands still for so long: beyond lease and call deadline. */
const stallMs = liveness.leaseMs + liveness.callDeadlineMs + 500;
const stepSeconds = 300;
/** When all runs are over, before they are judged. */
const settledSeconds = 130;
const settledMsMax = 120_000;
/** As often as the inventory says: each sign-in of so many programs takes its time. */
const signInEverySeconds = 300;
const endDeadlineMs = 8 * 60_000;

/**
 * Two executors on one database, each struck again and again (SIGKILL; with `stalls` also SIGSTOP and SIGCONT) while many runs are under way.
 * One is always left alone: it takes over what the other has lost.
 */
export async function runStorm(options: StormOptions): Promise<StormReport> {
  const started = performance.now();
  const cache = mkdtempSync(join(tmpdir(), "countersign-storm-"));
  const rows = [
    ...rowsOf("entra-client-secret", Math.ceil((options.runs * 3) / 4)),
    ...rowsOf("postgres-role-password", Math.floor(options.runs / 4)),
  ];
  const lane = await startLane({ seed: options.seed, rows, cache, vary: () => ({ liveness, more: budgets }) });
  try {
    await lane.product.ready;
    await lane.product.end();
    const storm = new Storm(lane, options);
    const counts = await storm.rage(rows);
    options.say(`${counts.kills} kills and ${counts.stalls} stalls; judging ${rows.length} runs`);
    const judged = await judgeAll(lane, rows);
    const search = await searchLane(lane, rows);
    return {
      storm: { runs: rows.length, ...counts },
      crashPoints: rows.map(({ name }) => `storm/${name}`),
      violations: [...judged.violations, ...search.violations],
      ends: judged.ends,
      takeOvers: judged.takeOvers,
      secretsFound: search.found,
      seconds: Math.round((performance.now() - started) / 1_000),
    };
  } finally {
    await lane.stop();
    rmSync(cache, { recursive: true, force: true });
  }
}

/** A process with its name at the clock. */
interface Fighter {
  readonly place: number;
  readonly product: Product;
  readonly client: readonly string[];
}

class Storm {
  readonly #lane: Lane;
  readonly #options: StormOptions;
  readonly #random: () => number;
  #kills = 0;
  #stalls = 0;

  constructor(lane: Lane, options: StormOptions) {
    this.#lane = lane;
    this.#options = options;
    this.#random = randomOf(options.seed);
  }

  /** Strikes until the number is reached, then lets the runs end. */
  async rage(rows: readonly Row[]): Promise<{ kills: number; stalls: number }> {
    const { kills, say, signal } = this.#options;
    const fighters = [await this.#enter(0), await this.#enter(1)] as [Fighter, Fighter];
    const over = new AbortController();
    const time = this.#moveTime(over.signal);
    const waves = Math.ceil(rows.length / waveRows);
    const people = this.#decide(rows, waves, over.signal);
    while (this.#kills < kills && !signal.aborted) {
      await delay(this.#random() * calmMsMax);
      const index = this.#random() < 0.5 ? 0 : 1;
      fighters[index] = await this.#strike(fighters[index]);
      // The other may have ended itself meanwhile: on a short machine its beat can be late.
      const other = 1 - index;
      const left = fighters[other] as Fighter;
      if (left.product.fenced()) fighters[other] = await this.#enter(left.place);
      if (this.#kills % 10 === 0) say(`${this.#kills} kills, ${JSON.stringify(await this.#states())}`);
    }
    await people;
    const deadline = performance.now() + endDeadlineMs;
    for (let looks = 0; ; looks += 1) {
      const states = await this.#states();
      const open = Object.entries(states).filter(([state]) => !closedStates.has(state as RunState));
      const ended = Object.values(states).reduce((sum, n) => sum + n, 0) === rows.length && open.length === 0;
      if (ended || performance.now() > deadline || signal.aborted) break;
      for (const [index, fighter] of fighters.entries())
        if (fighter.product.fenced()) fighters[index] = await this.#enter(fighter.place);
      await this.#decideHeld();
      if (looks % 20 === 0) say(`the storm is over, ${JSON.stringify(states)}`);
      await delay(500);
    }
    over.abort();
    await time;
    // Orphans are counted 60 s after they can be seen.
    await this.#settled(fighters);
    // The last one stands for the product when the bundles are asked for.
    await Promise.all(fighters.map(({ product }) => product.end().catch(() => {})));
    await this.#lane.start().ready;
    return { kills: this.#kills, stalls: this.#stalls };
  }

  /** Moves time once more; an executor that ends itself meanwhile is started again. */
  async #settled(fighters: [Fighter, Fighter]): Promise<void> {
    const deadline = performance.now() + settledMsMax;
    for (;;) {
      try {
        return await advance(this.#lane, settledSeconds);
      } catch (error) {
        if (performance.now() > deadline) throw error;
        this.#options.say(`time stands still: ${error instanceof Error ? error.message : String(error)}`);
        for (const [index, fighter] of fighters.entries())
          if (fighter.product.fenced()) fighters[index] = await this.#enter(fighter.place);
      }
    }
  }

  async #enter(place: number): Promise<Fighter> {
    const before = await this.#lane.clock.others();
    let product = this.#lane.launch(place);
    while (!(await isReady(product))) product = this.#lane.launch(place);
    const client = (await this.#lane.clock.others()).filter((name) => !before.includes(name));
    return { place, product, client };
  }

  async #strike(fighter: Fighter): Promise<Fighter> {
    if (!this.#options.stalls || this.#random() >= stallShare) {
      this.#kills += 1;
      await fighter.product.kill();
      return this.#enter(fighter.place);
    }
    this.#stalls += 1;
    fighter.product.stall();
    await this.#lane.clock.standInFor(fighter.client);
    await delay(stallMs);
    fighter.product.go();
    // It finds its lease gone and ends itself; where nobody had to take over, it may also go on.
    const code = await Promise.race([fighter.product.ended, delay(1_000, "runs")]);
    await this.#lane.clock.standInFor([]);
    return code === "runs" ? fighter : this.#enter(fighter.place);
  }

  /** Requests wave after wave as the storm goes on, and approves what is planned. */
  async #decide(rows: readonly Row[], waves: number, over: AbortSignal): Promise<void> {
    const { kills } = this.#options;
    let requested = 0;
    while (!over.aborted && !this.#options.signal.aborted) {
      const due = Math.min(rows.length, (1 + Math.floor((this.#kills / kills) * waves)) * waveRows);
      const wave = rows.slice(requested, due);
      requested += wave.length;
      if (wave.length > 0) await startWorkloads(this.#lane, wave, signInEverySeconds);
      for (const row of wave) await this.#sometime(() => request(this.#lane, row));
      const { rows: waiting } = await this.#lane.server.admin.query<{ id: string }>(
        "select id from cs.run where state = 'awaiting_approval'",
      );
      for (const { id } of waiting) {
        await this.#sometime(() => this.#lane.people.approve("ada", id, "app-owner"));
        await this.#sometime(() => this.#lane.people.approve("ben", id, "platform"));
      }
      const states = await this.#states();
      const early = (states.requested ?? 0) + (states.planned ?? 0) + (states.awaiting_approval ?? 0);
      if (requested === rows.length && early === 0) return;
      await delay(100);
    }
  }

  async #decideHeld(): Promise<void> {
    const { rows } = await this.#lane.server.admin.query<{ id: string }>("select id from cs.run where state = 'held'");
    for (const { id } of rows) await this.#sometime(() => this.#lane.people.rollBackHeld("cleo", id));
  }

  /** A person tries again until somebody answers; what is refused has been done before. */
  async #sometime(act: () => Promise<unknown>): Promise<void> {
    for (let tries = 0; tries < 200; tries += 1) {
      try {
        await act();
        return;
      } catch (error) {
        if (error instanceof Error && error.name === "ProblemError") return;
        this.#lane.turn();
        await delay(50);
      }
    }
    throw new Error("expected somebody to answer, got nobody");
  }

  async #states(): Promise<Record<string, number>> {
    const { rows } = await this.#lane.server.admin.query<{ state: string; n: number }>(
      "select state, count(*)::int as n from cs.run group by state",
    );
    return Object.fromEntries(rows.map(({ state, n }) => [state, n]));
  }

  async #moveTime(over: AbortSignal): Promise<void> {
    while (!over.aborted)
      await advance(this.#lane, stepSeconds).catch(async (error: unknown) => {
        this.#options.say(`time stands still: ${error instanceof Error ? error.message : String(error)}`);
        await delay(50);
      });
  }
}

/** False when it has ended itself before: its first beat was late. */
async function isReady(product: Product): Promise<boolean> {
  try {
    await product.ready;
    return true;
  } catch (error) {
    if (product.fenced()) return false;
    throw error;
  }
}

async function advance(lane: Lane, seconds: number): Promise<void> {
  await lane.simulator.post("/clock/advance", { by: seconds, limitMs: 30_000 });
}

/** Judges every run as the crash suite does: each outcome once, nobody failed to sign in, nothing is left over. */
async function judgeAll(lane: Lane, rows: readonly Row[]) {
  const ends: Record<string, number> = {};
  let takeOvers = 0;
  for (const row of rows) await stopWorkloads(lane.simulator, row);
  const runs = await runsOf(lane.server.admin, rows);
  const ended = rows.map((row) => ({
    point: `storm/${row.name}`,
    row,
    driven: { ...nothingStruck, run: runs.get(row.name)?.id ?? null },
  }));
  const seen = await observe(lane, ended, 0);
  for (const { journal } of seen) {
    const state = journal?.state ?? "none";
    ends[state] = (ends[state] ?? 0) + 1;
    takeOvers += journal?.entries.filter(({ type }) => type === "recovery.started").length ?? 0;
  }
  const broken = judged(await laneHistory(lane), seen);
  return { violations: [...seen.flatMap((one) => check(one, false)), ...broken], ends, takeOvers };
}

/** No blow at a point: the storm strikes anywhere. */
const nothingStruck = {
  announced: [],
  stuck: null,
  reached: true,
  recoveryMs: null,
  recoveryMsMax: 0,
  atCrash: null,
  unfenced: null,
  deadValues: [],
  // A run whose proof ran out of time while nobody held it goes back by itself: that is an end, too.
  hasStalled: true,
};
