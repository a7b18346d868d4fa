import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runStates } from "@countersign/core";
import fc from "fast-check";
import { restart } from "../crash/lane-work.ts";
import { type Lane, startLane } from "../crash/stage/lane.ts";
import { type Row, rowsOf } from "../crash/stage/names.ts";
import { varied } from "../faults/told.ts";
import { openSink, type Sink } from "../scenarios/sink.ts";
import { type Command, commandNames, openings, weighted } from "./commands.ts";
import { strangerIn } from "./elsewhere.ts";
import { difference } from "./look.ts";
import type { Model } from "./model.ts";
import { type Planted, plantedBugs } from "./planted.ts";
import { BrokenError, type Place, Play, type Played, Step } from "./play.ts";

export interface ModelOptions {
  /** Of the first sequence; each further one has the next. */
  readonly seed: number;
  readonly sequences: number;
  /** One case alone: its place in fast-check's tree of cases, and which of its commands made sense. Null: from the start. */
  readonly replay: { readonly path: string; readonly commands: string } | null;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** A sequence that broke a promise, as small as it could be made. */
export interface Failure {
  readonly seed: number;
  readonly sentence: string;
  /** The command line that plays it again, alone. */
  readonly replay: string;
}

export interface ModelReport {
  readonly model: "run";
  readonly sequences: number;
  readonly commands: number;
  readonly seconds: number;
  readonly violations: readonly Failure[];
  /** Each sequence had the same history each time it was played. */
  readonly deterministic: boolean;
  /** Commands and states that no sequence came to. */
  readonly notReached: readonly string[];
  readonly coverage: {
    readonly commands: Readonly<Record<string, number>>;
    readonly states: Readonly<Record<string, number>>;
  };
}

const commandsMax = 60;
/** A failure is made smaller for so long, ms of real time. */
const smallerMs = 180_000;
/** Rows that the smaller forms of a failure, or a stage that failed, may use up. */
const rowsSpare = 60;
/** Nothing here is slow on purpose: a busy machine must add no faults of its own. */
const deadlineMs = 2_000;

type Sequence = Iterable<fc.AsyncCommand<Model, Play>>;
/** How it begins, and what is drawn after that. */
type Drawn = readonly [opening: readonly Command[], rest: Sequence];

const played = ([opening, rest]: Drawn): Sequence => [...opening.map((command) => new Step(command)), ...rest];

/** Plays each sequence twice and compares what came of it: with the model, and the one time with the other. */
export async function runModel(options: ModelOptions): Promise<ModelReport> {
  const { seed: first, sequences, say, signal } = options;
  const started = performance.now();
  const seconds = () => Math.round((performance.now() - started) / 1_000);
  const cache = mkdtempSync(join(tmpdir(), "countersign-model-cache-"));
  const sink = await openSink();
  const rows = rowsOf("entra-client-secret", 2 * sequences + rowsSpare);
  const plays: Played[] = [];
  const violations: Failure[] = [];
  let lane: Lane | null = null;
  try {
    lane = await laneOf(first, rows, cache, sink);
    const bench = await benchOf(lane, sink, rows);
    for (let seed = first; seed < first + sequences && !signal.aborted; seed += 1) {
      const { clean, failure } = await tryOut(bench, seed, options.replay);
      if (clean !== null) plays.push(clean);
      if (failure === null)
        say(`seed ${seed}: ${clean?.did.length} commands, ${clean?.states.at(-1) ?? "no run"}, ${seconds()} s`);
      else {
        say(`seed ${seed}: ${failure.sentence}\nreplay: ${failure.replay}`);
        violations.push(failure);
      }
    }
  } catch (error) {
    if (lane !== null) say(readFileSync(lane.log, "utf8").slice(-2_000));
    throw error;
  } finally {
    await lane?.stop();
    await sink.close();
    rmSync(cache, { recursive: true, force: true });
  }
  const did = plays.flatMap((one) => one.did);
  const states = plays.flatMap((one) => one.states);
  const coverage = { commands: countsOf(commandNames, did), states: countsOf(runStates, states) };
  return {
    model: "run",
    sequences,
    commands: did.length,
    seconds: seconds(),
    violations,
    deterministic: !violations.some(({ sentence }) => sentence.startsWith(unlike)),
    notReached: Object.entries({ ...coverage.commands, ...coverage.states }).flatMap(([name, count]) =>
      count === 0 ? [name] : [],
    ),
    coverage,
  };
}

/** What the sequences of one installation are played with; each play uses up a row. */
interface Bench extends Place {
  readonly rows: Row[];
}

async function benchOf(lane: Lane, sink: Sink, rows: Row[]): Promise<Bench> {
  return { lane, sink, rows, stranger: await strangerIn(lane) };
}

const unlike = "deterministic: ";

/** One sequence, twice; when something is broken, ever smaller ones. */
async function tryOut(
  bench: Bench,
  seed: number,
  replay: ModelOptions["replay"],
): Promise<{ readonly clean: Played | null; readonly failure: Failure | null }> {
  let clean: Played | null = null;
  let until = Number.POSITIVE_INFINITY;
  const property = fc.asyncProperty(sequencesOf(replay?.commands ?? null), async (drawn) => {
    // What is not played any more counts as well: the failure stays as small as it is.
    if (performance.now() > until || bench.rows.length < 2) return;
    // Nor is, where the one case that is played again breaks nothing any more, what stands beside it.
    if (replay !== null && clean !== null) return;
    try {
      const one = await playOnStage(bench, played(drawn));
      const other = await playOnStage(bench, played(drawn));
      const differs = difference(one.history, other.history);
      if (differs !== null)
        throw new BrokenError(
          [{ rule: "deterministic", sentence: `expected the same history twice, got ${differs}` }],
          one.said,
        );
      clean ??= one;
    } catch (error) {
      until = Math.min(until, performance.now() + smallerMs);
      throw error;
    }
  });
  // A replay is that one case: what it was made of is written down for its own commands, not for smaller forms of it.
  const alone = replay === null ? {} : { path: replay.path, endOnFailure: true };
  const result = await fc.check(property, { seed, numRuns: 1, ...alone });
  if (!result.failed) return { clean, failure: null };
  const { errorInstance: error, counterexample, counterexamplePath: path } = result;
  const ran = /replayPath="([^"]*)"/.exec(String(counterexample?.[0][1] ?? ""))?.[1] ?? "";
  const said = error instanceof BrokenError ? error.said : [];
  return {
    clean,
    failure: {
      seed,
      sentence: [textOf(error), ...said].join("\n    "),
      replay: `npm run model -- --seed ${seed} --path ${path} --commands ${ran}`,
    },
  };
}

/** `replayPath`: which of the drawn commands of one sequence made sense, as fast-check writes it down. */
function sequencesOf(replayPath: string | null): fc.Arbitrary<Drawn> {
  const commands = fc.commands(
    weighted.flatMap(({ weight, arbitrary }) =>
      Array.from({ length: weight }, () => arbitrary.map((command) => new Step(command))),
    ),
    { maxCommands: commandsMax, size: "max", ...(replayPath === null ? {} : { replayPath }) },
  );
  return fc.tuple(openings, commands);
}

/** Sequences after which a planted bug counts as one that nobody sees. */
const plantedMax = 25;

export interface PlantedReport {
  readonly bug: string;
  /** How many sequences it took to see it; null: it was not seen. */
  readonly sequences: number | null;
  readonly sentence: string;
}

/** Gives the product one bug after the other, and plays until the model or an invariant sees it. */
export async function runPlanted({ seed: first, say }: Pick<ModelOptions, "seed" | "say">): Promise<PlantedReport[]> {
  const cache = mkdtempSync(join(tmpdir(), "countersign-model-cache-"));
  const sink = await openSink();
  const rows = rowsOf("entra-client-secret", plantedMax * plantedBugs.length + rowsSpare);
  const reports: PlantedReport[] = [];
  let lane: Lane | null = null;
  try {
    lane = await laneOf(first, rows, cache, sink);
    const bench = await benchOf(lane, sink, rows);
    for (const bug of plantedBugs) {
      lane.plant(bug);
      await restart(lane);
      const report = await untilSeen(bench, bug, first);
      say(
        `planted bug ${bug.name}: ${report.sequences === null ? "NOT seen" : `seen after ${report.sequences}`}: ${report.sentence}`,
      );
      reports.push(report);
    }
    return reports;
  } finally {
    await lane?.stop();
    await sink.close();
    rmSync(cache, { recursive: true, force: true });
  }
}

async function untilSeen(bench: Bench, { name: bug, seenBy }: Planted, first: number): Promise<PlantedReport> {
  for (let count = 1; count <= plantedMax; count += 1) {
    const [drawn = [[], []] as const] = fc.sample(sequencesOf(null), { seed: first + count - 1, numRuns: 1 });
    try {
      await playOnStage(bench, played(drawn));
    } catch (error) {
      if (!(error instanceof BrokenError)) throw error;
      const seeing = error.broken.find(({ rule }) => seenBy.includes(rule));
      if (seeing !== undefined) return { bug, sequences: count, sentence: `${seeing.rule}: ${seeing.sentence}` };
    }
  }
  return { bug, sequences: null, sentence: `expected ${seenBy.join(" or ")} to see it in ${plantedMax} sequences` };
}

/**
 * Plays a sequence. What goes wrong with the stage itself (a product that does not come up in time on a machine with much other
 * work) is no word about the product: a fresh process, and once more; what happens twice counts.
 */
async function playOnStage(bench: Bench, commands: Sequence): Promise<Played> {
  try {
    return await play(bench, commands);
  } catch (error) {
    if (error instanceof BrokenError) throw error;
    await restart(bench.lane);
    return play(bench, commands);
  }
}

async function play(bench: Bench, commands: Sequence): Promise<Played> {
  const row = bench.rows.shift();
  if (row === undefined) throw new Error("expected a row that was not used yet, got none");
  const one = await Play.begin(bench, row);
  try {
    await fc.asyncModelRun(() => ({ model: one.model, real: one }), commands);
    return await one.finish();
  } catch (error) {
    await one.abandon();
    throw error;
  } finally {
    await one.world.end();
  }
}

function textOf(error: unknown): string {
  if (error instanceof BrokenError) return error.message;
  return error instanceof Error ? `${error.stack} ${String(error.cause ?? "")}` : String(error);
}

function countsOf(names: readonly string[], seen: readonly string[]): Record<string, number> {
  return Object.fromEntries(names.map((name) => [name, seen.filter((one) => one === name).length]));
}

async function laneOf(seed: number, rows: readonly Row[], cache: string, sink: Sink): Promise<Lane> {
  const lane = await startLane({ seed, rows, cache, vary: (folder) => varied(sink, folder, deadlineMs) });
  try {
    await lane.product.ready.catch(() => restart(lane));
    return lane;
  } catch (error) {
    await lane.stop();
    throw error;
  }
}
