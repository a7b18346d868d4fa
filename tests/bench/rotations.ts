import { setTimeout as delay } from "node:timers/promises";
import type { StageApplication } from "../scenarios/documents.ts";
import { Stage } from "../scenarios/stage.ts";
import { logEnd, wavesSince } from "./calls.ts";
import { type FloorWorld, runFloor } from "./floor.ts";
import { startTenantProcess } from "./tenant.ts";

export interface RotationsReport {
  readonly bench: "rotations";
  readonly n: number;
  readonly latencyMs: number;
  readonly inFlight: number;
  /** From all approved and due to all overlapping, real seconds. */
  readonly seconds: number;
  readonly floorSeconds: number;
  readonly ratio: number;
  /** Largest resident size of the product's process, the bench itself included. */
  readonly rssMb: number;
  readonly callsPerRotation: number;
  /** How many of them have to wait for an earlier one. */
  readonly wavesPerRotation: number;
  /** Processor time of the product's process per rotation. */
  readonly cpuMsPerRotation: number;
}

const inFlight = 64;
/** One hour after the tenant's clock starts: everything is approved by then and begins at once. */
const windowOpens = "2026-11-22T21:00:00.000Z";
const liveness = { leaseMs: 10_000, beatMs: 1_000, freshMs: 5_000, callDeadlineMs: 30_000, settleMs: 30_000 };

/** N rotations at once against the same calls without anything around them. */
export async function benchRotations(options: {
  readonly count: number;
  readonly latencyMs: number;
  readonly say: (line: string) => void;
}): Promise<RotationsReport> {
  const { count, latencyMs, say } = options;
  const consumers = ["latest", "copied"] as const;
  const named = (prefix: string, n: number): StageApplication[] =>
    Array.from({ length: n }, (_, index) => ({ name: `app-${prefix}${index}`, consumers }));
  const ours = named("ours", count);
  const floor = named("floor", count);
  const warm = named("warm", 2);
  say(`setting up ${count * 2} applications`);
  const stage = await Stage.open({
    applications: [...warm, ...ours, ...floor],
    liveness,
    tenant: startTenantProcess,
    policy: (yaml) =>
      yaml
        .replaceAll("spacing: PT5S", "spacing: PT0S")
        .replaceAll(
          "windows: always",
          `windows: [{ days: [MO, TU, WE, TH, FR, SA, SU], from: "21:00", to: "24:00", tz: UTC }]`,
        ),
  });
  try {
    const runs: string[] = [];
    for (const { name } of [...warm, ...ours]) runs.push(await stage.file(name));
    await stage.settle();
    say("approving");
    for (const run of runs.slice(warm.length)) await stage.approve(run);

    // The first warms connections and tokens; the second, alone, shows which calls a rotation makes and which of them wait.
    const [first, second] = runs as [string, string];
    const { management } = stage.urls;
    await stage.approve(first);
    await stage.approve(second);
    return { bench: "rotations", n: count, latencyMs, inFlight, ...(await measure()) };

    async function measure() {
      // Held back so that each of them runs alone.
      await holdBack(stage, runs.slice(1));
      await stage.manage("POST", "/clock/advance", { to: windowOpens, limitMs: 60_000 });
      await until(stage, [first], "overlapping");
      await stage.manage("PUT", "/knobs", { preset: "off", slow: 1, slowMs: [latencyMs, latencyMs] });
      const mark = await logEnd(management);
      await letGo(stage, [second]);
      await until(stage, [second], "overlapping");
      const waves = await wavesSince(
        management,
        mark,
        { name: warm[1]?.name ?? "", ...stage.idsOf(warm[1]?.name ?? "") },
        latencyMs,
      );
      const callsPerRotation = waves.reduce((sum, wave) => sum + wave.length, 0);
      say(
        `one rotation: ${callsPerRotation} calls, ${waves.length} of them one after another: ${waves.map((wave) => wave.map(({ op }) => op).join("+")).join(" ")}`,
      );

      say(`${count} rotations, ${inFlight} at a time, ${latencyMs} ms a call`);
      const rss = watchRss();
      const cpu = process.cpuUsage();
      const started = performance.now();
      await letGo(stage, runs.slice(warm.length));
      await until(stage, runs.slice(warm.length), "overlapping");
      const seconds = (performance.now() - started) / 1_000;
      const { user, system } = process.cpuUsage(cpu);
      const rssMb = rss();
      await stage.settle();
      await stage.stop();

      say("the same calls without anything around them");
      const world = (await stage.manage("GET", "/directory")) as Omit<FloorWorld, "tenantId" | "urls"> & {
        tenant: { id: string };
      };
      const applications = floor.map(({ name }) => ({ name, ...stage.idsOf(name) }));
      const floorSeconds = await runFloor(
        { urls: stage.urls, tenantId: world.tenant.id, callers: world.callers },
        applications,
        waves,
        inFlight,
      );
      return {
        seconds: round(seconds),
        floorSeconds: round(floorSeconds),
        ratio: round(seconds / floorSeconds),
        rssMb,
        callsPerRotation,
        wavesPerRotation: waves.length,
        cpuMsPerRotation: round((user + system) / 1_000 / count),
      };
    }
  } finally {
    await stage.close();
  }
}

/** Keeps approved runs from being due, so that the measurement chooses when they begin. */
async function holdBack(stage: Stage, runs: readonly string[]): Promise<void> {
  await stage.asDatabaseOwner((owner) =>
    owner.query("update cs.run set not_before = null where id = any ($1)", [runs]),
  );
}

/** Makes them due now, and says so as the approving transition does. */
async function letGo(stage: Stage, runs: readonly string[]): Promise<void> {
  const due =
    "with due as (update cs.run set not_before = updated_at where id = any ($1) returning id) select pg_notify('cs_due', id) from due";
  await stage.asDatabaseOwner((owner) => owner.query(due, [runs]));
}

/** Waits until all are in that state; looks every 10 ms. */
async function until(stage: Stage, runs: readonly string[], state: string): Promise<void> {
  await stage.asDatabaseOwner(async (owner) => {
    for (;;) {
      const { rows } = await owner.query<{ state: string; n: string }>(
        "select state, count(*) as n from cs.run where id = any ($1) group by state",
        [runs],
      );
      if (rows.length === 1 && rows[0]?.state === state) return;
      const stuck = rows.find((row) => !["approved", "scheduled", "executing", state].includes(row.state));
      if (stuck !== undefined) throw new Error(`expected rotations that succeed, got ${stuck.n} ${stuck.state}`);
      await delay(10);
    }
  });
}

function watchRss(): () => number {
  let largest = process.memoryUsage.rss();
  const watch = new AbortController();
  void (async () => {
    while (!watch.signal.aborted) {
      largest = Math.max(largest, process.memoryUsage.rss());
      await delay(50, undefined, { signal: watch.signal }).catch(() => {});
    }
  })();
  return () => {
    watch.abort();
    return Math.round(largest / 1024 / 1024);
  };
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
