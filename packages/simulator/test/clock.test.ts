import { afterEach, expect, test } from "vitest";
import { startTenant, type TestTenant } from "./tenant.ts";

let tenant: TestTenant;
afterEach(() => tenant.close());

interface Tick {
  now: string;
  seq: number;
}

/** A client of the clock as a foreign process would be: stream in, reports out. */
async function follow(name: string, onTick: (tick: Tick) => Promise<string | null | undefined>) {
  const abort = new AbortController();
  const { management } = tenant.simulator.urls;
  const response = await fetch(`${management}/clock/stream?client=${name}`, { signal: abort.signal });
  const ticks: Tick[] = [];
  const run = async (): Promise<void> => {
    let buffer = "";
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      buffer += chunk;
      for (let end = buffer.indexOf("\n\n"); end >= 0; end = buffer.indexOf("\n\n")) {
        const data = /^data: (.+)$/m.exec(buffer.slice(0, end))?.[1];
        buffer = buffer.slice(end + 2);
        if (data === undefined) continue;
        const tick = JSON.parse(data) as Tick;
        ticks.push(tick);
        const idleUntil = await onTick(tick);
        if (idleUntil !== undefined)
          await tenant.manage("POST", "/clock/idle", { client: name, seq: tick.seq, idleUntil });
      }
    }
  };
  const ended = run().catch(() => undefined);
  return {
    ticks,
    close: async () => {
      abort.abort();
      await ended;
    },
  };
}

const workloads = {
  applications: [{ name: "billing", secrets: [{ name: "current", expiresInDays: 30 }] }],
  vaults: [{ name: "prod" }],
  vaultEntries: [{ vault: "prod", secret: "billing", from: { application: "billing", secret: "current" } }],
  workloads: Array.from({ length: 6 }, (_, index) => ({
    name: `w${index}`,
    kind: "entra-latest" as const,
    application: "billing",
    vault: "prod",
    secret: "billing",
    intervalSeconds: 600,
    cacheSeconds: 3600,
  })),
};

test("advancing stops at each client's time and never passes one", async () => {
  tenant = await startTenant();
  const wakes = ["2026-11-22T13:30:00.000Z", "2026-11-22T18:00:00.000Z"];
  const client = await follow("engine", async ({ now }) => wakes.find((at) => at > now) ?? null);
  const { body } = await tenant.manage("POST", "/clock/advance", { by: "P1D" });
  expect(body).toEqual({ now: "2026-11-23T12:00:00.000Z", steps: 3, events: 0 });
  expect([...new Set(client.ticks.map((tick) => tick.now))]).toEqual([
    "2026-11-22T12:00:00.000Z",
    ...wakes,
    "2026-11-23T12:00:00.000Z",
  ]);
  await client.close();
});

test("with a grain, wake-ups that lie close together fall together: late by less than the grain, and never early", async () => {
  tenant = await startTenant();
  const wakes = ["12:00:02", "12:00:05", "12:00:07", "12:01:00"].map((time) => `2026-11-22T${time}.000Z`);
  const client = await follow("engine", async ({ now }) => wakes.find((at) => at > now) ?? null);
  const { body } = await tenant.manage("POST", "/clock/advance", { by: 3600, grainMs: 5_000 });
  expect(body).toMatchObject({ now: "2026-11-22T13:00:00.000Z", steps: 4 });
  expect([...new Set(client.ticks.map(({ now }) => now.slice(11, 19)))]).toEqual([
    "12:00:00",
    "12:00:05",
    "12:00:10",
    "12:01:00",
    "13:00:00",
  ]);
  expect((await tenant.manage("POST", "/clock/advance", { by: 60, grainMs: -1 })).status).toBe(400);
  await client.close();
});

test("the slowest of several clients is waited for at each step", async () => {
  tenant = await startTenant();
  const order: string[] = [];
  const fast = await follow("fast", async () => null);
  const slow = await follow("slow", async ({ now }) => {
    await new Promise((resolve) => setImmediate(resolve));
    order.push(now);
    return now < "2026-11-22T14:00:00.000Z" ? "2026-11-22T14:00:00.000Z" : null;
  });
  await tenant.manage("POST", "/clock/advance", { by: "P1D" });
  expect([...new Set(order)]).toEqual([
    "2026-11-22T12:00:00.000Z",
    "2026-11-22T14:00:00.000Z",
    "2026-11-23T12:00:00.000Z",
  ]);
  await fast.close();
  await slow.close();
});

test("what one client hands to another, which had reported already, is done before time moves on", async () => {
  tenant = await startTenant();
  const handed: string[] = [];
  const done: { now: string; work: string }[] = [];
  const executor = await follow("executor", async ({ now }) => {
    done.push(...handed.splice(0).map((work) => ({ now, work })));
    return null;
  });
  const reported = async (): Promise<number | undefined> =>
    (await tenant.manage("GET", "/clock/clients")).body.clients.find(
      (view: { client: string }) => view.client === "executor",
    )?.seq;
  const scanner = await follow("scanner", async ({ now, seq }) => {
    if (now < "2026-11-22T14:00:00.000Z") return "2026-11-22T14:00:00.000Z";
    await expect.poll(reported).toBe(seq);
    if (done.length === 0 && handed.length === 0) handed.push("a run");
    return null;
  });
  await tenant.manage("POST", "/clock/advance", { by: "P1D" });
  expect(done).toEqual([{ now: "2026-11-22T14:00:00.000Z", work: "a run" }]);
  await executor.close();
  await scanner.close();
});

test("a client that does not report idle is named, and the clock stays where it is", async () => {
  tenant = await startTenant();
  const client = await follow("stuck", async () => undefined);
  const answer = await tenant.manage("POST", "/clock/advance", { by: 60, limitMs: 100 });
  expect(answer.status).toBe(409);
  expect(answer.body).toMatchObject({
    error: "clients-busy",
    clients: [{ client: "stuck" }],
    now: "2026-11-22T12:00:00.000Z",
  });
  await client.close();
  await expect.poll(async () => (await tenant.manage("GET", "/clock/clients")).body.clients).toEqual([]);
  expect((await tenant.manage("POST", "/clock/advance", { by: 60 })).status).toBe(200);
});

test("a report whose time has come already means busy", async () => {
  tenant = await startTenant();
  const client = await follow("late", async ({ now }) => now);
  expect((await tenant.manage("POST", "/clock/advance", { by: 60, limitMs: 100 })).status).toBe(409);
  await client.close();
});

test("workloads sign in at their own times on the way, two weeks in well under five seconds", async () => {
  tenant = await startTenant({ scenario: workloads });
  const wakes = Array.from({ length: 100 }, (_, index) =>
    new Date(Date.parse("2026-11-22T12:00:00Z") + (index + 1) * 12_000_000).toISOString(),
  );
  const client = await follow("engine", async ({ now }) => wakes.find((at) => at > now) ?? null);
  const started = performance.now();
  const { body } = await tenant.manage("POST", "/clock/advance", { by: "P14D" });
  const seconds = (performance.now() - started) / 1000;
  expect(body.events).toBe(6 * 144 * 14);
  expect(body.steps).toBe(101);
  expect(seconds).toBeLessThan(5);
  const { entries } = (await tenant.manage("GET", "/effects?workload=w0&limit=10000")).body;
  const gaps = entries
    .slice(1)
    .map((entry: { at: string }, index: number) => Date.parse(entry.at) - Date.parse(entries[index].at));
  expect(new Set(gaps)).toEqual(new Set([600_000]));
  await client.close();
});

test("with a rate the clock moves by itself and a busy client holds it", async () => {
  tenant = await startTenant();
  await tenant.manage("POST", "/clock/rate", { rate: 3600 });
  const now = async () => (await tenant.manage("GET", "/clock")).body.now as string;
  await expect.poll(now, { timeout: 3000 }).not.toBe("2026-11-22T12:00:00.000Z");
  const client = await follow("stuck", async () => undefined);
  const before = await now();
  const later = await tenant.manage("POST", "/clock/advance", { by: 1, limitMs: 600 });
  expect(later.status).toBe(409);
  expect(Date.parse(await now()) - Date.parse(before)).toBeLessThanOrEqual(900_000);
  await tenant.manage("POST", "/clock/rate", { rate: 0 });
  await client.close();
});

test("the simulator ends at once, also while a busy client holds the clock", async () => {
  tenant = await startTenant();
  const client = await follow("stuck", async () => undefined);
  const advance = tenant.manage("POST", "/clock/advance", { by: "P1D" }).catch(() => "cut off");
  await expect.poll(() => client.ticks.length).toBeGreaterThan(1);
  const started = performance.now();
  await tenant.close();
  expect(performance.now() - started).toBeLessThan(2000);
  await advance;
  await client.close();
  tenant = await startTenant();
});

test("time never goes back, and what is malformed is refused", async () => {
  tenant = await startTenant();
  const statuses = [];
  for (const body of [
    { to: "2020-01-01T00:00:00Z" },
    {},
    { by: 1, to: "2027-01-01T00:00:00Z" },
    { by: "soon" },
    { by: -1 },
  ]) {
    statuses.push((await tenant.manage("POST", "/clock/advance", body)).status);
  }
  expect(statuses).toEqual([400, 400, 400, 400, 400]);
  expect((await tenant.manage("POST", "/clock/idle", { client: "nobody", seq: 1, idleUntil: null })).body.error).toBe(
    "not-connected",
  );
});
