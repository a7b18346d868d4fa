import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { drive } from "../crash/drive.ts";
import { effectsOf, inRecord, provenBundle, readJournal, readPlan } from "../crash/observe.ts";
import { randomOf, shuffled } from "../crash/random.ts";
import { type Lane, startLane } from "../crash/stage/lane.ts";
import { procedures, type Row, rowsOf } from "../crash/stage/names.ts";
import { stopWorkloads } from "../crash/stage/tenant.ts";
import { openSink, type Sink } from "../scenarios/sink.ts";
import { type Cell, deriveCells } from "./cells.ts";
import { mend, type Placed, type Rest, resumeHeld, rotateAll, stopAll } from "./drive.ts";
import { judge, liveOf, noticeOf, type Violation } from "./judge.ts";
import { callDeadlineMs } from "./kinds.ts";

export interface FaultOptions {
  readonly seed: number;
  /** Only so many cells, drawn by the seed; null: all. */
  readonly slice: number | null;
  /** Only cells whose name matches. */
  readonly only: RegExp | null;
  readonly lanes: number;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface FaultReport {
  /** Cells that were tried. */
  readonly cells: number;
  readonly violations: readonly Violation[];
  /** How many runs came to rest in each state. */
  readonly ends: Readonly<Record<string, number>>;
  /** The same by kind of fault. */
  readonly endsByKind: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Where held runs ended after the fault was mended and a person took them up again. */
  readonly heldEnds: Readonly<Record<string, number>>;
  readonly withoutNotice: number;
  readonly seconds: number;
}

/** Rows that rotate at the same time in one lane; a row is faulted by its own rules only. */
const batchSize = 24;
const noticeDeadlineMs = 3_000;

/** Derives every cell from a clean run, tries it, and judges what came of it. */
export async function runFaults(options: FaultOptions): Promise<FaultReport> {
  const started = performance.now();
  const cache = mkdtempSync(join(tmpdir(), "countersign-faults-cache-"));
  const sink = await openSink();
  try {
    const all = await cellsOf(options, cache, sink);
    const matching = all.filter(({ name }) => options.only?.test(name) ?? true);
    const cells = shuffled(matching, randomOf(options.seed)).slice(0, options.slice ?? undefined);
    options.say(`${all.length} cells derived, ${cells.length} to go in ${options.lanes} lanes`);
    const report = new Report();
    const parts = Array.from({ length: Math.min(options.lanes, cells.length) }, (_, lane) =>
      cells.filter((__, index) => index % options.lanes === lane),
    );
    await Promise.all(
      parts.map((part, lane) =>
        runLane(part, report, { ...options, seed: options.seed * 100 + lane + 1 }, cache, sink, () =>
          options.say(
            `[${report.cells}/${cells.length} ${Math.round((performance.now() - started) / 1_000)} s] ${report.violations.length} violations`,
          ),
        ),
      ),
    );
    for (const { cell, rule, sentence } of report.violations) options.say(`${cell}\n    ${rule}: ${sentence}`);
    return { ...report.done(), seconds: Math.round((performance.now() - started) / 1_000) };
  } finally {
    await sink.close();
    rmSync(cache, { recursive: true, force: true });
  }
}

function laneOf(seed: number, rows: readonly Row[], cache: string, sink: Sink): Promise<Lane> {
  return startLane({
    seed,
    rows,
    cache,
    vary(folder) {
      writeFileSync(join(folder, "hook.secret"), sink.secret, { mode: 0o600 });
      return {
        liveness: { callDeadlineMs, settleMs: callDeadlineMs },
        notify: [`{ kind: webhook, url: "${sink.url}", secret: "file:hook.secret" }`],
      };
    },
  });
}

/** Every outside call of a run that nothing disturbs, crossed with every kind of fault. */
async function cellsOf(options: FaultOptions, cache: string, sink: Sink): Promise<Cell[]> {
  const rows = procedures.flatMap((procedure) => rowsOf(procedure, 1));
  const lane = await laneOf(options.seed * 100, rows, cache, sink);
  try {
    await lane.product.ready;
    const cells: Cell[] = [];
    for (const row of rows) {
      const after = await lane.simulator.cursor();
      const { announced } = await drive(lane, row, [], after);
      cells.push(...deriveCells({ row, effects: await lane.simulator.effects(after), announced }, lane.directory));
      await stopWorkloads(lane.simulator, row);
    }
    return cells;
  } finally {
    await lane.stop();
  }
}

async function runLane(
  cells: readonly Cell[],
  report: Report,
  options: FaultOptions,
  cache: string,
  sink: Sink,
  told: () => void,
): Promise<void> {
  const free = new Map(
    procedures.map((procedure) => [
      procedure,
      rowsOf(procedure, cells.filter((cell) => cell.procedure === procedure).length),
    ]),
  );
  const lane = await laneOf(options.seed, [...free.values()].flat(), cache, sink);
  try {
    await lane.product.ready;
    for (const batch of batchesOf(cells)) {
      if (options.signal.aborted) return;
      const placed = batch.map((cell): Placed => {
        const row = free.get(cell.procedure)?.shift();
        if (row === undefined) throw new Error("expected a row that is left, got none");
        return { cell, row };
      });
      await tryBatch(lane, placed, sink, report);
      told();
    }
  } finally {
    await lane.stop();
  }
}

/** Cells of calls that are made for all rows at once come one by one, all others together. */
function batchesOf(cells: readonly Cell[]): Cell[][] {
  const together = cells.filter(({ alone }) => !alone);
  const batches = cells.filter(({ alone }) => alone).map((cell) => [cell]);
  for (let at = 0; at < together.length; at += batchSize) batches.push(together.slice(at, at + batchSize));
  return batches;
}

async function tryBatch(lane: Lane, batch: readonly Placed[], sink: Sink, report: Report): Promise<void> {
  const after = await lane.simulator.cursor();
  let rests: Map<Row, Rest>;
  try {
    // Our own tokens live for an hour: a cell about them needs one that has to be fetched.
    if (batch.some(({ cell }) => cell.alone))
      await lane.simulator.post("/clock/advance", { by: 4_000, limitMs: 60_000 });
    rests = await rotateAll(lane, batch);
  } catch (error) {
    const sentence = error instanceof Error ? error.message : String(error);
    for (const { cell } of batch) report.add(cell, "none", [{ cell: cell.name, rule: "stage", sentence }]);
    await mend(lane);
    return;
  }
  await mend(lane);
  const effects = await lane.simulator.effects(after);
  const { applications } = await lane.simulator.directory();
  const figures = await lane.simulator.figures();
  for (const { cell, row } of batch) {
    const rest = rests.get(row) ?? { run: null, state: "none" };
    await untilTold(sink, rest);
    const journal = rest.run === null ? null : await readJournal(lane.server.admin, rest.run);
    const seen = {
      cell: cell.name,
      row,
      run: rest.run,
      state: rest.state,
      plan: rest.run === null ? null : await readPlan(lane.server.admin, rest.run),
      entries: journal?.entries ?? [],
      effects: effectsOf(effects, row, applications),
      live: await liveOf(lane, row, applications),
      inRecord: await inRecord(lane, row),
      orphans: [
        ...(figures.applications.find(({ name }) => name === row.name)?.orphans ?? []),
        ...(figures.postgres[0]?.orphans ?? []).filter((orphan) => JSON.stringify(orphan).includes(row.name)),
      ].length,
      notices: sink.notices,
      bundle: rest.run === null ? "none" : await provenBundle(lane, rest.run),
    };
    report.add(cell, rest.state, judge(seen));
  }
  const held = new Set(
    [...rests.values()].flatMap(({ run, state }) => (state === "held" && run !== null ? [run] : [])),
  );
  if (held.size > 0) {
    const after = await resumeHeld(lane, batch, held);
    for (const { cell, row } of batch)
      if (rests.get(row)?.state === "held") report.mended(cell, after.get(row) ?? "none");
  }
  await stopAll(lane, batch);
}

/** The notice of a move is delivered in real time, a moment after it. */
async function untilTold(sink: Sink, { run, state }: Rest): Promise<void> {
  if (run === null || state === "completed") return;
  const told = sink.until(({ type, data }) => data.run === run && type === noticeOf(state));
  await Promise.race([told, delay(noticeDeadlineMs)]);
}

/** What is known so far. */
class Report {
  cells = 0;
  readonly violations: Violation[] = [];
  readonly #ends: Record<string, number> = {};
  readonly #byKind: Record<string, Record<string, number>> = {};
  readonly #heldEnds: Record<string, number> = {};

  add(cell: Cell, state: string, violations: readonly Violation[]): void {
    this.cells += 1;
    this.violations.push(...violations);
    this.#ends[state] = (this.#ends[state] ?? 0) + 1;
    const kind = cell.fault?.kind.name ?? "stale";
    const ends = (this.#byKind[kind] ??= {});
    ends[state] = (ends[state] ?? 0) + 1;
  }

  /** A held run that was taken up again must come to an end: nothing stays wrong once the outside is mended. */
  mended(cell: Cell, state: string): void {
    this.#heldEnds[state] = (this.#heldEnds[state] ?? 0) + 1;
    if (state === "completed" || state === "rolled_back") return;
    this.violations.push({
      cell: cell.name,
      rule: "end",
      sentence: `expected a held run to end once the fault was mended, got ${state}`,
    });
  }

  done(): Omit<FaultReport, "seconds"> {
    return {
      cells: this.cells,
      violations: this.violations,
      ends: this.#ends,
      endsByKind: this.#byKind,
      heldEnds: this.#heldEnds,
      withoutNotice: this.violations.filter(({ rule }) => rule === "notice").length,
    };
  }
}
