import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseEntry } from "@countersign/evidence";
import { randomOf, shuffled } from "../crash/random.ts";
import { type Effect, effectsOf } from "../crash/stage/effects.ts";
import { type Lane, startLane } from "../crash/stage/lane.ts";
import type { Row } from "../crash/stage/names.ts";
import { openSink, type Sink } from "../scenarios/sink.ts";
import { aimed, type Cell, type CleanRun, cleanCell, covering, deriveCells, staleCell } from "./cells.ts";
import { numberOf } from "./draw.ts";
import { advance, rotateAll, type Trial, trialOf } from "./drive.ts";
import { BatchEffects } from "./effects.ts";
import { judge, notReached, timesMade, type Violation } from "./judge.ts";
import { deadlineMsOf, isSlow, patientMs } from "./kinds.ts";
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
  /** Every way at every occurrence of a call, as also with `only`; otherwise as {@link covering} has it. */
  readonly whole: boolean;
  /** Only the part with this number of so many equal parts (`2/4`); null: all. */
  readonly part: { readonly number: number; readonly of: number } | null;
  readonly lanes: number;
  /** Says which cells are wanted, and tries none. */
  readonly list: boolean;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Rows that rotate at the same time in one installation; a row is faulted by its own rules only. */
const batchMax = 300;
/** The same where calls are slow on purpose: a product that is busy with more could miss the short deadline by itself. */
const slowMax = 120;
/** A batch lasts nearly as long with half of its cells: none is cut to fewer than this. */
const batchMin = 60;
/** Those of them that have callers of their own: each is a tenant of the configuration. */
const seatsMax = 80;
/** The same in a second try: about as many as rotate together when cells are derived. */
const againMax = 16;
/** So often is a call that was not reached tried again. */
const againTimes = 3;
/** So few cells need no order: they rotate together. */
const fewMax = 24;
/** Rows of one installation: its log and its inventory are read often. */
const rowsMax = 600;
/** Our own tokens live for an hour: a cell about them needs one that has to be fetched. */
const tokenSeconds = 4_000;

/** Derives every cell from runs that nothing disturbs, tries it, and judges what came of it. */
export async function runFaults(options: FaultOptions): Promise<FaultReport> {
  const started = performance.now();
  const seconds = () => Math.round((performance.now() - started) / 1_000);
  const cache = mkdtempSync(join(tmpdir(), "countersign-faults-cache-"));
  const sink = await openSink();
  try {
    const { all, folded } = await cellsOf(options, cache, sink);
    const cells = chosen(all, options);
    options.say(
      `${all.length} cells derived, ${folded} folded into them, ${cells.length} to go in ${options.lanes} lanes (${seconds()} s)`,
    );
    if (options.list)
      for (const { name, seated } of cells) options.say(`${name}${seated ? " (callers of its own)" : ""}`);
    const tally = new Tally();
    const from = seconds();
    const progress = () => {
      const perMinute = (60 * tally.cells) / Math.max(seconds() - from, 1);
      const left = perMinute > 0 ? `, ${Math.ceil((cells.length - tally.cells) / perMinute)} min to go` : "";
      return `${tally.cells} of ${cells.length} tried, ${Math.round(perMinute)} cells/min${left}`;
    };
    const missed: Cell[] = [];
    const { say, signal } = options;
    const bench: Bench = { cache, sink, tally, say, seconds, progress, signal, missed };
    let lanesStarted = 0;
    const tryAll = async (loads: readonly Load[], last: boolean) => {
      let next = 0;
      const lane = async () => {
        for (let at = next++; at < loads.length && !signal.aborted; at = next++)
          await runLoad(loads[at] as Load, options.seed * 100 + ++lanesStarted, { ...bench, last });
      };
      await Promise.all(Array.from({ length: options.lanes }, lane));
    };
    await tryAll(options.list ? [] : loadsOf(cells, options.lanes), false);
    // On a machine that is short of time a call may run into its deadline by itself and be made again, or never; and what many
    // runs want at the same time is read once for all of them: again among as few as it was derived from, and in the end it counts.
    for (let times = 1; times <= againTimes && missed.length > 0; times += 1) {
      say(`${missed.length} calls were not reached, and are tried again (${times} of ${againTimes})`);
      await tryAll(loadsOf(missed.splice(0), options.lanes, againMax), times === againTimes);
    }
    return tally.done({ derived: all.length, folded, wanted: cells.length, seconds: seconds() });
  } finally {
    await sink.close();
    rmSync(cache, { recursive: true, force: true });
  }
}

function textOf({ cell, rule, sentence }: Violation): string {
  return `${cell}\n    ${rule}: ${sentence}`;
}

function chosen(all: readonly Cell[], { only, part, slice, seed, whole }: FaultOptions): Cell[] {
  // A cell that is named is tried, whichever the seed would draw.
  const matching = (whole || only !== null ? all : covering(all, seed)).filter(({ name }) => only?.test(name) ?? true);
  const drawn = shuffled(matching, randomOf(seed)).slice(0, slice ?? undefined);
  return part === null ? drawn : drawn.filter(({ name }) => numberOf(name, part.of) === part.number - 1);
}

async function laneOf(
  seed: number,
  rows: readonly Row[],
  deadlineMs: number,
  { cache, sink }: Pick<Bench, "cache" | "sink">,
): Promise<Lane> {
  const lane = await startLane({
    seed,
    rows,
    cache,
    silent: true,
    vary: (folder) => varied(sink, folder, deadlineMs),
  });
  // Here nothing dies, so nothing has to outlast a death: what is committed need not be on the disk.
  for (const setting of ["fsync", "synchronous_commit", "full_page_writes"])
    await lane.server.admin.query(`alter system set ${setting} = off`);
  await lane.server.admin.query("select pg_reload_conf()");
  return lane;
}

/** Every outside call of runs that nothing disturbs, crossed with every kind of fault. */
async function cellsOf(options: FaultOptions, cache: string, sink: Sink) {
  const rows = new Rows();
  const usual = stories.map((story) => trialOf(cleanCell(story), rows.take(story)));
  // A row with callers of its own shows what is done for all rows at once.
  const seated = stories.map((story, index) => trialOf(cleanCell(story), rows.take(story, index + 1)));
  const batch = [...usual, ...seated];
  const lane = await laneOf(options.seed * 100, rows.all, patientMs, { cache, sink });
  try {
    await lane.product.ready;
    const after = await lane.simulator.cursor();
    const never = await rotateAll(lane, batch, { rested: async () => {} }, options.signal);
    if (never.length > 0) throw new Error(`expected undisturbed runs to end, got ${never[0]?.state}`);
    for (const { cell, state } of batch)
      if (state !== (goesBack(cell.story) ? "rolled_back" : "completed")) {
        const said = readFileSync(lane.log, "utf8").slice(-2_000);
        throw new Error(`expected ${cell.name} to end undisturbed, got ${state}\n${said}`);
      }
    const effects = await lane.simulator.effects(after);
    const runs = await Promise.all(batch.map((trial) => cleanRun(lane, trial, effects)));
    const derived = runs.map((run) => deriveCells(run, lane.directory));
    const cells = derived.flatMap((one) => one.cells);
    // The same shared call of the same caller in the same phase is made by every story: it is tried in the first.
    const first = new Map<string, Cell>();
    for (const cell of cells) {
      const key = cell.seated ? cell.name.replace(/^[^/]*?(-back)?\//, "$1/") : cell.name;
      if (!first.has(key)) first.set(key, cell);
    }
    const folded = derived.reduce((sum, one) => sum + one.folded, 0) + cells.length - first.size;
    return { all: [...first.values(), ...stories.map(staleCell)], folded };
  } finally {
    await lane.stop();
  }
}

async function cleanRun(lane: Lane, { cell, row, run }: Trial, effects: readonly Effect[]): Promise<CleanRun> {
  const { rows } = await lane.server.admin.query<{ entry: Buffer }>(
    "select entry from journal.log_entry where run_id = $1 order by run_seq",
    [run],
  );
  const entries = rows.map(({ entry }) => parseEntry(entry));
  const movedTo = (state: string) =>
    entries.find(({ type, data }) => type === "run.moved" && data.to === state)?.at ?? null;
  return {
    story: cell.story,
    row,
    effects: effectsOf(effects, row, lane.directory),
    overlappingAt: movedTo("overlapping"),
    rollingBackAt: movedTo("rolling_back"),
    entriesAt: entries.map(({ at }) => at),
    from: entries.find(({ type, data }) => type === "step.intent" && data.step === cell.story.from?.step)?.at ?? null,
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
 * day: those come last in their installation. Knobs are for all rows: such cells, which have the same, come by themselves.
 */
function loadsOf(cells: readonly Cell[], lanes: number, sizeMax = batchMax): Load[] {
  const byDeadline = Map.groupBy(cells, (cell) => (isSlow(cell) ? deadlineMsOf(cell.story) : patientMs));
  return [...byDeadline].flatMap(([deadlineMs, some]) => {
    const slow = deadlineMs !== patientMs;
    const groups = some.length <= fewMax ? groupsOf(some, () => "few") : groupsOf(some, lastingOf);
    const batches = groups.flatMap((group) => cut(group, Math.min(sizeMax, slow ? slowMax : batchMax), lanes));
    const count = Math.max(Math.min(lanes, batches.length), Math.ceil(some.length / rowsMax));
    return Array.from({ length: count }, (_, load) => ({
      deadlineMs,
      batches: batches.filter((__, index) => index % count === load),
    }));
  });
}

/** By how long their runs last, the longest last; within a group cells of one kind side by side, those with seats first. */
function groupsOf(cells: readonly Cell[], keyOf: (cell: Cell) => string): Cell[][] {
  const groups = Map.groupBy(cells, (cell) => (cell.knobs === null ? keyOf(cell) : "5 knobs"));
  const order = ({ seated, kind }: Cell) => `${seated ? 0 : 1} ${kind}`;
  return [...groups.keys()]
    .toSorted()
    .map((key) => (groups.get(key) ?? []).toSorted((a, b) => (order(a) < order(b) ? -1 : 1)));
}

function lastingOf({ fault }: Cell): string {
  if (fault?.shape.op === "application.addPassword") return fault.always ? "4 creation always" : "3 creation once";
  return fault?.always === true ? "2 usual always" : "1 usual once";
}

/** Equal parts of at most `max` with equally many seats; one for each lane, if that leaves none too small. */
function cut(cells: readonly Cell[], max: number, lanes: number): Cell[][] {
  const seats = cells.filter(({ seated }) => seated).length;
  const parts = Math.max(
    Math.ceil(cells.length / max),
    Math.ceil(seats / seatsMax),
    Math.min(lanes, Math.floor(cells.length / batchMin)),
    1,
  );
  return Array.from({ length: parts }, (_, part) => cells.filter((__, index) => index % parts === part));
}

interface Bench {
  /** Cells whose call was not made so often in their run, as they are tried the next time. */
  readonly missed: Cell[];
  readonly signal: AbortSignal;
  readonly cache: string;
  readonly sink: Sink;
  readonly tally: Tally;
  readonly say: (line: string) => void;
  readonly seconds: () => number;
  /** How many cells were tried of those wanted, how fast, and how long the rest takes at that rate. */
  readonly progress: () => string;
}

/** Whether these cells are tried for the last time: a call that is not reached then is a violation. */
interface Turn {
  readonly last: boolean;
}

async function runLoad(load: Load, seed: number, bench: Bench & Turn): Promise<void> {
  const { tally, say, seconds } = bench;
  const rows = new Rows();
  const batches = load.batches.map((batch) => {
    let seats = 0;
    return batch.map((cell) => trialOf(cell, rows.take(cell.story, cell.seated ? ++seats : undefined)));
  });
  const lane = await laneOf(seed, rows.all, load.deadlineMs, bench);
  try {
    await lane.product.ready;
    for (const batch of batches) {
      if (bench.signal.aborted) return;
      const before = seconds();
      if (batch.some(({ cell }) => cell.seated)) await advance(lane, tokenSeconds);
      await tryBatch(lane, batch, bench);
      // What has kept a whole batch from being tried was said once.
      for (const violation of tally.fresh()) if (violation.rule !== "stage") say(textOf(violation));
      const [first] = batch;
      say(
        `${seconds()} s: ${batch.length} cells from ${first?.cell.name} in ${seconds() - before} s; ${bench.progress()}, ${tally.violations.length} violations`,
      );
    }
  } finally {
    await lane.stop();
  }
}

async function tryBatch(lane: Lane, batch: readonly Trial[], bench: Bench & Turn): Promise<void> {
  const { sink, tally, signal, missed, last } = bench;
  const effects = new BatchEffects(lane, await lane.simulator.cursor());
  const look = async (trials: readonly Trial[]) => {
    const seen = await lookAtRested(lane, sink, trials, effects);
    for (const [index, trial] of trials.entries()) {
      const one = seen[index];
      if (one === undefined) continue;
      const { cell, fired, mended } = trial;
      if (cell.fault === null || mended || fired) tally.add(cell, one, judge(one));
      else {
        const { shape, nth } = cell.fault;
        const made = timesMade(one, shape, lane.directory);
        if (last) tally.add(cell, one, [...judge(one), notReached(one, nth, made)]);
        else {
          missed.push(aimed(cell, made));
          tally.violations.push(...judge(one));
        }
      }
    }
  };
  try {
    const never = await rotateAll(lane, batch, { rested: look }, signal);
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
