import type { Blow } from "./blows.ts";
import { check, type Violation } from "./check.ts";
import { type Driven, drive } from "./drive.ts";
import { type Observation, observe } from "./observe.ts";
import { type CrashPoint, derivePoints } from "./points.ts";
import { searchLane } from "./search-lane.ts";
import { type Lane, startLane } from "./stage/lane.ts";
import { courses, procedures, type Row, rowsOf } from "./stage/names.ts";
import { stopWorkloads } from "./stage/tenant.ts";
import type { Trial } from "./trials.ts";

export interface Rotated {
  readonly driven: Driven;
  readonly seen: Observation;
}

/** One row from request to end, with the blows on the way. */
export async function rotate(lane: Lane, row: Row, blows: readonly Blow[], name: string): Promise<Rotated> {
  const after = await lane.simulator.cursor();
  const driven = await drive(lane, row, blows, after);
  const seen = await observe(lane, name, row, driven, await lane.simulator.effects(after));
  await stopWorkloads(lane.simulator, row);
  return { driven, seen };
}

export async function restart(lane: Lane): Promise<void> {
  await lane.product.kill();
  lane.start();
  await lane.untilReady();
}

export interface LaneOptions {
  readonly seed: number;
  readonly cache: string;
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
const spareRows = 5;
/** A recovery is looked at for so many calls and announcements. */
const recoveryCallsMax = 12;
const recoveryAnnouncedMax = 16;

/** Makes the trials one after the other in an installation of their own, then searches it for secrets. */
export async function runLane(trials: readonly Trial[], options: LaneOptions): Promise<LaneResult> {
  const { seed, cache, told, signal } = options;
  const rows = procedures.flatMap((procedure) =>
    courses.flatMap((course) => {
      const count = trials.filter((trial) => trial.procedure === procedure && trial.course === course).length;
      return count === 0 ? [] : rowsOf(procedure, count + spareRows, course);
    }),
  );
  const lane = await startLane({ seed, rows, cache });
  const tried: Tried[] = [];
  const violations: Violation[] = [];
  try {
    await lane.product.ready;
    const free = [...rows];
    const fits = (trial: Trial) => (row: Row) => row.procedure === trial.procedure && row.course === trial.course;
    const take = (trial: Trial): Row => {
      const [row] = free.splice(free.findIndex(fits(trial)), 1);
      if (row === undefined) throw new Error("expected a row that is left, got none");
      return row;
    };
    for (const trial of trials) {
      if (signal.aborted) {
        const sentence = "expected every point to be tried, was ended before it";
        violations.push({ point: trial.name, rule: "reached", sentence });
        continue;
      }
      let result = await one(lane, take(trial), trial);
      // On a machine that is short of time a call may be cut by its deadline and made again: the count is off by one then.
      const again = !result.reached && free.some(fits(trial));
      if (again) result = await one(lane, take(trial), trial);
      tried.push(result);
      violations.push(...result.violations);
      const lines = result.violations.map(({ rule, sentence }) => `\n    ${rule}: ${sentence}`).join("");
      told(`${trial.name} ${trial.blows.map(wordsOf).join(", ")}${again ? " (second try)" : ""}${lines}`);
    }
    const search = await searchLane(lane, rows);
    return { tried, violations: [...violations, ...search.violations], secretsFound: search.found };
  } finally {
    await lane.stop();
  }
}

function wordsOf({ how, verdict }: Blow): string {
  return how === "kill" ? verdict : `${verdict} until ${how.thaw}`;
}

async function one(lane: Lane, row: Row, trial: Trial): Promise<Tried> {
  try {
    if (trial.fresh) await restart(lane);
    const { driven, seen } = await rotate(lane, row, trial.blows, trial.name);
    const { reached, recoveryMs } = driven;
    return { trial, reached, recoveryMs, violations: check(seen, true), recovery: recoveryOf(lane, driven, seen) };
  } catch (error) {
    // The next trial needs a product that runs.
    await restart(lane).catch(() => {});
    const sentence = error instanceof Error ? error.message : String(error);
    return {
      trial,
      reached: true,
      recoveryMs: null,
      violations: [{ point: trial.name, rule: "stage", sentence }],
      recovery: [],
    };
  }
}

/** What a new process did first after the kill, as points of its own. */
function recoveryOf(lane: Lane, driven: Driven, seen: Observation): CrashPoint[] {
  if (driven.atCrash === null || !driven.reached) return [];
  const effects = seen.effects
    .slice(driven.atCrash.effects.length)
    .filter(({ workload }) => workload === null)
    .slice(0, recoveryCallsMax);
  const run = { row: seen.row, effects, announced: driven.announced.slice(0, recoveryAnnouncedMax) };
  return derivePoints(run, run, lane.directory);
}
