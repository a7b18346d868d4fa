import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { check, type Violation } from "./check.ts";
import { type Driven, drive, type Verdict } from "./drive.ts";
import { type Observation, observe } from "./observe.ts";
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
  readonly say: (line: string) => void;
}

export interface CrashReport {
  readonly crashPoints: readonly string[];
  readonly violations: readonly Violation[];
  readonly recoveryMsP95: number;
  readonly secretsFound: number;
  readonly plantedBugsCaught: number;
  readonly seconds: number;
}

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
    const lanes = await Promise.all(
      work.map((part, lane) => runLane(part, options.seed * 100 + lane + 1, cache, told)),
    );
    const recoveries = lanes.flatMap((lane) => lane.recoveries).sort((a, b) => a - b);
    return {
      crashPoints: points.map(({ name }) => name),
      violations: [...clean.violations, ...lanes.flatMap((lane) => lane.violations)],
      recoveryMsP95: Math.round(recoveries[Math.min(recoveries.length - 1, Math.floor(recoveries.length * 0.95))] ?? 0),
      secretsFound: clean.secretsFound + lanes.reduce((sum, lane) => sum + lane.secretsFound, 0),
      plantedBugsCaught: 0,
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
    // Node writes its compile cache when a process ends by itself: all later ones, which are killed, start from it.
    await lane.product.ready;
    await lane.product.end();
    lane.start();
    const points: CrashPoint[] = [];
    const violations: Violation[] = [];
    for (const procedure of procedures) {
      const [first, second] = rows.filter((row) => row.procedure === procedure);
      if (first === undefined || second === undefined) continue;
      if (points.length > 0) await restart(lane);
      const cold = await rotate(lane, first, null, "drop");
      const warm = await rotate(lane, second, null, "drop");
      violations.push(...check(cold.seen, false), ...check(warm.seen, false));
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

interface LaneResult {
  readonly violations: readonly Violation[];
  readonly recoveries: readonly number[];
  readonly secretsFound: number;
}

async function runLane(
  points: readonly CrashPoint[],
  seed: number,
  cache: string,
  told: (line: string) => void,
): Promise<LaneResult> {
  const random = randomOf(seed);
  const rows = procedures.flatMap((procedure) =>
    rowsOf(procedure, points.filter((point) => point.procedure === procedure).length),
  );
  const lane = await startLane({ seed, rows, cache });
  const violations: Violation[] = [];
  const recoveries: number[] = [];
  try {
    await lane.product.ready;
    for (const procedure of procedures) {
      const mine = points.filter((point) => point.procedure === procedure);
      for (const [index, point] of mine.entries()) {
        const row = rows.filter((candidate) => candidate.procedure === procedure)[index];
        if (row === undefined) continue;
        if (point.fresh) await restart(lane);
        const verdict = verdicts[Math.floor(random() * verdicts.length)] ?? "drop";
        const broken = await one(lane, row, point, verdict, recoveries);
        violations.push(...broken);
        told(`${point.name} ${verdict}${broken.map(({ rule, sentence }) => `\n    ${rule}: ${sentence}`).join("")}`);
      }
    }
    const search = await searchLane(lane, rows);
    return { violations: [...violations, ...search.violations], recoveries, secretsFound: search.found };
  } finally {
    await lane.stop();
  }
}

async function one(
  lane: Lane,
  row: Row,
  point: CrashPoint,
  verdict: Verdict,
  recoveries: number[],
): Promise<Violation[]> {
  try {
    const { driven, seen } = await rotate(lane, row, point, verdict);
    if (driven.recoveryMs !== null) recoveries.push(driven.recoveryMs);
    return check(seen, true);
  } catch (error) {
    // The next point needs a product that runs.
    await restart(lane).catch(() => {});
    return [{ point: point.name, rule: "stage", sentence: error instanceof Error ? error.message : String(error) }];
  }
}
