import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { runOf } from "../crash/observe.ts";
import { request } from "../crash/stage/by-hand.ts";
import { type Lane, startLane } from "../crash/stage/lane.ts";
import { type Row, rowsOf } from "../crash/stage/names.ts";
import { startWorkloads } from "../crash/stage/tenant.ts";

export interface ParkedReport {
  readonly bench: "parked";
  readonly n: number;
  /** From the last approval to the first move of the run, with all of them parked; median. */
  readonly seconds: number;
  /** The same with none parked. */
  readonly floorSeconds: number;
  readonly ratio: number;
  /** Resident size of the product's process, every role in it, at the end of the idle time. */
  readonly rssMb: number;
  /** Commits in the product's database while nothing happens, ours for looking included. */
  readonly commitsPerSecond: number;
  /** Of one core: the product's process, and all of PostgreSQL. */
  readonly cpuPercent: { readonly product: number; readonly database: number };
  readonly approveToStartMs: { readonly median: number; readonly largest: number };
}

const idleMs = 20_000;
const approvalsEach = 5;
/** The product's own defaults: the shorter ones of the suites would beat more often. */
const liveness = { leaseMs: 10_000, beatMs: 1_000, freshMs: 5_000, callDeadlineMs: 30_000, settleMs: 30_000 };

/** Runs that wait are rows: what do many of them cost while nothing happens, and does one that is approved start later? */
export async function benchParked(options: {
  readonly count: number;
  readonly say: (line: string) => void;
}): Promise<ParkedReport> {
  const { count, say } = options;
  const rows = rowsOf("entra-client-secret", 1 + 2 * approvalsEach);
  const cache = mkdtempSync(join(tmpdir(), "countersign-bench-"));
  const lane = await startLane({ seed: 1, rows, cache, vary: () => ({ liveness }) });
  try {
    await lane.product.ready;
    const [template, ...others] = rows as [Row, ...Row[]];
    say("one run until it overlaps");
    await approvable(lane, template);
    await approve(lane, template);
    await reach(lane, template, "overlapping");
    say("approvals with nothing parked");
    const floor = await approvals(lane, others.slice(0, approvalsEach));
    say(`parking ${count} runs`);
    await park(lane, template, count);
    await lane.product.end();
    await lane.start().ready;
    await lane.simulator.post("/clock/rate", { rate: 1 });
    await delay(3_000);
    say(`idle for ${idleMs / 1_000} s`);
    const before = await figures(lane);
    await delay(idleMs);
    const after = await figures(lane);
    const seconds = (after.at - before.at) / 1_000;
    await lane.simulator.post("/clock/rate", { rate: 0 });
    say("approvals with all parked");
    const parked = await approvals(lane, others.slice(approvalsEach));
    return {
      bench: "parked",
      n: count,
      seconds: round(median(parked) / 1_000),
      floorSeconds: round(median(floor) / 1_000),
      ratio: round(median(parked) / median(floor)),
      rssMb: Math.round(after.rssKb / 1_024),
      commitsPerSecond: round((after.commits - before.commits) / seconds),
      cpuPercent: {
        product: round((after.productMs - before.productMs) / seconds / 10),
        database: round((after.databaseMs - before.databaseMs) / seconds / 10),
      },
      approveToStartMs: { median: Math.round(median(parked)), largest: Math.round(Math.max(...parked)) },
    };
  } finally {
    await lane.stop();
    rmSync(cache, { recursive: true, force: true });
  }
}

/** Copies of a run that overlaps, each due by itself on another day. */
async function park(lane: Lane, template: Row, count: number): Promise<void> {
  const run = await runOf(lane.server.admin, template.name);
  await lane.server.admin.query(
    `insert into cs.run select (jsonb_populate_record(null::cs.run, to_jsonb(r) || jsonb_build_object(
       'id', 'run_' || left(md5(n::text), 26), 'target_key', 'parked-' || n, 'worker', null,
       'not_before', r.updated_at + (10 + n % 20) * 86400000::bigint + n))).*
     from cs.run r, generate_series(1, $2::int) n where r.id = $1`,
    [run?.id, count],
  );
  await lane.server.admin.query("vacuum analyze cs.run");
}

/** Requests a run for each row and measures from the answer to the last approval to the run's first move, real ms. */
async function approvals(lane: Lane, rows: readonly Row[]): Promise<number[]> {
  const took: number[] = [];
  for (const row of rows) {
    await approvable(lane, row);
    const approved = approve(lane, row);
    await reach(lane, row, "approved");
    const started = performance.now();
    await approved;
    await moved(lane, row);
    took.push(performance.now() - started);
  }
  return took;
}

async function approvable(lane: Lane, row: Row): Promise<void> {
  await startWorkloads(lane, [row]);
  await advance(lane, 10);
  await request(lane, row);
  await advance(lane, 5);
  await reach(lane, row, "awaiting_approval");
}

async function approve(lane: Lane, row: Row): Promise<void> {
  const id = (await runOf(lane.server.admin, row.name))?.id ?? "";
  await lane.people.approve("ada", id, "app-owner");
  await lane.people.approve("ben", id, "platform");
}

const order = ["requested", "planned", "awaiting_approval", "approved", "scheduled", "executing", "overlapping"];

/** Waits until the run is in that state or beyond; moves domain time only where the run waits for it. */
async function reach(lane: Lane, row: Row, state: string): Promise<void> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    const now = (await runOf(lane.server.admin, row.name))?.state ?? "requested";
    if (order.indexOf(now) >= order.indexOf(state)) return;
    if (performance.now() > deadline || !order.includes(now)) throw new Error(`expected ${state}, got ${now}`);
    if (state === "overlapping") await advance(lane, 60);
    else await delay(1);
  }
}

async function moved(lane: Lane, row: Row): Promise<void> {
  while ((await runOf(lane.server.admin, row.name))?.state === "approved") await delay(1);
}

async function advance(lane: Lane, seconds: number): Promise<void> {
  await lane.simulator.post("/clock/advance", { by: seconds, limitMs: 60_000 });
}

async function figures(lane: Lane) {
  const { rows } = await lane.server.admin.query<{ commits: string; folder: string }>(
    "select xact_commit as commits, current_setting('data_directory') as folder from pg_stat_database where datname = current_database()",
  );
  const server = readFileSync(join(rows[0]?.folder ?? "", "postmaster.pid"), "utf8").split("\n")[0] ?? "";
  const children = readFileSync(`/proc/${server}/task/${server}/children`, "utf8").trim().split(" ");
  const rss = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${lane.product.pid}/status`, "utf8"))?.[1];
  return {
    at: performance.now(),
    commits: Number(rows[0]?.commits),
    rssKb: Number(rss),
    productMs: cpuMs(String(lane.product.pid)),
    databaseMs: [server, ...children].reduce((sum, pid) => sum + cpuMs(pid), 0),
  };
}

/** User and system time of a process so far; 0 for one that has gone. */
function cpuMs(pid: string): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return 0;
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
