import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { check, type Violation } from "./check.ts";
import { missedFalsifications } from "./falsify.ts";
import { type LaneResult, type Rotated, restart, rotate, runLane } from "./lane-work.ts";
import { plantedBugs } from "./planted.ts";
import { type CrashPoint, derivePoints } from "./points.ts";
import { randomOf, shuffled } from "./random.ts";
import { searchLane } from "./search-lane.ts";
import { startLane } from "./stage/lane.ts";
import { procedures, type Row, rowsOf } from "./stage/names.ts";
import { firstKills, type Kind, killTrials, secondKills, sliceOf, stallTrials, type Trial } from "./trials.ts";

export interface CrashOptions {
  readonly seed: number;
  readonly kinds: readonly Kind[];
  /** Of each kind only so many, drawn by the seed, every procedure and course among them; null: all. */
  readonly slice: number | null;
  /** Only trials whose name matches. */
  readonly only: RegExp | null;
  /** The how-manieth part of how many: for a machine that is to be left after some minutes. */
  readonly part: readonly [number, number];
  /** Installations that work at the same time. */
  readonly lanes: number;
  /** Also run the product with bugs that the checks must see. */
  readonly planted: boolean;
  readonly say: (line: string) => void;
  /** Ends it early: lanes stop after the trial they are at, and everything is cleared up. */
  readonly signal: AbortSignal;
}

export interface CrashReport {
  readonly crashPoints: readonly string[];
  readonly violations: readonly Violation[];
  /** Of kills only: a stalled holder is waited for. */
  readonly recoveryMsP95: number;
  readonly secretsFound: number;
  readonly plantedBugsCaught: number;
  /** How many trials of each kind were made, and how many of them in a roll back. */
  readonly tried: Readonly<Record<Kind | "back", number>>;
  readonly seconds: number;
}

/** Derives every point from clean runs, strikes the product at each, and judges what came of it. */
export async function runCrash(options: CrashOptions): Promise<CrashReport> {
  const started = performance.now();
  const cache = mkdtempSync(join(tmpdir(), "countersign-crash-cache-"));
  try {
    const clean = await cleanRuns(options, cache);
    const random = randomOf(options.seed);
    const elapsed = () => Math.round((performance.now() - started) / 1_000);
    const results: LaneResult[] = [];
    const make = async (trials: readonly Trial[]) => {
      const done = await inLanes(trials, { ...options, seed: options.seed * 100 + results.length }, cache, elapsed);
      results.push(...done);
      return done.flatMap(({ tried }) => tried);
    };
    const planting = options.planted ? await plantBugs(clean.points, options, cache) : { caught: 0, violations: [] };
    const asked = (kind: Kind, trials: () => readonly Trial[], max?: number) =>
      options.kinds.includes(kind) ? chosen(trials(), options, random, max) : [];
    // All in the same lanes: an installation costs as much as ten trials.
    const firsts = await make([
      ...asked("kill", () => killTrials(clean.points, random)),
      ...asked("stall", () => stallTrials(clean.points, random)),
      ...asked("second", () => firstKills(clean.points, random), 2),
    ]);
    const seconds = firsts
      .filter(({ trial }) => trial.kind === "second")
      .flatMap(({ trial, recovery }) => secondKills(trial, recovery, random));
    await make(options.slice === null ? shuffled(seconds, random) : sliceOf(seconds, options.slice, random));
    const tried = results.flatMap((result) => result.tried);
    const recoveries = tried
      .flatMap(({ trial, recoveryMs }) => (trial.kind === "stall" || recoveryMs === null ? [] : [recoveryMs]))
      .sort((a, b) => a - b);
    const count = (fits: (trial: Trial) => boolean) => tried.filter(({ trial }) => fits(trial)).length;
    return {
      crashPoints: tried.map(({ trial }) => trial.name),
      violations: [...clean.violations, ...planting.violations, ...results.flatMap((result) => result.violations)],
      recoveryMsP95: Math.round(recoveries[Math.min(recoveries.length - 1, Math.floor(recoveries.length * 0.95))] ?? 0),
      secretsFound: clean.secretsFound + results.reduce((sum, result) => sum + result.secretsFound, 0),
      plantedBugsCaught: planting.caught,
      tried: {
        kill: count(({ kind }) => kind === "kill"),
        stall: count(({ kind }) => kind === "stall"),
        second: count(({ kind }) => kind === "second"),
        back: count(({ course }) => course === "back"),
      },
      seconds: elapsed(),
    };
  } finally {
    rmSync(cache, { recursive: true, force: true });
  }
}

/** Deals the trials out to lanes that work at the same time. */
async function inLanes(
  trials: readonly Trial[],
  options: CrashOptions,
  cache: string,
  elapsed: () => number,
): Promise<LaneResult[]> {
  if (trials.length === 0) return [];
  const lanes = Math.min(options.lanes, trials.length);
  let done = 0;
  const told = (line: string) => {
    done += 1;
    options.say(`[${done}/${trials.length} ${elapsed()} s] ${line}`);
  };
  options.say(`${trials.length} trials in ${lanes} lanes`);
  return Promise.all(
    Array.from({ length: lanes }, (_, lane) =>
      runLane(
        trials.filter((__, index) => index % lanes === lane),
        { seed: options.seed * 10 + lane + 1, cache, told, signal: options.signal },
      ),
    ),
  );
}

/** Those of the trials that were asked for, in a seeded order. */
function chosen(
  trials: readonly Trial[],
  { only, slice, part: [nth, of] }: CrashOptions,
  random: () => number,
  sliceMax = Number.POSITIVE_INFINITY,
): Trial[] {
  const wanted = trials.filter(({ name }) => only === null || only.test(name));
  const picked = slice === null ? shuffled(wanted, random) : sliceOf(wanted, Math.min(slice, sliceMax), random);
  return picked.filter((_, index) => index % of === nth - 1);
}

/** Each procedure without a blow: by a new process, by one that has worked before, and one run that goes back. */
async function cleanRuns(options: CrashOptions, cache: string) {
  const through = procedures.flatMap((procedure) => rowsOf(procedure, 2));
  const backs = procedures.flatMap((procedure) => rowsOf(procedure, 1, "back"));
  const lane = await startLane({ seed: options.seed * 100, rows: [...through, ...backs], cache });
  try {
    await lane.product.ready;
    const points: CrashPoint[] = [];
    const violations: Violation[] = [];
    for (const procedure of procedures) {
      const [first, second] = through.filter((row) => row.procedure === procedure);
      const back = backs.find((row) => row.procedure === procedure);
      if (first === undefined || second === undefined || back === undefined) continue;
      // Node writes what it has compiled when a process ends by itself: all later ones, which are killed, start from it.
      if (points.length > 0) {
        await lane.product.end();
        await lane.start().ready;
      }
      const clean = (row: Row) => rotate(lane, row, [], `${procedure}/${row.course}`);
      const cold = await clean(first);
      const warm = await clean(second);
      const backwards = await clean(back);
      for (const { seen } of [cold, warm, backwards]) violations.push(...check(seen, false));
      violations.push(...missedFalsifications(cold.seen), ...missedFalsifications(backwards.seen));
      const turned = { ...runOf(backwards), from: turnOf(backwards) };
      points.push(
        ...derivePoints(runOf(cold), runOf(warm), lane.directory),
        ...derivePoints(turned, turned, lane.directory),
      );
      const ends = [cold, warm, backwards].map(({ seen }) => seen.journal?.state ?? "no run");
      options.say(`clean runs of ${procedure}: ${ends.join(", ")}; ${points.length} points so far`);
    }
    const search = await searchLane(lane, [...through, ...backs]);
    return { points, violations: [...violations, ...search.violations], secretsFound: search.found };
  } finally {
    await lane.stop();
  }
}

function runOf({ seen, driven }: Rotated) {
  return { row: seen.row, effects: seen.effects, announced: driven.announced };
}

/** Where a run turned back: after the refused copy, or when it was moved. */
function turnOf({ seen, driven }: Rotated) {
  const moved = seen.journal?.entries.find(({ type, data }) => type === "run.moved" && data.to === "rolling_back");
  const refused = seen.effects.findIndex(
    ({ op, effect, workload }) => op === "secret.set" && !effect && workload === null,
  );
  const at = Date.parse(moved?.at ?? "");
  const effects = refused >= 0 ? refused + 1 : seen.effects.findIndex((effect) => Date.parse(effect.at) >= at);
  const announced = driven.announced.findIndex((name) => /^(undo|discard):/.test(name));
  if (effects < 0 || announced < 0) throw new Error("expected a run that turned back, got one that did not");
  return { effects, announced };
}

/** Runs the product with each planted bug; one that no check sees is a violation. */
async function plantBugs(points: readonly CrashPoint[], options: CrashOptions, cache: string) {
  const rows = rowsOf("entra-client-secret", plantedBugs.length);
  const lane = await startLane({ seed: options.seed * 100 + 99, rows, cache });
  const violations: Violation[] = [];
  let caught = 0;
  try {
    for (const [index, bug] of plantedBugs.entries()) {
      const row = rows[index];
      const point = points.find(({ name }) => name === `entra-client-secret/${bug.point}`) ?? null;
      if (row === undefined || options.signal.aborted) break;
      lane.plant(bug);
      await restart(lane);
      const blows = point === null ? [] : [{ point, how: "kill" as const, verdict: "land-at-once" as const }];
      const { seen } = await rotate(lane, row, blows, point?.name ?? `planted/${bug.name}`);
      const found = [
        ...check(seen, point !== null),
        ...(bug.caughtBy === "I7" ? (await searchLane(lane, [row])).violations : []),
      ];
      const isCaught = (bug.point === null || point !== null) && found.some(({ rule }) => rule === bug.caughtBy);
      if (isCaught) caught += 1;
      else
        violations.push({
          point: `planted/${bug.name}`,
          rule: "planted",
          sentence: `expected ${bug.caughtBy} to see it, got ${found.map(({ rule }) => rule).join(", ") || "nothing"}`,
        });
      options.say(
        `planted bug ${bug.name}: ${isCaught ? "caught" : "NOT caught"} (${found.map(({ rule, sentence }) => `${rule}: ${sentence}`).join("; ")})`,
      );
    }
    return { caught, violations };
  } finally {
    await lane.stop();
  }
}
