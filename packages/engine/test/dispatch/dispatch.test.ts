import { setTimeout as delay } from "node:timers/promises";
import { PgBoss } from "pg-boss";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Connections } from "../../src/database/users.ts";
import { type Dispatch, openDispatch } from "../../src/dispatch/index.ts";
import type { Store, StoreRole } from "../../src/store/store.ts";
import { claimAll, newRunId, newWorker, request, startServer, storesOf } from "../store/harness.ts";

let server: Awaited<ReturnType<typeof startServer>>;
let connections: Connections;
let stores: Record<StoreRole, Store> & { close(): Promise<void> };
const opened: Dispatch[] = [];
const errors: Error[] = [];

beforeAll(async () => {
  server = await startServer();
  connections = await server.database();
  stores = storesOf(connections);
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((dispatch) => dispatch.stop()));
  errors.length = 0;
});
afterAll(async () => {
  await stores.close();
  await server.end();
});

async function open(): Promise<Dispatch> {
  const dispatch = await openDispatch({ connection: connections.cs_executor, onError: (error) => errors.push(error) });
  opened.push(dispatch);
  return dispatch;
}

/** Somebody with the executor's login who sends whatever they like. */
async function forge(jobs: readonly object[]): Promise<void> {
  const { address, user, password } = connections.cs_executor;
  const boss = new PgBoss({
    host: address.host,
    port: address.port,
    database: address.database,
    user,
    password,
    createSchema: false,
    migrate: false,
    supervise: false,
    schedule: false,
  });
  await boss.start();
  for (const [i, job] of jobs.entries()) await boss.send("run-due", job, { singletonKey: `forged ${i}` });
  await boss.stop();
}

describe("dispatch", () => {
  it("brings an offered run to a handler well before the polling floor", async () => {
    const dispatch = await open();
    const heard: string[] = [];
    await dispatch.work(async (run) => void heard.push(run), { inFlightMax: 4 });
    await dispatch.offer([newRunId()]);
    await expect.poll(() => heard.length).toBe(1);
    const run = newRunId();
    const begun = performance.now();
    await dispatch.offer([run]);
    await expect.poll(() => heard, { interval: 5 }).toContain(run);
    expect(performance.now() - begun).toBeLessThan(500);
  });

  it("keeps one waiting job per run, however often it is offered", async () => {
    const dispatch = await open();
    const run = newRunId();
    for (let i = 0; i < 10; i++) await dispatch.offer([run]);
    const heard: string[] = [];
    await dispatch.work(async (id) => void heard.push(id), { inFlightMax: 4 });
    await expect.poll(() => heard).toContain(run);
    await dispatch.offer([newRunId()]);
    await expect.poll(() => heard.length).toBe(2);
  });

  it("works off a burst of two hundred, never more than allowed at a time", async () => {
    const dispatch = await open();
    let now = 0;
    let most = 0;
    const heard = new Set<string>();
    await dispatch.work(
      async (run) => {
        most = Math.max(most, ++now);
        await delay(2);
        now--;
        heard.add(run);
      },
      { inFlightMax: 8 },
    );
    const runs = Array.from({ length: 200 }, newRunId);
    await dispatch.offer(runs);
    await expect.poll(() => heard.size, { timeout: 15_000 }).toBe(200);
    expect(most).toBeLessThanOrEqual(8);
  });

  it("goes on after a handler failed, and says so", async () => {
    const dispatch = await open();
    const heard: string[] = [];
    await dispatch.work(
      async (run) => {
        heard.push(run);
        throw new Error("handler");
      },
      { inFlightMax: 2 },
    );
    await dispatch.offer([newRunId()]);
    await expect.poll(() => errors.length).toBe(1);
    await dispatch.offer([newRunId()]);
    await expect.poll(() => heard.length).toBe(2);
  });

  it("waits for its handlers when it stops", async () => {
    const dispatch = await open();
    let done = false;
    let begun = false;
    await dispatch.work(
      async () => {
        begun = true;
        await delay(200);
        done = true;
      },
      { inFlightMax: 1 },
    );
    await dispatch.offer([newRunId()]);
    await expect.poll(() => begun).toBe(true);
    await dispatch.stop();
    expect(done).toBe(true);
  });

  it("says that the database is not there when it is not", async () => {
    const address = { ...connections.cs_executor.address, database: "nowhere" };
    await expect(
      openDispatch({ connection: { ...connections.cs_executor, address }, onError: () => undefined }),
    ).rejects.toMatchObject({ code: "DATABASE_UNAVAILABLE" });
  });
});

describe("a job is only a hint", () => {
  it("doubled, forged or malformed ones make no run move twice and none that is not due", async () => {
    const worker = await newWorker(stores.cs_executor);
    const due = await stores.cs_api.submitRun(request());
    const later = await stores.cs_api.submitRun(request({ at: request().at + 86_400_000 }));
    await forge([
      { run: due },
      { run: due },
      { run: later },
      { run: newRunId() },
      { run: "x" },
      { run: due, state: "completed" },
      {},
    ]);
    const dispatch = await open();
    const claimed: string[] = [];
    let handled = 0;
    await dispatch.work(
      async (run) => {
        for (const claim of await claimAll(stores.cs_executor, worker, { run })) claimed.push(claim.run.id);
        handled++;
      },
      { inFlightMax: 4 },
    );
    await expect.poll(() => [handled, errors.length], { timeout: 10_000 }).toEqual([4, 3]);
    expect(claimed).toEqual([due]);
    expect((await stores.cs_api.run(later))?.fence).toBe(0);
  });

  it("and a lost one is offered again by whoever looks at what is due", async () => {
    const worker = await newWorker(stores.cs_executor);
    const run = await stores.cs_api.submitRun(request());
    const look = { leaseMs: 10_000, callDeadlineMs: 30_000, worker, now: request().at, provenDead: [], limit: 1_000 };
    expect(await stores.cs_executor.dueRuns(look)).toContain(run);
    await claimAll(stores.cs_executor, worker, { run });
    expect(await stores.cs_executor.dueRuns(look)).not.toContain(run);
  });
});
