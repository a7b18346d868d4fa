import type { Blow, Target } from "./blows.ts";
import { check, type Violation } from "./check.ts";
import { type Driven, drive } from "./drive.ts";
import { judged, laneHistory } from "./judge.ts";
import { type Observation, observe } from "./observe.ts";
import { type CrashPoint, derivePoints } from "./points.ts";
import { searchLane } from "./search-lane.ts";
import type { liveness } from "./stage/documents.ts";
import { type Lane, startLane } from "./stage/lane.ts";
import { courses, procedures, type Row, rowOf } from "./stage/names.ts";
import { stopWorkloads } from "./stage/tenant.ts";
import type { Group, Trial } from "./trials.ts";

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
 * A row for each trial. Those of one group sit at seats of their own, and two groups in turn at other seats: the process
 * that has recovered one group is new to the callers of the next.
 */
function placed(groups: readonly Group[]): { readonly groups: readonly Placed[][]; readonly spare: Row[] } {
  const size = Math.max(1, ...groups.map(({ length }) => length));
  const counts = new Map<string, number>();
  const take = ({ procedure, course }: Pick<Trial, "procedure" | "course">, seat?: number): Row => {
    const index = counts.get(`${procedure} ${course}`) ?? 0;
    counts.set(`${procedure} ${course}`, index + 1);
    return { ...rowOf(procedure, course, index), seat };
  };
  const seated = groups.map((group, turn) =>
    group.map((trial, index) => ({ trial, row: take(trial, size === 1 ? undefined : 1 + index + (turn % 2) * size) })),
  );
  const used = [...counts.keys()];
  const spare = procedures.flatMap((procedure) =>
    courses
      .filter((course) => used.includes(`${procedure} ${course}`))
      .flatMap((course) => Array.from({ length: spareRows }, () => take({ procedure, course }))),
  );
  return { groups: seated, spare };
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
  const free = [...spare];
  const tell = ({ trial, violations: found }: Tried, again: boolean) => {
    const lines = found.map(({ rule, sentence }) => `\n    ${rule}: ${sentence}`).join("");
    told(`${trial.name} ${trial.blows.map(wordsOf).join(", ")}${again ? " (second try)" : ""}${lines}`);
  };
  try {
    await lane.product.ready;
    for (const group of groups) {
      if (signal.aborted) {
        const sentence = "expected every point to be tried, was ended before it";
        violations.push(...group.map(({ trial }) => ({ point: trial.name, rule: "reached", sentence })));
        continue;
      }
      for (const first of await together(lane, group, looked)) {
        // On a machine that is short of time a call may be cut by its deadline and made again: the count is off by one then.
        const at = free.findIndex(
          ({ procedure, course }) => procedure === first.trial.procedure && course === first.trial.course,
        );
        const [row] = first.reached || at < 0 ? [] : free.splice(at, 1);
        const [second] =
          row === undefined ? [] : await together(lane, [{ trial: { ...first.trial, fresh: true }, row }], looked);
        // What else the first try has shown was seen.
        const result = second ?? first;
        const found = second === undefined ? first.violations : [...missedApart(first), ...second.violations];
        tried.push({ ...result, violations: found });
        violations.push(...found);
        tell({ ...result, violations: found }, second !== undefined);
      }
    }
    violations.push(...judged(await laneHistory(lane), looked));
    const search = await searchLane(lane, rows);
    return { tried, violations: [...violations, ...search.violations], secretsFound: search.found };
  } finally {
    await lane.stop();
  }
}

function missedApart({ violations }: Tried): readonly Violation[] {
  return violations.filter(({ rule }) => rule !== "reached");
}

function wordsOf({ how, verdict }: Blow): string {
  return how === "kill" ? verdict : `${verdict} until ${how.thaw}`;
}

/** Adds what it has seen to `looked`. */
async function together(lane: Lane, group: readonly Placed[], looked: Observation[]): Promise<Tried[]> {
  try {
    if (group.length === 1 && group[0]?.trial.fresh === true) await restart(lane);
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
