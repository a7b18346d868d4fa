import { closedStates, type RunState } from "@countersign/core";
import { ignoreProblem, wayOf } from "../crash/drive.ts";
import { matchFor } from "../crash/points.ts";
import { approversOf, moveByHand, request } from "../crash/stage/by-hand.ts";
import type { Lane } from "../crash/stage/lane.ts";
import type { Row } from "../crash/stage/names.ts";
import { startWorkloads, stopWorkloads } from "../crash/stage/tenant.ts";
import { armOf, type Cell } from "./cells.ts";
import { inParts } from "./parts.ts";

/** A cell with the row that it is tried on, and where its run came to rest. */
export interface Trial {
  readonly cell: Cell;
  readonly row: Row;
  /** Rules of the simulator that are about this row. */
  readonly rules: string[];
  /** Whether the cell's own rule has hit a call. */
  fired: boolean;
  run: string | null;
  state: string;
  /** Virtual ms since when it rests; null while it moves. */
  restedAt: number | null;
  /** The fault was mended and a person has taken the held run up again. */
  mended: boolean;
  /** A person has asked for the roll back. */
  asked: boolean;
  /** Which ways an owner was asked to move what lives on a named secret. */
  askedByHand: readonly ("do" | "undo")[];
  /** Which ways an owner has moved what lives on a named secret. */
  readonly movedByHand: Set<"do" | "undo">;
  over: boolean;
}

/** What a batch does with runs that have come to rest. */
export interface Judges {
  /** While the fault lasts; and once more after a held run was taken up again. */
  rested(trials: readonly Trial[]): Promise<void>;
}

/** Virtual seconds per step: short at first, while a run works; then longer, up to the day after which absence counts. */
const stepSeconds = [5, 5, 30, 60, 300, 600, 900];
const laterSeconds = 1_800;
const muchLaterSeconds = 7_200;
const stepsLater = 24;
const stepsMax = 60;
/** Waits that end this close together end at the same time: what each run waits for by itself, all wait for at once. */
const grainMs = 10_000;
/** The same in steps of minutes, when nearly all runs are in their overlap. */
const grainLaterMs = 60_000;
const laterFromSeconds = 300;
/** So long may the product work at one instant (real time); then it hangs. */
const busyMinutesMax = 5;
/** From coming to rest until it is judged: orphans are counted after 60 s, and every consumer has read and signed in again by then. */
const restMs = 900_000;

export function trialOf(cell: Cell, row: Row): Trial {
  return {
    cell,
    row,
    rules: [],
    fired: false,
    run: null,
    state: "none",
    restedAt: null,
    mended: false,
    asked: false,
    askedByHand: [],
    movedByHand: new Set(),
    over: false,
  };
}

/** Lets every row rotate at the same time, each with its fault; a held run is mended and taken up again. Returns what never rested. */
export async function rotateAll(
  lane: Lane,
  batch: readonly Trial[],
  judges: Judges,
  signal: AbortSignal,
): Promise<readonly Trial[]> {
  await startWorkloads(
    lane,
    batch.map(({ row }) => row),
  );
  await advance(lane, 10);
  await inParts(batch, (trial) => arm(lane, trial));
  await inParts(batch, ({ row }) => request(lane, row));
  const approved = new Set<string>();
  for (let step = 0; step < stepsMax && !signal.aborted; step += 1) {
    const open = batch.filter(({ over }) => !over);
    if (open.length === 0) break;
    const now = await advance(lane, stepSeconds[step] ?? (step < stepsLater ? laterSeconds : muchLaterSeconds));
    await lookAt(lane, open, now);
    await inParts(
      open.filter(({ run, state }) => state === "awaiting_approval" && run !== null && !approved.has(run)),
      async ({ row, run }) => {
        approved.add(run ?? "");
        for (const [login, role] of approversOf(row)) await lane.people.approve(login, run ?? "", role);
      },
    );
    await inParts(
      open.filter(({ cell, state, asked }) => cell.story.asksBack === true && state === "overlapping" && !asked),
      (trial) => askBack(lane, trial),
    );
    await inParts(
      open.flatMap((trial) => {
        const way = wayOf(trial.state);
        // A run that goes back before the step was made asks nobody to put anything back.
        const wanted = way !== null && trial.askedByHand.includes(way) && !trial.movedByHand.has(way);
        return wanted ? [{ trial, way }] : [];
      }),
      async ({ trial, way }) => {
        if (trial.cell.story.asksBack === true && way === "do") return;
        const moved = moveByHand(lane, trial.row, trial.run ?? "", way);
        await moved.then(() => void trial.movedByHand.add(way), ignoreProblem);
      },
    );
    const rested = open.filter(({ restedAt }) => restedAt !== null && now - restedAt >= restMs);
    // Knobs are for all rows: they are turned back once nobody needs them any more.
    if (rested.length === 0 || (rested.some(hasKnobs) && rested.length < open.length)) continue;
    // Whoever looks at the tenant must not run into the fault; nothing moves meanwhile, time stands still.
    await noteFired(lane, rested);
    await inParts(rested, (trial) => disarm(lane, trial));
    await judges.rested(rested);
    await inParts(rested, (trial) =>
      (trial.state === "held" || trial.state === "overdue") && !trial.mended ? takeUp(lane, trial) : end(lane, trial),
    );
  }
  const never = batch.filter(({ over }) => !over);
  await noteFired(lane, never);
  await inParts(never, (trial) => end(lane, trial));
  return signal.aborted ? [] : never;
}

function hasKnobs({ cell, mended }: Trial): boolean {
  return cell.knobs !== null && !mended;
}

async function askBack(lane: Lane, trial: Trial): Promise<void> {
  trial.asked = true;
  const platform = await lane.people.of("ben");
  await platform.rollBack({ params: { id: trial.run ?? "" }, body: { reason: "the release was called off" } });
}

/** The fault is mended, and a person says that the held run may go on; one that is overdue goes on by itself. */
async function takeUp(lane: Lane, trial: Trial): Promise<void> {
  const isHeld = trial.state === "held";
  trial.mended = true;
  trial.restedAt = null;
  if (!isHeld) return;
  const security = await lane.people.of("cleo");
  await security.decideHold({
    params: { id: trial.run ?? "" },
    body: { choice: "retry", reason: "the fault is mended" },
    headers: { "idempotency-key": `mended-${trial.run}` },
  });
}

async function end(lane: Lane, trial: Trial): Promise<void> {
  trial.over = true;
  await disarm(lane, trial);
  await stopWorkloads(lane.simulator, trial.row);
}

interface Found {
  readonly target_key: string;
  readonly id: string;
  readonly state: string;
  readonly overdue: boolean;
  readonly by_hand: readonly ("do" | "undo")[];
}

async function lookAt(lane: Lane, trials: readonly Trial[], now: number): Promise<void> {
  const { rows } = await lane.server.admin.query<Found>(
    `select distinct on (target_key) target_key, id, state, state = 'overlapping' and exists (
       select from journal.log_entry e where e.run_id = r.id and e.type = 'notice.sent' and encode(e.entry, 'escape') like '%"run.overdue"%'
     ) as overdue, array(
       select case n.kind when 'step.asked' then 'do' else 'undo' end from cs.notice n where n.run_id = r.id and n.kind in ('step.asked', 'step.asked-back')
     ) as by_hand from cs.run r where target_key = any ($1) order by target_key, created_at desc, id desc`,
    [trials.map(({ row }) => row.name)],
  );
  const newest = new Map(rows.map((row) => [row.target_key, row]));
  for (const trial of trials) {
    const found = newest.get(trial.row.name);
    trial.run = found?.id ?? null;
    trial.askedByHand = found?.by_hand ?? [];
    // A gate that stays shut is waited for without end, and people were told: so it rests as long as its fault lasts.
    const waits = found?.overdue === true && trial.cell.fault?.always === true && !trial.mended;
    trial.state = waits ? "overdue" : (found?.state ?? "none");
    if (!isAtRest(trial.state)) trial.restedAt = null;
    else trial.restedAt ??= now;
  }
}

function isAtRest(state: string): boolean {
  return state === "held" || state === "overdue" || closedStates.has(state as RunState);
}

async function arm(lane: Lane, trial: Trial): Promise<void> {
  for (const body of armOf(trial.cell, (shape) => matchFor(shape, trial.row, lane.directory))) {
    const { id } = (await lane.simulator.post("/faults", body)) as { id: string };
    trial.rules.push(id);
  }
  if (trial.cell.knobs !== null) await lane.simulator.put("/knobs", trial.cell.knobs);
}

async function noteFired(lane: Lane, trials: readonly Trial[]): Promise<void> {
  const { rules } = (await lane.simulator.get("/faults")) as {
    readonly rules: readonly { readonly id: string; readonly fired: number }[];
  };
  const fired = new Set(rules.filter((rule) => rule.fired > 0).map(({ id }) => id));
  for (const trial of trials) if (fired.has(trial.rules.at(-1) ?? "")) trial.fired = true;
}

async function disarm(lane: Lane, trial: Trial): Promise<void> {
  for (const id of trial.rules.splice(0)) await lane.simulator.delete(`/faults/${id}`);
  if (trial.cell.knobs !== null) await lane.simulator.put("/knobs", { preset: "off" });
}

/** Moves the clock; returns what it says then, virtual ms. A machine that is short of time is waited for, minute by minute. */
export async function advance(lane: Lane, seconds: number): Promise<number> {
  const grain = seconds < laterFromSeconds ? grainMs : grainLaterMs;
  const now = async () => Date.parse(((await lane.simulator.get("/clock")) as { now: string }).now);
  const to = new Date((await now()) + seconds * 1_000).toISOString();
  for (let minutes = 1; ; minutes += 1) {
    try {
      await lane.simulator.post("/clock/advance", { to, limitMs: 60_000, grainMs: grain });
      return await now();
    } catch (error) {
      const busy = error instanceof Error && error.message.includes("clients-busy");
      if (!busy || minutes === busyMinutesMax) throw error;
    }
  }
}
