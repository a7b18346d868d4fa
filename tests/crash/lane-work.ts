import type { Blow, Target } from "./blows.ts";
import { check, type Violation } from "./check.ts";
import { type Driven, drive } from "./drive.ts";
import { judged, laneHistory } from "./judge.ts";
import { type Observation, observe } from "./observe.ts";
import { type CrashPoint, derivePoints } from "./points.ts";
import { randomOf } from "./random.ts";
import { searchLane } from "./search-lane.ts";
import type { liveness } from "./stage/documents.ts";
import { type Lane, startLane } from "./stage/lane.ts";
import { courses, procedures, type Row, rowOf } from "./stage/names.ts";
import { stopWorkloads } from "./stage/tenant.ts";
import { type Group, groupsOf, type Trial } from "./trials.ts";

export interface Rotated {
  readonly driven: Driven;
  readonly seen: Observation;
}

/** What is rotated: a row, the blows on its way, and what the trial is called. */
export interface Rotation extends Target {
  readonly name: string;
}

/** Rows from request to end, all at the same time. */
export async function rotate(lane: Lane, rotations: readonly Rotation[]): Promise<Rotated[]> {
  const after = await lane.simulator.cursor();
  const all = await drive(lane, rotations, after);
  const ended = rotations.flatMap(({ name, row }, index) => {
    const driven = all[index];
    return driven === undefined ? [] : [{ point: name, row, driven }];
  });
  const seen = await observe(lane, ended, after);
  for (const { row } of rotations) await stopWorkloads(lane.simulator, row);
  return seen.flatMap((one, index) => {
    const driven = all[index];
    return driven === undefined ? [] : [{ driven, seen: one }];
  });
}

export async function restart(lane: Lane): Promise<void> {
  await lane.product.kill();
  lane.start();
  await lane.untilReady();
}

export interface LaneOptions {
  readonly seed: number;
  readonly cache: string;
  readonly liveness: typeof liveness;
  /** Hears of each trial that is done. */
  readonly told: (line: string) => void;
  readonly signal: AbortSignal;
}

/** What came of one trial. */
interface Tried {
  readonly trial: Trial;
  readonly reached: boolean;
  readonly recoveryMs: number | null;
  readonly violations: readonly Violation[];
  /** Points of what the product did after the last blow. */
  readonly recovery: readonly CrashPoint[];
}

export interface LaneResult {
  readonly tried: readonly Tried[];
  readonly violations: readonly Violation[];
  readonly secretsFound: number;
}

/** Rows of each procedure and course for trials that are made again. */
const spareRows = 24;
/** A recovery is looked at for so many calls and announcements. */
const recoveryCallsMax = 12;
const recoveryAnnouncedMax = 16;

/** A trial with the row that it is made on. */
interface Placed {
  readonly trial: Trial;
  readonly row: Row;
}

/**
 * A row for each trial, and spare ones. Those of one group sit at seats of their own, and two groups in turn at other
 * seats: the process that has recovered one group is new to the callers of the next.
 */
function placed(groups: readonly Group[]): { readonly groups: readonly Placed[][]; readonly spare: Row[] } {
  const size = Math.max(1, ...groups.map(({ length }) => length));
  const counts = new Map<string, number>();
  const take = ({ procedure, course }: Pick<Trial, "procedure" | "course">, index: number, turn = 0): Row => {
    const nth = counts.get(`${procedure} ${course}`) ?? 0;
    counts.set(`${procedure} ${course}`, nth + 1);
    return { ...rowOf(procedure, course, nth), seat: size === 1 ? undefined : 1 + (index % size) + (turn % 2) * size };
  };
  const seated = groups.map((group, turn) => group.map((trial, index) => ({ trial, row: take(trial, index, turn) })));
  const used = [...counts.keys()];
  const spare = procedures.flatMap((procedure) =>
    courses
      .filter((course) => used.includes(`${procedure} ${course}`))
      .flatMap((course) => Array.from({ length: spareRows }, (_, index) => take({ procedure, course }, index))),
  );
  return { groups: seated, spare };
}

/**
 * Trials that did not come to their points, with rows that are left: again those of one instant together, at seats of
 * their own. For a trial that is in no group there is no row left.
 */
function placedAgain(missed: readonly Trial[], spare: readonly Row[], random: () => number): Placed[][] {
  const free = [...spare];
  return groupsOf(missed, random).flatMap((group) => {
    const parts: Placed[][] = [];
    for (const trial of group) {
      const fits = ({ procedure, course }: Row) => procedure === trial.procedure && course === trial.course;
      const part = parts.at(-1) ?? [];
      const apart = free.find((row) => fits(row) && part.every(({ row: { seat } }) => seat !== row.seat));
      const row = apart ?? free.find(fits);
      if (row === undefined) continue;
      free.splice(free.indexOf(row), 1);
      if (apart !== undefined && part.length > 0) part.push({ trial, row });
      else parts.push([{ trial, row }]);
    }
    return parts;
  });
}

/** Makes the trials group after group in an installation of their own, then searches it for secrets. */
export async function runLane(trials: readonly Group[], options: LaneOptions): Promise<LaneResult> {
  const { seed, cache, told, signal } = options;
  const { groups, spare } = placed(trials);
  const rows = [...groups.flat().map(({ row }) => row), ...spare];
  const lane = await startLane({ seed, rows, cache, vary: () => ({ liveness: options.liveness }) });
  const tried: Tried[] = [];
  const violations: Violation[] = [];
  const looked: Observation[] = [];
  const tell = ({ trial, violations: found }: Tried, again: boolean) => {
    const lines = found.map(({ rule, sentence }) => `\n    ${rule}: ${sentence}`).join("");
    told(`${trial.name} ${trial.blows.map(wordsOf).join(", ")}${again ? " (second try)" : ""}${lines}`);
  };
  try {
    await lane.product.ready;
    const keep = (result: Tried, again: boolean) => {
      tried.push(result);
      violations.push(...result.violations);
      tell(result, again);
    };
    const missed = new Map<Trial, Tried>();
    for (const group of groups) {
      if (signal.aborted) {
        const sentence = "expected every point to be tried, was ended before it";
        violations.push(...group.map(({ trial }) => ({ point: trial.name, rule: "reached", sentence })));
        continue;
      }
      for (const first of await together(lane, group, looked))
        if (first.reached) keep(first, false);
        else missed.set(first.trial, first);
    }
    // On a machine that is short of time a call may be cut by its deadline and made again: the count is off by one then.
    for (const group of signal.aborted ? [] : placedAgain([...missed.keys()], spare, randomOf(seed)))
      for (const second of await together(lane, group, looked, true)) {
        // What else the first try has shown was seen.
        const first = missed.get(second.trial);
        missed.delete(second.trial);
        const found = first === undefined ? [] : first.violations.filter(({ rule }) => rule !== "reached");
        keep({ ...second, violations: [...found, ...second.violations] }, true);
      }
    for (const first of missed.values()) keep(first, false);
    violations.push(...judged(await laneHistory(lane), looked));
    const search = await searchLane(lane, rows);
    return { tried, violations: [...violations, ...search.violations], secretsFound: search.found };
  } finally {
    await lane.stop();
  }
}

function wordsOf({ how, verdict }: Blow): string {
  return how === "kill" ? verdict : `${verdict} until ${how.thaw}`;
}

/** Adds what it has seen to `looked`. `again`: a first try has gone by, the process is to be a new one. */
async function together(lane: Lane, group: readonly Placed[], looked: Observation[], again = false): Promise<Tried[]> {
  try {
    if (again || (group.length === 1 && group[0]?.trial.fresh === true)) await restart(lane);
    const rotations = group.map(({ trial, row }) => ({ row, blows: trial.blows, name: trial.name }));
    const rotated = await rotate(lane, rotations);
    looked.push(...rotated.map(({ seen }) => seen));
    return group.flatMap(({ trial }, index): Tried[] => {
      const one = rotated[index];
      if (one === undefined) return [];
      const { driven, seen } = one;
      const { reached, recoveryMs } = driven;
      return [{ trial, reached, recoveryMs, violations: check(seen, true), recovery: recoveryOf(lane, driven, seen) }];
    });
  } catch (error) {
    // The next trial needs a product that runs.
    await restart(lane).catch(() => {});
    const sentence = error instanceof Error ? error.message : String(error);
    return group.map(({ trial }) => ({
      trial,
      reached: true,
      recoveryMs: null,
      violations: [{ point: trial.name, rule: "stage", sentence }],
      recovery: [],
    }));
  }
}

/** What a new process did first after the kill, as points of its own. */
function recoveryOf(lane: Lane, driven: Driven, seen: Observation): CrashPoint[] {
  if (driven.atCrash === null || !driven.reached) return [];
  const effects = seen.effects
    .slice(driven.atCrash.effects.length)
    .filter(({ workload }) => workload === null)
    .slice(0, recoveryCallsMax);
  const announced = driven.announced.slice(0, recoveryAnnouncedMax);
  const run = { row: seen.row, effects, announced, entries: seen.journal?.entries ?? [] };
  return derivePoints(run, run, lane.directory);
}
