import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseEntry } from "@countersign/evidence";
import { randomOf, shuffled } from "../crash/random.ts";
import { type Effect, effectsOf } from "../crash/stage/effects.ts";
import { type Lane, startLane } from "../crash/stage/lane.ts";
import type { Row } from "../crash/stage/names.ts";
import { openSink, type Sink } from "../scenarios/sink.ts";
import { type Cell, type CleanRun, cleanCell, deriveCells, staleCell } from "./cells.ts";
import { advance, rotateAll, type Trial, trialOf } from "./drive.ts";
import { judge } from "./judge.ts";
import { callDeadlineMs, isSlow, patientMs } from "./kinds.ts";
import { lookAtRested } from "./look.ts";
import { type FaultReport, Tally } from "./report.ts";
import { goesBack, Rows, stories } from "./stories.ts";
import { varied } from "./told.ts";

export interface FaultOptions {
  readonly seed: number;
  /** Only so many cells, drawn by the seed; null: all. */
  readonly slice: number | null;
  /** Only cells whose name matches. */
  readonly only: RegExp | null;
  /** Only the part with this number of so many equal parts (`2/4`); null: all. */
  readonly part: { readonly number: number; readonly of: number } | null;
  readonly lanes: number;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Rows that rotate at the same time in one installation; a row is faulted by its own rules only. */
const batchSize = 240;
/** The same where calls are slow on purpose: a product that is busy with more could miss the short deadline by itself. */
const slowMax = 80;
/** Rows with callers of their own that rotate at the same time; each is a tenant of the configuration. */
const seatsMax = 40;
/** Rows of one installation: its log and its inventory are read often. */
const rowsMax = 480;
/** Our own tokens live for an hour: a cell about them needs one that has to be fetched. */
const tokenSeconds = 4_000;

/** Derives every cell from runs that nothing disturbs, tries it, and judges what came of it. */
export async function runFaults(options: FaultOptions): Promise<FaultReport> {
  const started = performance.now();
  const seconds = () => Math.round((performance.now() - started) / 1_000);
  const cache = mkdtempSync(join(tmpdir(), "countersign-faults-cache-"));
  const sink = await openSink();
  try {
    const all = await cellsOf(options, cache, sink);
    const cells = chosen(all, options);
    options.say(`${all.length} cells derived, ${cells.length} to go in ${options.lanes} lanes (${seconds()} s)`);
    const tally = new Tally();
    const loads = loadsOf(cells, options.lanes);
    let next = 0;
    const lane = async () => {
      for (let at = next++; at < loads.length && !options.signal.aborted; at = next++)
        await runLoad(loads[at] as Load, options.seed * 100 + at + 1, {
          cache,
          sink,
          tally,
          say: options.say,
          seconds,
        });
    };
    await Promise.all(Array.from({ length: options.lanes }, lane));
    for (const { cell, rule, sentence } of tally.violations) options.say(`${cell}\n    ${rule}: ${sentence}`);
    return tally.done(all.length, seconds());
  } finally {
    await sink.close();
    rmSync(cache, { recursive: true, force: true });
  }
}

function chosen(all: readonly Cell[], { only, part, slice, seed }: FaultOptions): Cell[] {
  const matching = all.filter(({ name }) => only?.test(name) ?? true);
  const drawn = shuffled(matching, randomOf(seed)).slice(0, slice ?? undefined);
  return part === null ? drawn : drawn.filter((_, index) => index % part.of === part.number - 1);
}

function laneOf(
  seed: number,
  rows: readonly Row[],
  deadlineMs: number,
  { cache, sink }: Pick<Bench, "cache" | "sink">,
): Promise<Lane> {
  return startLane({
    seed,
    rows,
    cache,
    vary: (folder) => varied(sink, folder, deadlineMs),
  });
}

/** Every outside call of runs that nothing disturbs, crossed with every kind of fault. */
async function cellsOf(options: FaultOptions, cache: string, sink: Sink): Promise<Cell[]> {
  const rows = new Rows();
  const usual = stories.map((story) => trialOf(cleanCell(story), rows.take(story)));
  // A row with callers of its own shows what is done for all rows at once.
  const seated = stories.map((story, index) => trialOf(cleanCell(story), rows.take(story, index + 1)));
  const batch = [...usual, ...seated];
  const lane = await laneOf(options.seed * 100, rows.all, patientMs, { cache, sink });
  try {
    await lane.product.ready;
    const after = await lane.simulator.cursor();
    const never = await rotateAll(lane, batch, { rested: async () => {} });
    if (never.length > 0) throw new Error(`expected undisturbed runs to end, got ${never[0]?.state}`);
    for (const { cell, state } of batch)
      if (state !== (goesBack(cell.story) ? "rolled_back" : "completed")) {
        const said = readFileSync(lane.log, "utf8").slice(-2_000);
        throw new Error(`expected ${cell.name} to end undisturbed, got ${state}\n${said}`);
      }
    const effects = await lane.simulator.effects(after);
    const runs = await Promise.all(batch.map((trial) => cleanRun(lane, trial, effects)));
    const cells = runs.flatMap((run) => deriveCells(run, lane.directory));
    // The same shared call of the same caller in the same phase is made by every story: it is tried in the first.
    const first = new Map<string, Cell>();
    for (const cell of cells) {
      const key = cell.seated ? cell.name.replace(/^[^/]*?(-back)?\//, "$1/") : cell.name;
      if (!first.has(key)) first.set(key, cell);
    }
    return [...first.values(), ...stories.map(staleCell)];
  } finally {
    await lane.stop();
  }
}

async function cleanRun(lane: Lane, { cell, row, run }: Trial, effects: readonly Effect[]): Promise<CleanRun> {
  const { rows } = await lane.server.admin.query<{ entry: Buffer }>(
    "select entry from journal.log_entry where run_id = $1 and type = 'run.moved' order by run_seq",
    [run],
  );
  const moves = rows.map(({ entry }) => parseEntry(entry));
  const movedTo = (state: string) =>
    moves.find(({ type, data }) => type === "run.moved" && data.to === state)?.at ?? null;
  return {
    story: cell.story,
    row,
    effects: effectsOf(effects, row, lane.directory),
    overlappingAt: movedTo("overlapping"),
    rollingBackAt: movedTo("rolling_back"),
  };
}

/** Cells of one installation, cut into batches that rotate at the same time. */
interface Load {
  /** Longest time one outside call may take there, real ms. */
  readonly deadlineMs: number;
  readonly batches: readonly (readonly Cell[])[];
}

/**
 * Cells that last equally long rotate at the same time, so that the waits that are real (a deadline of 300 ms passes for all
 * of them at once) and the waits of domain time fall together. Where nothing is slow on purpose the deadline is longer, so
 * that a busy machine adds no faults of its own. A creation whose outcome is unknown is looked for every 50 s of a whole
 * day: those have an installation of their own. Knobs are for all rows: such cells come one by one.
 */
function loadsOf(cells: readonly Cell[], lanes: number): Load[] {
  const groups = Map.groupBy(cells, (cell) => {
    const slow = isSlow(cell) ? "slow" : "quick";
    if (cell.knobs !== null) return `${slow} knobs`;
    if (cell.fault?.shape.op === "application.addPassword") return `${slow} creation`;
    return `${slow} ${cell.seated ? "seated" : "usual"} ${cell.fault?.always === true ? "always" : "once"}`;
  });
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const max = first.knobs !== null ? 1 : first.seated ? seatsMax : isSlow(first) ? slowMax : batchSize;
    const deadlineMs = isSlow(first) ? callDeadlineMs : patientMs;
    const batches = cut(
      group.toSorted((a, b) => (a.kind < b.kind ? -1 : 1)),
      max,
      lanes,
    );
    const perLoad = Math.max(1, Math.floor(rowsMax / max));
    return Array.from({ length: Math.ceil(batches.length / perLoad) }, (_, load) => ({
      deadlineMs,
      batches: batches.slice(load * perLoad, (load + 1) * perLoad),
    }));
  });
}

/** Parts of at most `max`, and at least one for each lane. */
function cut(cells: readonly Cell[], max: number, lanes: number): Cell[][] {
  const size = Math.max(1, Math.min(max, Math.ceil(cells.length / lanes)));
  return Array.from({ length: Math.ceil(cells.length / size) }, (_, part) =>
    cells.slice(part * size, (part + 1) * size),
  );
}

interface Bench {
  readonly cache: string;
  readonly sink: Sink;
  readonly tally: Tally;
  readonly say: (line: string) => void;
  readonly seconds: () => number;
}

async function runLoad(load: Load, seed: number, bench: Bench): Promise<void> {
  const { sink, tally, say, seconds } = bench;
  const rows = new Rows();
  const batches = load.batches.map((batch) =>
    batch.map((cell, index) => trialOf(cell, rows.take(cell.story, cell.seated ? index + 1 : undefined))),
  );
  const lane = await laneOf(seed, rows.all, load.deadlineMs, bench);
  try {
    await lane.product.ready;
    for (const batch of batches) {
      const before = seconds();
      if (batch.some(({ cell }) => cell.seated)) await advance(lane, tokenSeconds);
      await tryBatch(lane, batch, sink, tally);
      const [first] = batch;
      say(
        `${seconds()} s: ${batch.length} cells from ${first?.cell.name} in ${seconds() - before} s, ${tally.cells} tried, ${tally.violations.length} violations`,
      );
    }
  } finally {
    await lane.stop();
  }
}

async function tryBatch(lane: Lane, batch: readonly Trial[], sink: Sink, tally: Tally): Promise<void> {
  const after = await lane.simulator.cursor();
  const look = async (trials: readonly Trial[]) => {
    const seen = await lookAtRested(lane, sink, trials, after);
    for (const [index, trial] of trials.entries()) {
      const one = seen[index];
      if (one === undefined) continue;
      tally.add(trial.cell, one, judge(one));
      const { cell, fired, mended } = trial;
      if (cell.fault !== null && !mended && !fired) tally.notReached.push(cell.name);
    }
  };
  try {
    const never = await rotateAll(lane, batch, { rested: look });
    if (never.length > 0) await look(never);
  } catch (error) {
    const sentence = error instanceof Error ? error.message : String(error);
    const said = readFileSync(lane.log, "utf8").slice(-2_000);
    process.stderr.write(`${sentence}\n${said}\n`);
    for (const { cell } of batch.filter(({ over }) => !over))
      tally.add(cell, { state: "none", mended: false }, [{ cell: cell.name, rule: "stage", sentence }]);
    await lane.simulator.clear();
    if (lane.product.fenced()) await lane.start().ready;
  }
}
