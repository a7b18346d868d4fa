import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { falsified } from "../history/falsifications.ts";
import { check, type Violation } from "./check.ts";
import { missedFalsifications } from "./falsify.ts";
import { judged, laneHistory } from "./judge.ts";
import { type LaneResult, type Rotated, rotate, runLane } from "./lane-work.ts";
import type { Observation } from "./observe.ts";
import { breakInvariants, type Planting, plantBugs } from "./planting.ts";
import { type CrashPoint, derivePoints } from "./points.ts";
import { randomOf, shuffled } from "./random.ts";
import { searchLane } from "./search-lane.ts";
import { liveness as usual } from "./stage/documents.ts";
import { startLane } from "./stage/lane.ts";
import { isNamed, type ProcedureName, type Row, rowsOf } from "./stage/names.ts";
import {
  firstKills,
  type Group,
  groupsOf,
  type Kind,
  killTrials,
  kinds,
  oneOfEach,
  secondKills,
  sliceOf,
  stallTrials,
  type Trial,
} from "./trials.ts";

export interface CrashOptions {
  readonly seed: number;
  readonly kinds: readonly Kind[];
  readonly procedures: readonly ProcedureName[];
  /** Of each kind only so many, drawn by the seed, every procedure and course among them; null: all. */
  readonly slice: Readonly<Record<Kind, number>> | null;
  /** Only trials whose name matches. */
  readonly only: RegExp | null;
  /** The how-manieth part of how many: for a machine that is to be left after some minutes. */
  readonly part: readonly [number, number];
  /** Installations that work at the same time; null: as many as this machine carries ({@link lanesFor}). */
  readonly lanes: number | null;
  /** With the settings that the product has by itself, where the suite would be less patient. */
  readonly defaultLiveness: boolean;
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
  /** Of one for each invariant. */
  readonly plantedBugsCaught: number;
  /** Of those that show only when the product is killed, or in what it says. */
  readonly crashBugsCaught: number;
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
      const seed = options.seed * 100 + results.length;
      const lanes = options.lanes ?? lanesFor(clean.startMs);
      const done = await inLanes(trials, { ...options, seed, lanes }, cache, elapsed, random);
      results.push(...done);
      return done.flatMap(({ tried }) => tried);
    };
    const asked = (kind: Kind, trials: () => readonly Trial[], max = Number.POSITIVE_INFINITY) =>
      options.kinds.includes(kind) ? chosen(trials(), options, random, Math.min(options.slice?.[kind] ?? 0, max)) : [];
    // All in the same lanes: an installation costs as much as ten trials.
    const firsts = await make([
      ...asked("kill", () => killTrials(clean.points, random)),
      ...asked("stall", () => stallTrials(clean.points, random)),
      ...asked("second", () => firstKills(clean.points, random), 2),
    ]);
    const seconds = firsts
      .filter(({ trial }) => trial.kind === "second")
      .flatMap(({ trial, recovery }) => secondKills(trial, recovery, random));
    await make(options.slice === null ? shuffled(seconds, random) : sliceOf(seconds, options.slice.second, random));
    // After the lanes, beside which they would make the machine slower than a recovery may be.
    const planting = { ...options, cache };
    const [bugs, breaches] = options.planted
      ? await Promise.all([plantBugs(clean.points, planting), breakInvariants(planting)])
      : [none, none];
    const tried = results.flatMap((result) => result.tried);
    const recoveries = tried
      .flatMap(({ trial, recoveryMs }) => (trial.kind === "stall" || recoveryMs === null ? [] : [recoveryMs]))
      .sort((a, b) => a - b);
    const count = (fits: (trial: Trial) => boolean) => tried.filter(({ trial }) => fits(trial)).length;
    return {
      crashPoints: tried.map(({ trial }) => trial.name),
      violations: [clean, breaches, bugs, ...results].flatMap(({ violations }) => violations),
      recoveryMsP95: Math.round(recoveries[Math.min(recoveries.length - 1, Math.floor(recoveries.length * 0.95))] ?? 0),
      secretsFound: clean.secretsFound + results.reduce((sum, result) => sum + result.secretsFound, 0),
      plantedBugsCaught: breaches.caught,
      crashBugsCaught: bugs.caught,
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

const none: Planting = { caught: 0, violations: [] };

/**
 * How patient the product is where runs are struck. A call must be able to wait until a whole group has come to its
 * points. A dead process's runs are taken over at once, whatever the lease; a stalled one's only after lease and deadline.
 */
const livenessOf = {
  kill: { leaseMs: 10_000, beatMs: 1_000, freshMs: 5_000, callDeadlineMs: 6_000, settleMs: 6_000 },
  stall: { leaseMs: 4_000, beatMs: 400, freshMs: 2_000, callDeadlineMs: 4_000, settleMs: 4_000 },
  second: usual,
} as const satisfies Readonly<Record<Kind, typeof usual>>;

/** What the product has by itself (docs/configuration.md). */
const defaults = { leaseMs: 10_000, beatMs: 1_000, freshMs: 5_000, callDeadlineMs: 30_000, settleMs: 30_000 };

/** A start that takes longer, with everything else at rest, leaves too little of the five seconds of a recovery beside a second lane. */
const quickStartMsMax = 1_000;

/** Two lanes keep two cores busy; where a start alone is slow, whoever takes a run up again beside them comes too late. */
function lanesFor(startMs: number): number {
  return startMs <= quickStartMsMax ? 2 : 1;
}

/** Deals the trials out to lanes that work at the same time, those of a kind together. */
async function inLanes(
  trials: readonly Trial[],
  options: CrashOptions & { readonly lanes: number },
  cache: string,
  elapsed: () => number,
  random: () => number,
): Promise<LaneResult[]> {
  let done = 0;
  const told = (line: string) => {
    done += 1;
    options.say(`[${done}/${trials.length} ${elapsed()} s] ${line}`);
  };
  const groups = groupsOf(trials, random);
  const lots = kinds.flatMap((kind) =>
    dealt(
      groups.filter(([first]) => first?.kind === kind),
      options.lanes,
    ).map((lot) => ({ lot, liveness: options.defaultLiveness ? defaults : livenessOf[kind] })),
  );
  options.say(`${trials.length} trials in ${groups.length} groups and ${lots.length} lanes`);
  const results: LaneResult[] = [];
  const left = lots.map((lot, index) => ({ ...lot, seed: options.seed * 10 + index + 1 }));
  const work = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift())
      results.push(await runLane(next.lot, { ...next, cache, told, signal: options.signal }));
  };
  await Promise.all(Array.from({ length: options.lanes }, work));
  return results;
}

/** The groups in as many lots as there are lanes, of about as many trials each. */
function dealt(groups: readonly Group[], lanes: number): Group[][] {
  const lots = Array.from({ length: Math.min(lanes, groups.length) }, (): Group[] => []);
  const size = (lot: readonly Group[]) => lot.reduce((sum, group) => sum + group.length + 1, 0);
  for (const group of groups.toSorted((a, b) => b.length - a.length))
    lots.reduce((least, lot) => (size(lot) < size(least) ? lot : least), lots[0] ?? []).push(group);
  return lots;
}

/** Those of the trials that were asked for, in a seeded order. */
function chosen(
  trials: readonly Trial[],
  { only, slice, part: [nth, of] }: CrashOptions,
  random: () => number,
  count: number,
): Trial[] {
  const wanted = trials.filter(({ name }) => only === null || only.test(name));
  const picked = slice === null ? shuffled(wanted, random) : sliceOf(wanted, count, random);
  return picked.filter((_, index) => index % of === nth - 1);
}

/** Each procedure without a blow: by a new process, by one that has worked before, and one run that goes back. */
async function cleanRuns(options: CrashOptions, cache: string) {
  // Callers of their own: also what is done for all rows at once is told apart. The last one is new to the process, as the first.
  const { procedures } = options;
  const onward = procedures.flatMap((procedure, at) =>
    rowsOf(procedure, 2).map((row) => ({ ...row, seat: 2 * at + 1 })),
  );
  const backs = procedures.flatMap((procedure, at) =>
    rowsOf(procedure, 1, "back").map((row) => ({ ...row, seat: 2 * at + 2 })),
  );
  const lane = await startLane({ seed: options.seed * 100, rows: [...onward, ...backs], cache });
  try {
    await lane.product.ready;
    const points: CrashPoint[] = [];
    let startMs = Number.POSITIVE_INFINITY;
    const violations: Violation[] = [];
    const looked: Observation[] = [];
    for (const procedure of procedures) {
      const [first, second] = onward.filter((row) => row.procedure === procedure);
      const third = backs.find((row) => row.procedure === procedure);
      if (first === undefined || second === undefined || third === undefined) continue;
      // Node writes what it has compiled when a process ends by itself: all later ones, which are killed, start from it.
      if (points.length > 0) {
        await lane.product.end();
        const again = lane.start();
        await again.ready;
        startMs = Math.min(startMs, performance.now() - again.startedAt);
      }
      const clean = async (row: Row) => {
        const [rotated] = await rotate(lane, [{ row, blows: [], name: `${procedure}/${row.course}` }]);
        if (rotated === undefined) throw new Error("expected a clean run, got none");
        return rotated;
      };
      const cold = await clean(first);
      const warm = await clean(second);
      const backwards = await clean(third);
      for (const { seen } of [cold, warm, backwards]) {
        looked.push(seen);
        violations.push(...check(seen, false));
      }
      violations.push(...missedFalsifications(cold.seen), ...missedFalsifications(backwards.seen));
      const turned = { ...runOf(backwards), from: turnOf(backwards) };
      const through = derivePoints(runOf(cold), runOf(warm), lane.directory);
      const back = derivePoints(turned, turned, lane.directory);
      if (isNamed(first)) {
        const own = derivePoints(fromSwitch(cold, "do"), runOf(warm), lane.directory);
        const ownBack = derivePoints(fromSwitch(backwards, "undo"), turned, lane.directory);
        const all = [...apart(through, own, points), ...apart(back, ownBack, points)];
        // Nearly all of its calls are made by verbs that the others have as well: one position of each, drawn by the seed.
        const isCall = ({ at }: CrashPoint) => at.kind === "call";
        const drawn = oneOfEach(all.filter(isCall), randomOf(options.seed));
        points.push(...drawn, ...all.filter((point) => !isCall(point)));
      } else points.push(...through, ...back);
      const ends = [cold, warm, backwards].map(({ seen }) => seen.journal?.state ?? "no run");
      options.say(`clean runs of ${procedure}: ${ends.join(", ")}; ${points.length} points so far`);
    }
    const history = await laneHistory(lane);
    violations.push(
      ...judged(history, looked),
      ...falsified(history).missed.map((sentence) => ({ point: "falsified", rule: "planted", sentence })),
    );
    const search = await searchLane(lane, [...onward, ...backs]);
    options.say(`a start takes ${Math.round(startMs)} ms`);
    return { points, startMs, violations: [...violations, ...search.violations], secretsFound: search.found };
  } finally {
    await lane.stop();
  }
}

function runOf({ seen, driven }: Rotated) {
  return { row: seen.row, effects: seen.effects, announced: driven.announced, entries: seen.journal?.entries ?? [] };
}

/** A run from where on an owner is asked to switch by hand what lives on the named secret, or to put it back. */
function fromSwitch(rotated: Rotated, direction: "do" | "undo") {
  const { seen, driven } = rotated;
  const asked = seen.journal?.entries.find(({ type, data }) => {
    return type === "step.intent" && data.step === "switch" && data.direction === direction;
  });
  const effects = seen.effects.findIndex(({ at }) => asked !== undefined && at >= asked.at);
  const announced = driven.announced.findIndex((name) => name.startsWith(`${direction}:switch@`));
  if (effects < 0 || announced < 0) throw new Error(`expected a run with ${direction} of switch, got none`);
  return { ...runOf(rotated), from: { effects, announced } };
}

/**
 * Of a procedure that shares its first steps with another: all points of its `own` steps, and of `all` those that no run of the other one has: the
 * same call or attempt at the same position, on the same side of the authorisation, there or on the way back.
 */
function apart(all: readonly CrashPoint[], own: readonly CrashPoint[], others: readonly CrashPoint[]): CrashPoint[] {
  const sameAs = ({ name, course, instant }: CrashPoint) =>
    `${course} ${instant === "plan"} ${name.slice(name.lastIndexOf("/", name.indexOf("#"))).replace(/#\d+@/, "@")}`;
  const names = new Set(own.map(({ name }) => name));
  const known = new Set(others.map(sameAs));
  return [...own, ...all.filter((point) => !names.has(point.name) && !known.has(sameAs(point)))];
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
