import { setTimeout as delay } from "node:timers/promises";
import { closedStates, type RunState } from "@countersign/core";
import { type Blow, Blows, type Struck } from "./blows.ts";
import { runOf } from "./observe.ts";
import type { Lane } from "./stage/lane.ts";
import { type Row, vaults } from "./stage/names.ts";
import { startWorkloads } from "./stage/tenant.ts";

/** What happened on one row's way, and around the blows that the product was dealt. */
export interface Driven extends Struck {
  readonly run: string | null;
  /** Everything announced of the journal since the last blow; of the whole run where there was none. */
  readonly announced: readonly string[];
  /** Why the run was given up, when it did not end by itself. */
  readonly stuck: string | null;
}

const runDeadlineMs = 120_000;
const planningSeconds = 5;
const stepSeconds = 1_800;
const stepsMax = 40;

/** Rotates one row from request to end; the product is dealt each blow in turn (none: a clean run). */
export async function drive(lane: Lane, row: Row, blows: readonly Blow[], after: number): Promise<Driven> {
  await lane.untilReady();
  await startWorkloads(lane.simulator, [row], lane.folder);
  // Each consumer signs in with the old credential once, so that its last use is known.
  await advance(lane, 10);
  const crash = new Blows(lane, row, blows, after);
  if (row.course === "back" && row.procedure === "entra-client-secret") await refuseCopy(lane, row);
  await crash.arm();
  let moving: Promise<void> | null = null;
  let steps = 0;
  const deadline = performance.now() + runDeadlineMs;
  const ended = (stuck: string | null, run: string | null): Driven => ({
    ...crash.struck(),
    run,
    announced: [...lane.pauses.seen],
    stuck,
  });
  let run: string | null = null;
  try {
    for (;;) {
      if (performance.now() > deadline) return ended("expected the run to end in time, got none", run);
      if (crash.due) await crash.strike(run);
      if (lane.product.fenced()) await lane.untilReady();
      const row_ = await runOf(lane.server.admin, row.name);
      run = row_?.id ?? null;
      await crash.thawIfTime((row_?.state ?? null) as RunState | null, steps);
      if (moving !== null) {
        // A point that was reached stays so: waiting for it again would be no wait at all.
        await Promise.race([moving, delay(50), ...(crash.done ? [] : [crash.reached])]);
        if (crash.due) continue;
        if (!(await isSettled(moving))) continue;
        moving = null;
      }
      if (row_ === null) {
        await crash.unlessReached(lane.people.request(row.name));
        continue;
      }
      const state = row_.state as RunState;
      if (closedStates.has(state)) break;
      const isPlanning = state === "requested" || state === "planned";
      if (steps >= stepsMax) return ended(`expected the run to end, got ${state}`, run);
      if (state === "awaiting_approval") {
        await crash.unlessReached(approve(lane, row_.id));
        continue;
      }
      if (state === "overlapping" && row.course === "back")
        await crash.unlessReached(lane.people.rollBack("ben", row_.id).catch(ignoreProblem));
      // Only after a stall: a value that was published late leaves it to a person.
      if (state === "held" && crash.hasStalled)
        await crash.unlessReached(lane.people.rollBackHeld("cleo", row_.id).catch(ignoreProblem));
      if (!isPlanning) steps += 1;
      // Nothing of a plan takes domain time; a pause after an interruption does.
      if (isPlanning) await delay(20);
      moving = advance(lane, isPlanning ? planningSeconds : stepSeconds);
    }
    await crash.thaw();
    // Orphans are counted 60 s after they can be seen, and a late request of the dead process has landed by then.
    await advance(lane, 130);
    return ended(null, run);
  } finally {
    await crash.end();
    await moving?.catch(() => {});
  }
}

/** The partner's vault refuses what is copied into it: the run has to go back by itself. */
async function refuseCopy(lane: Lane, row: Row): Promise<void> {
  await lane.simulator.post("/faults", {
    op: "secret.set",
    times: "always",
    match: { vault: vaults.partner, secret: row.name },
    position: "before-effect",
    kind: "403",
  });
}

async function approve(lane: Lane, run: string): Promise<void> {
  // After a crash one of them may have decided already: the state of the run says whether more is needed.
  await lane.people.approve("ada", run, "app-owner").catch(ignoreProblem);
  await lane.people.approve("ben", run, "platform").catch(ignoreProblem);
}

function ignoreProblem(error: unknown): void {
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
