import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { check, type Violation } from "./check.ts";
import { type Driven, drive, type Verdict } from "./drive.ts";
import { missedFalsifications } from "./falsify.ts";
import { type Observation, observe } from "./observe.ts";
import { plantedBugs } from "./planted.ts";
import { type CrashPoint, derivePoints } from "./points.ts";
import { randomOf, shuffled } from "./random.ts";
import { searchLane } from "./search-lane.ts";
import { type Lane, startLane } from "./stage/lane.ts";
import { procedures, type Row, rowsOf } from "./stage/names.ts";
import { stopWorkloads } from "./stage/tenant.ts";

export interface CrashOptions {
  readonly seed: number;
  /** Only so many points, drawn by the seed, every procedure among them; null: all. */
  readonly slice: number | null;
  /** Only points whose name matches. */
  readonly only: RegExp | null;
  /** Installations that work at the same time. */
  readonly lanes: number;
  /** Also run the product with bugs that the checks must see. */
  readonly planted: boolean;
  readonly say: (line: string) => void;
  /** Ends it early: lanes stop after the point they are at, and everything is cleared up. */
  readonly signal: AbortSignal;
}

export interface CrashReport {
  readonly crashPoints: readonly string[];
  readonly violations: readonly Violation[];
  readonly recoveryMsP95: number;
  readonly secretsFound: number;
  readonly plantedBugsCaught: number;
  readonly seconds: number;
}

/** Rows of each procedure for points that are tried again. */
const spareRows = 5;
const verdicts: readonly Verdict[] = ["drop", "land-at-once", "land-late"];

/** Derives every crash point from clean runs, kills the product at each, and judges what came of it. */
export async function runCrash(options: CrashOptions): Promise<CrashReport> {
  const started = performance.now();
  const cache = mkdtempSync(join(tmpdir(), "countersign-crash-cache-"));
  try {
    const clean = await cleanRuns(options, cache);
    const random = randomOf(options.seed);
    const points = chosen(clean.points, options, random);
    options.say(`${clean.points.length} crash points derived, ${points.length} to go in ${options.lanes} lanes`);
    const work = Array.from({ length: Math.min(options.lanes, points.length) }, (_, lane) =>
      points.filter((__, index) => index % options.lanes === lane),
    );
    let done = 0;
    const told = (line: string) => {
      done += 1;
      options.say(`[${done}/${points.length} ${Math.round((performance.now() - started) / 1_000)} s] ${line}`);
    };
    const planting = options.planted ? await plantBugs(clean.points, options, cache) : { caught: 0, violations: [] };
    const lanes = await Promise.all(
      work.map((part, lane) =>
        runLane(part, { seed: options.seed * 100 + lane + 1, cache, told, signal: options.signal }),
      ),
    );
    const recoveries = lanes.flatMap((lane) => lane.recoveries).sort((a, b) => a - b);
    return {
      crashPoints: lanes.flatMap((lane) => lane.done),
      violations: [...clean.violations, ...planting.violations, ...lanes.flatMap((lane) => lane.violations)],
      recoveryMsP95: Math.round(recoveries[Math.min(recoveries.length - 1, Math.floor(recoveries.length * 0.95))] ?? 0),
      secretsFound: clean.secretsFound + lanes.reduce((sum, lane) => sum + lane.secretsFound, 0),
      plantedBugsCaught: planting.caught,
      seconds: Math.round((performance.now() - started) / 1_000),
    };
  } finally {
    rmSync(cache, { recursive: true, force: true });
  }
}

/** Each procedure twice without a crash: by a new process, and by one that has worked before. */
async function cleanRuns(options: CrashOptions, cache: string) {
  const rows = procedures.flatMap((procedure) => rowsOf(procedure, 2));
  const lane = await startLane({ seed: options.seed * 100, rows, cache });
  try {
    await lane.product.ready;
    const points: CrashPoint[] = [];
    const violations: Violation[] = [];
    for (const procedure of procedures) {
      const [first, second] = rows.filter((row) => row.procedure === procedure);
      if (first === undefined || second === undefined) continue;
      // Node writes what it has compiled when a process ends by itself: all later ones, which are killed, start from it.
      if (points.length > 0) {
        await lane.product.end();
        await lane.start().ready;
      }
      const cold = await rotate(lane, first, null, "drop");
      const warm = await rotate(lane, second, null, "drop");
      violations.push(...check(cold.seen, false), ...check(warm.seen, false), ...missedFalsifications(cold.seen));
      const run = ({ seen, driven }: Rotated) => ({
        row: seen.row,
        effects: seen.effects,
        announced: driven.announced,
      });
      points.push(...derivePoints(run(cold), run(warm), lane.directory));
      options.say(`clean run of ${procedure}: ${cold.seen.journal?.state ?? "no run"}`);
    }
    const search = await searchLane(lane, rows);
    return { points, violations: [...violations, ...search.violations], secretsFound: search.found };
  } finally {
    await lane.stop();
  }
}

function chosen(points: readonly CrashPoint[], { slice, only }: CrashOptions, random: () => number): CrashPoint[] {
  const wanted = shuffled(
    points.filter(({ name }) => only === null || only.test(name)),
    random,
  );
  if (slice === null || slice >= wanted.length) return wanted;
  // Turn by turn one of each procedure and kind, so that a small slice has something of everything.
  const kinds = procedures.flatMap((procedure) =>
    ["call", "journal"].map((kind) =>
      wanted.filter((point) => point.procedure === procedure && point.at.kind === kind),
    ),
  );
  const picked: CrashPoint[] = [];
  for (let round = 0; picked.length < slice; round += 1)
    picked.push(...kinds.flatMap((kind) => kind.slice(round, round + 1)));
  return picked.slice(0, slice);
}

interface Rotated {
  readonly driven: Driven;
  readonly seen: Observation;
}

/** One row from request to end, with at most one kill on the way. */
async function rotate(lane: Lane, row: Row, point: CrashPoint | null, verdict: Verdict): Promise<Rotated> {
  const after = await lane.simulator.cursor();
  const driven = await drive(lane, row, point, verdict, after);
  const seen = await observe(lane, point?.name ?? `${row.procedure}/clean`, row, driven, after);
  await stopWorkloads(lane.simulator, row);
  return { driven, seen };
}

async function restart(lane: Lane): Promise<void> {
  await lane.product.kill();
  await lane.start().ready;
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
      const { seen } = await rotate(lane, row, point, "land-at-once");
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

interface LaneResult {
  /** Names of the points at which the product was to be killed. */
  readonly done: readonly string[];
  readonly violations: readonly Violation[];
  readonly recoveries: readonly number[];
  readonly secretsFound: number;
}

interface LaneOptions {
  readonly seed: number;
  readonly cache: string;
  readonly told: (line: string) => void;
  readonly signal: AbortSignal;
}

async function runLane(points: readonly CrashPoint[], options: LaneOptions): Promise<LaneResult> {
  const { seed, cache, told, signal } = options;
  const random = randomOf(seed);
  const rows = procedures.flatMap((procedure) =>
    rowsOf(procedure, points.filter((point) => point.procedure === procedure).length + spareRows),
  );
  const lane = await startLane({ seed, rows, cache });
  const violations: Violation[] = [];
  const recoveries: number[] = [];
  const done: string[] = [];
  try {
    await lane.product.ready;
    const free = [...rows];
    const take = (procedure: string): Row => {
      const [row] = free.splice(
        free.findIndex((candidate) => candidate.procedure === procedure),
        1,
      );
      if (row === undefined) throw new Error("expected a row that is left, got none");
      return row;
    };
    for (const point of points) {
      if (signal.aborted) {
        violations.push({
          point: point.name,
          rule: "reached",
          sentence: "expected every point to be tried, was ended before it",
        });
        continue;
      }
      done.push(point.name);
      const verdict = verdicts[Math.floor(random() * verdicts.length)] ?? "drop";
      let tried = await one(lane, take(point.procedure), point, verdict);
      // On a machine that is short of time a call may be cut by its deadline and made again: the count is off by one then.
      const again = !tried.reached && free.some((row) => row.procedure === point.procedure);
      if (again) tried = await one(lane, take(point.procedure), point, verdict);
      violations.push(...tried.violations);
      if (tried.recoveryMs !== null) recoveries.push(tried.recoveryMs);
      const lines = tried.violations.map(({ rule, sentence }) => `\n    ${rule}: ${sentence}`).join("");
      told(`${point.name} ${verdict}${again ? " (second try)" : ""}${lines}`);
    }
    const search = await searchLane(lane, rows);
    return { done, violations: [...violations, ...search.violations], recoveries, secretsFound: search.found };
  } finally {
    await lane.stop();
  }
}

interface Tried {
  readonly reached: boolean;
  readonly recoveryMs: number | null;
  readonly violations: readonly Violation[];
}

async function one(lane: Lane, row: Row, point: CrashPoint, verdict: Verdict): Promise<Tried> {
  try {
    if (point.fresh) await restart(lane);
    const { driven, seen } = await rotate(lane, row, point, verdict);
    return { reached: driven.reached, recoveryMs: driven.recoveryMs, violations: check(seen, true) };
  } catch (error) {
    // The next point needs a product that runs.
    await restart(lane).catch(() => {});
    const sentence = error instanceof Error ? error.message : String(error);
    return { reached: true, recoveryMs: null, violations: [{ point: point.name, rule: "stage", sentence }] };
  }
}
