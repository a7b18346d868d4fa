import { setTimeout as delay } from "node:timers/promises";
import { closedStates, type RunState } from "@countersign/core";
import { matchFor } from "../crash/points.ts";
import type { Lane } from "../crash/stage/lane.ts";
import type { Row } from "../crash/stage/names.ts";
import { startWorkloads, stopWorkloads } from "../crash/stage/tenant.ts";
import type { Cell } from "./cells.ts";
import { staleSeconds } from "./kinds.ts";

/** A cell with the row that it is tried on. */
export interface Placed {
  readonly cell: Cell;
  readonly row: Row;
}

/** Where a row's run came to rest: while the fault lasted, and after it was mended and a held run was taken up again. */
export interface Rest {
  readonly run: string | null;
  readonly state: string;
}

/** Virtual seconds per step: short at first, while a run works; then longer, up to the day after which absence counts. */
const stepSeconds = [
  5, 5, 30, 60, 300, 900, 1_800, 1_800, 1_800, 1_800, 3_600, 3_600, 7_200, 14_400, 43_200, 43_200, 86_400,
];
const batchDeadlineMs = 120_000;
/** Orphans are counted 60 s after they can be seen. */
const orphanSeconds = 130;

/** Arms the faults of a batch, lets every row rotate at the same time, and returns where each came to rest. */
export async function rotateAll(lane: Lane, batch: readonly Placed[]): Promise<Map<Row, Rest>> {
  for (const { row } of batch) await startWorkloads(lane.simulator, row, lane.folder);
  await advance(lane, 10);
  for (const { cell, row } of batch) await arm(lane, cell, row);
  for (const { row } of batch) await lane.people.request(row.name);
  const approved = new Set<string>();
  const deadline = performance.now() + batchDeadlineMs;
  for (const seconds of stepSeconds) {
    await advance(lane, seconds);
    const runs = await runsOf(lane, batch);
    for (const { id, state } of runs.values()) {
      if (state !== "awaiting_approval" || approved.has(id)) continue;
      approved.add(id);
      await lane.people.approve("ada", id, "app-owner");
      await lane.people.approve("ben", id, "platform");
    }
    if (batch.every(({ row }) => isAtRest(runs.get(row.name)?.state))) break;
    if (performance.now() > deadline) break;
  }
  await advance(lane, orphanSeconds);
  const runs = await runsOf(lane, batch);
  return new Map(
    batch.map(({ row }) => {
      const found = runs.get(row.name);
      return [row, { run: found?.id ?? null, state: found?.state ?? "none" }];
    }),
  );
}

/** Ends what went wrong. */
export async function mend(lane: Lane): Promise<void> {
  await lane.simulator.clear();
  await lane.simulator.put("/knobs", { preset: "off" });
}

/** A person takes a held run up again; returns where it came to rest then. */
export async function resumeHeld(
  lane: Lane,
  batch: readonly Placed[],
  held: ReadonlySet<string>,
): Promise<Map<Row, string>> {
  const security = await lane.people.of("cleo");
  for (const id of held)
    await security.decideHold({
      params: { id },
      body: { choice: "retry", reason: "the fault is mended" },
      headers: { "idempotency-key": `mended-${id}` },
    });
  for (const seconds of stepSeconds) {
    await advance(lane, seconds);
    const runs = await runsOf(lane, batch);
    if ([...runs.values()].every(({ id, state }) => !held.has(id) || closedStates.has(state as RunState))) break;
  }
  const runs = await runsOf(lane, batch);
  return new Map(batch.map(({ row }) => [row, runs.get(row.name)?.state ?? "none"]));
}

export async function stopAll(lane: Lane, batch: readonly Placed[]): Promise<void> {
  for (const { row } of batch) await stopWorkloads(lane.simulator, row);
}

function isAtRest(state: string | undefined): boolean {
  return state !== undefined && (state === "held" || closedStates.has(state as RunState));
}

async function arm(lane: Lane, { fault }: Cell, row: Row): Promise<void> {
  if (fault === null) {
    await lane.simulator.put("/knobs", { visibilityLagSeconds: [staleSeconds, staleSeconds] });
    return;
  }
  const { kind } = fault;
  await lane.simulator.post("/faults", {
    op: fault.shape.op,
    nth: fault.nth,
    times: fault.always ? "always" : 1,
    match: matchFor(fault.shape, row, lane.directory),
    position: kind.position,
    kind: kind.kind,
    ...(kind.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: kind.retryAfterSeconds }),
    ...(kind.delayMs === undefined ? {} : { delayMs: kind.delayMs }),
  });
}

/** The newest run of each row of the batch. */
async function runsOf(lane: Lane, batch: readonly Placed[]): Promise<Map<string, { id: string; state: string }>> {
  const { rows } = await lane.server.admin.query<{ target_key: string; id: string; state: string }>(
    "select distinct on (target_key) target_key, id, state from cs.run where target_key = any ($1) order by target_key, created_at desc, id desc",
    [batch.map(({ row }) => row.name)],
  );
  return new Map(rows.map((row) => [row.target_key, row]));
}

async function advance(lane: Lane, seconds: number): Promise<void> {
  await lane.simulator.post("/clock/advance", { by: seconds, limitMs: 60_000 });
  await delay(0);
}
