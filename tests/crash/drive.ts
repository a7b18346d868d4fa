import { setTimeout as delay } from "node:timers/promises";
import { closedStates, type RunState } from "@countersign/core";
import { Blows, type Struck, type Target } from "./blows.ts";
import { runsOf } from "./observe.ts";
import { approversOf, moveByHand, request } from "./stage/by-hand.ts";
import type { Lane } from "./stage/lane.ts";
import { isNamed, type Row, seated, vaults } from "./stage/names.ts";
import { startWorkloads } from "./stage/tenant.ts";

/** What happened on one row's way, and around the blows that the product was dealt. */
export interface Driven extends Struck {
  readonly run: string | null;
  /** Everything announced of the journal since the last blow; of the whole run where there was none. */
  readonly announced: readonly string[];
  /** Why the run was given up, when it did not end by itself. */
  readonly stuck: string | null;
}

/** Without the waits for whoever is struck: there may be two of each. */
const runDeadlineMs = 120_000;
const planningSeconds = 5;
const stepSeconds = 1_800;
const stepsMax = 40;

/** Rotates these rows from request to end at the same time; the product is dealt each blow in turn (none: clean runs). */
export async function drive(lane: Lane, targets: readonly Target[], after: number): Promise<Driven[]> {
  await lane.untilReady();
  const rows = targets.map(({ row }) => row);
  await startWorkloads(lane, rows);
  // Each consumer signs in with the old credential once, so that its last use is known.
  await advance(lane, 10);
  const crash = new Blows(lane, targets, after);
  for (const row of rows)
    if (row.course === "back" && row.procedure === "entra-client-secret") await refuseCopy(lane, row);
  await crash.arm();
  let moving: Promise<void> | null = null;
  let steps = 0;
  const moved = new Set<string>();
  let runs: ReadonlyMap<string, { readonly id: string; readonly state: string }> = new Map();
  const { leaseMs, callDeadlineMs, settleMs } = lane.liveness;
  const deadline = performance.now() + runDeadlineMs + 2 * (leaseMs + callDeadlineMs + settleMs);
  const ended = (stuck: string | null) =>
    rows.map((row): Driven => {
      const run = runs.get(row.name);
      const isOpen = run === undefined || !closedStates.has(run.state as RunState);
      return {
        ...crash.struck(row),
        run: run?.id ?? null,
        announced: lane.pauses.seen
          .filter((one) => one.run === run?.id)
          .map(({ call, position }) => `${call}@${position}`),
        stuck: isOpen && stuck !== null ? `${stuck}, got ${run?.state ?? "no run"}` : null,
      };
    });
  try {
    for (;;) {
      if (performance.now() > deadline) return ended("expected the run to end in time");
      if (crash.due) await crash.strike();
      if (lane.product.fenced()) await lane.untilReady();
      runs = await runsOf(lane.server.admin, rows);
      for (const row of rows) {
        const run = runs.get(row.name);
        if (run !== undefined) crash.runIs(row, run.id);
      }
      const states = rows.map((row) => (runs.get(row.name)?.state ?? null) as RunState | null);
      await crash.thawIfTime(states, steps);
      if (moving !== null) {
        // A point that was reached stays so: waiting for it again would be no wait at all.
        await Promise.race([moving, delay(50), ...(crash.done ? [] : [crash.reached])]);
        if (crash.due) continue;
        if (!(await isSettled(moving))) continue;
        moving = null;
      }
      const acts = rows.flatMap((row) => actsFor(lane, crash, row, runs.get(row.name), moved));
      if (acts.length > 0) {
        const asked = acts.filter(({ isMore }) => !isMore);
        await crash.unlessReached(Promise.all(acts.map(({ act }) => act())));
        if (asked.length > 0) continue;
      }
      if (states.every((state) => state !== null && closedStates.has(state))) break;
      const isPlanning = states.some((state) => state === "requested" || state === "planned");
      if (steps >= stepsMax) return ended("expected the run to end");
      if (!isPlanning) steps += 1;
      // Nothing of a plan takes domain time; a pause after an interruption does.
      if (isPlanning) await delay(20);
      moving = advance(lane, isPlanning ? planningSeconds : stepSeconds);
    }
    await crash.thaw();
    // Orphans are counted 60 s after they can be seen, and a late request of the dead process has landed by then.
    await advance(lane, 130);
    return ended(null);
  } finally {
    await crash.end();
    await moving?.catch(() => {});
  }
}

/** What people do for a run in this state. `isMore`: time goes on all the same. */
function actsFor(
  lane: Lane,
  crash: Blows,
  row: Row,
  run: { readonly id: string; readonly state: string } | undefined,
  moved: Set<string>,
): { readonly act: () => Promise<void>; readonly isMore: boolean }[] {
  const asks = (act: () => Promise<void>, isMore = false) => [{ act, isMore }];
  if (run === undefined)
    return asks(async () => {
      crash.runIs(row, await request(lane, row));
    });
  if (run.state === "awaiting_approval") return asks(() => approve(lane, row, run.id));
  if (run.state === "overlapping" && row.course === "back")
    return asks(() => lane.people.rollBack("ben", run.id).catch(ignoreProblem), true);
  const way = isNamed(row) ? wayOf(run.state) : null;
  if (way !== null && !moved.has(`${way} ${run.id}`))
    return asks(
      () => moveByHand(lane, row, run.id, way).then(() => void moved.add(`${way} ${run.id}`), ignoreProblem),
      true,
    );
  // Only after a stall: a value that was published late leaves it to a person.
  if (run.state === "held" && crash.hasStalled)
    return asks(() => lane.people.rollBackHeld("cleo", run.id).catch(ignoreProblem), true);
  return [];
}

/** Which way an owner moves by hand what lives on a named secret. */
export function wayOf(state: string): "do" | "undo" | null {
  return state === "overlapping" ? "do" : state === "rolling_back" ? "undo" : null;
}

/** The partner's vault refuses what is copied into it: the run has to go back by itself. */
async function refuseCopy(lane: Lane, row: Row): Promise<void> {
  await lane.simulator.post("/faults", {
    op: "secret.set",
    times: "always",
    match: { vault: seated(vaults.partner, row.seat), secret: row.name },
    position: "before-effect",
    kind: "403",
  });
}

async function approve(lane: Lane, row: Row, run: string): Promise<void> {
  // After a crash one of them may have decided already: the state of the run says whether more is needed.
  for (const [login, role] of approversOf(row)) await lane.people.approve(login, run, role).catch(ignoreProblem);
}

/** A person who is refused has come too late, and looks again. */
export function ignoreProblem(error: unknown): void {
  if (error instanceof Error && error.name === "ProblemError") return;
  throw error;
}

async function advance(lane: Lane, seconds: number): Promise<void> {
  await lane.simulator.post("/clock/advance", { by: seconds, limitMs: 60_000 });
}

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol("pending");
  return (await Promise.race([promise, Promise.resolve(pending)])) !== pending;
}
