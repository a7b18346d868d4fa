import { randomUUID } from "node:crypto";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openClient } from "../../src/database/connect.ts";
import { embeddedAdmin } from "../../src/database/users.ts";
import type { Store, StoreRole } from "../../src/store/store.ts";
import { ada, claimAll, lease, newWorker, request, startedAt, startServer, storesOf, toExecuting } from "./harness.ts";

let server: Awaited<ReturnType<typeof startServer>>;
let stores: Record<StoreRole, Store> & { close(): Promise<void> };
let api: Store;
let executor: Store;
let admin: pg.Client;

beforeAll(async () => {
  server = await startServer();
  stores = storesOf(await server.database());
  api = stores.cs_api;
  executor = stores.cs_executor;
  admin = await openClient(await embeddedAdmin(server.embedded, "countersign_1"), "test");
});
afterAll(async () => {
  await admin.end();
  await stores.close();
  await server.end();
});

/** Lets a worker have been silent for so long, without waiting. */
const silence = (worker: string, ms: number) =>
  admin.query("update cs.worker set beat_at = beat_at - $2 * interval '1 millisecond' where id = $1", [worker, ms]);

describe("a beat", () => {
  it("counts while it is in time, and never revives a worker that was late", async () => {
    const worker = await newWorker(executor);
    expect(await executor.beat(worker, lease.leaseMs)).toBe(true);
    await silence(worker, lease.leaseMs + 1);
    expect(await executor.beat(worker, lease.leaseMs)).toBe(false);
    expect(await executor.beat(worker, lease.leaseMs)).toBe(false);
    expect((await executor.worker(worker))?.refusedAt).toBeInstanceOf(Date);
  });

  it("is refused once another worker took a run over, even if it were in time again", async () => {
    const [slow, other] = [await newWorker(executor), await newWorker(executor)];
    const hold = await toExecuting(stores, slow);
    await silence(slow, lease.leaseMs + lease.callDeadlineMs + 1);
    const [claimed] = await claimAll(executor, other, { run: hold.run });
    expect(claimed).toMatchObject({ previousWorker: slow, provenDead: false });
    expect(claimed?.silentMs).toBeGreaterThan(lease.leaseMs + lease.callDeadlineMs);
    await admin.query("update cs.worker set beat_at = clock_timestamp() where id = $1", [slow]);
    expect(await executor.beat(slow, lease.leaseMs)).toBe(false);
    expect(await executor.worker(slow)).toMatchObject({ goneAs: "lease" });
  });

  it("gets through while every connection of the pool is busy", async () => {
    const worker = await newWorker(executor);
    const blocker = await openClient(await embeddedAdmin(server.embedded, "countersign_1"), "test");
    await blocker.query("begin");
    await blocker.query("lock table cs.run in access exclusive mode");
    const stuck = Array.from({ length: 12 }, () => executor.runs({ limit: 1 }));
    expect(await executor.beat(worker, lease.leaseMs)).toBe(true);
    await blocker.query("rollback");
    await blocker.end();
    await Promise.all(stuck);
  });

  it("of a worker whose registration's reply was lost registers again without harm", async () => {
    const id = randomUUID();
    const identity = { id, role: "executor", host: "here", bootId: "boot", pid: 1, pidStarted: "1" };
    await executor.workerStart(identity);
    await executor.workerStart(identity);
    expect(await executor.beat(id, lease.leaseMs)).toBe(true);
  });
});

describe("a claim", () => {
  it("gives each due run to one of ten workers that claim at once", async () => {
    const at = startedAt + 1_000_000;
    const ids = await Promise.all(Array.from({ length: 20 }, () => api.submitRun(request({ tenant: "race", at }))));
    const workers = await Promise.all(Array.from({ length: 10 }, () => newWorker(executor)));
    const claims = (await Promise.all(workers.map((worker) => claimAll(executor, worker, { now: at })))).flat();
    const mine = claims.filter((claim) => claim.run.tenant === "race").map((claim) => claim.run.id);
    expect(mine.sort()).toEqual(ids.sort());
    for (const claim of claims) expect(claim).toMatchObject({ previousWorker: null, run: { attempts: 1 } });
  });

  it("does not take what is not due yet: domain time is the caller's, not the database's", async () => {
    const worker = await newWorker(executor);
    const run = await api.submitRun(request({ at: startedAt + 5_000_000 }));
    expect(await claimAll(executor, worker, { run, now: startedAt + 4_999_999 })).toEqual([]);
    expect(await executor.nextDue()).toBeLessThanOrEqual(startedAt + 5_000_000);
    expect(await claimAll(executor, worker, { run, now: startedAt + 5_000_000 })).toHaveLength(1);
  });

  it("of a worker that is itself not alive is refused", async () => {
    const worker = await newWorker(executor);
    await silence(worker, lease.leaseMs + 1);
    await expect(claimAll(executor, worker)).rejects.toMatchObject({ code: "LEASE_LOST" });
    const stopped = await newWorker(executor);
    await executor.workerStop(stopped);
    await expect(claimAll(executor, stopped)).rejects.toMatchObject({ code: "LEASE_LOST" });
    await expect(claimAll(executor, randomUUID())).rejects.toMatchObject({ code: "LEASE_LOST" });
  });

  it("leaves a silent holder alone until lease and call deadline have passed, unless its death is proven", async () => {
    const [holder, other] = [await newWorker(executor), await newWorker(executor)];
    const hold = await toExecuting(stores, holder);
    await silence(holder, lease.leaseMs + lease.callDeadlineMs - 2_000);
    expect(await claimAll(executor, other, { run: hold.run })).toEqual([]);
    const [claimed] = await executor.claim({
      ...lease,
      worker: other,
      now: startedAt,
      provenDead: [holder],
      limit: 1,
      tenantMax: 64,
      run: hold.run,
    });
    expect(claimed).toMatchObject({
      previousWorker: holder,
      provenDead: true,
      run: { fence: hold.fence + 1, worker: other },
    });
    expect(await executor.worker(holder)).toMatchObject({ goneAs: "proven" });
    await expect(executor.release(hold, startedAt, startedAt)).rejects.toMatchObject({ code: "STALE_FENCE" });
  });

  it("takes at once what a worker left that said good-bye", async () => {
    const [holder, other] = [await newWorker(executor), await newWorker(executor)];
    const hold = await toExecuting(stores, holder);
    await executor.workerStop(holder);
    expect(await claimAll(executor, other, { run: hold.run })).toMatchObject([
      { previousWorker: holder, provenDead: true },
    ]);
  });

  it("says in the run's row that its holder's last request may still land, until whoever has it says otherwise", async () => {
    const [first, second, third] = [await newWorker(executor), await newWorker(executor), await newWorker(executor)];
    const { run } = await toExecuting(stores, first);
    await silence(first, lease.leaseMs + lease.callDeadlineMs + 1);
    const [unproven] = await claimAll(executor, second, { run });
    expect(unproven?.run.data).toMatchObject({ unsettled: first, unproven: [first] });
    // Let go of before it has waited: the next one is told as well.
    await executor.release({ run, fence: unproven?.run.fence ?? 0, worker: second }, startedAt, startedAt);
    const [again] = await claimAll(executor, third, { run });
    expect(again).toMatchObject({ previousWorker: null, run: { data: { unsettled: first, unproven: [first] } } });
    await executor.workerStop(third);
    const [stopped] = await claimAll(executor, second, { run });
    expect(stopped?.run.data).toMatchObject({ unsettled: third, unproven: [first] });
  });

  it("keeps to a tenant's limit exactly, lost runs included, whoever claims at once", async () => {
    const at = startedAt + 2_000_000;
    await Promise.all(Array.from({ length: 9 }, () => api.submitRun(request({ tenant: "capped", at }))));
    const workers = await Promise.all(Array.from({ length: 5 }, () => newWorker(executor)));
    const of = (claims: Awaited<ReturnType<typeof claimAll>>) =>
      claims.filter((claim) => claim.run.tenant === "capped");
    const first = of(
      (await Promise.all(workers.map((worker) => claimAll(executor, worker, { now: at, tenantMax: 3 })))).flat(),
    );
    expect(first).toHaveLength(3);
    const holder = first[0]?.run.worker ?? "";
    const late = await newWorker(executor);
    const lost = first.filter((claim) => claim.run.worker === holder).length;
    const second = of(
      await executor.claim({ ...lease, worker: late, now: at, provenDead: [holder], limit: 64, tenantMax: 3 }),
    );
    expect(second).toHaveLength(lost);
    expect(second.every((claim) => claim.previousWorker === holder)).toBe(true);
  });

  it("lets no tenant with many due runs starve another", async () => {
    const at = startedAt + 100;
    await admin.query(
      `insert into cs.run (id, tenant, environment, target_key, target, procedure, trigger, requester, state, fence, not_before,
         attempts, data, created_at, updated_at)
       select 'run_' || lpad(n::text, 26, '0'), 'aaa-crowd', 'dev', 'crowd:' || n, '{}', 'p@1', 'due', 'system:scanner',
         'requested', 0, $1::bigint, 0, '{}', $1::bigint, $1::bigint from generate_series(1, 20000) n`,
      [at - 50],
    );
    const few = await api.submitRun(request({ tenant: "zzz-small", at }));
    const worker = await newWorker(executor);
    const due = await executor.dueRuns({ ...lease, worker, now: at, provenDead: [], limit: 10 });
    expect(due).toContain(few);
    const begun = performance.now();
    const claimed = await executor.claim({ ...lease, worker, now: at, provenDead: [], limit: 10, tenantMax: 4 });
    expect(performance.now() - begun).toBeLessThan(2_000);
    expect(claimed.map((claim) => claim.run.id)).toContain(few);
    expect(claimed.filter((claim) => claim.run.tenant === "aaa-crowd").length).toBeLessThanOrEqual(4);
  });
});

describe("a listener", () => {
  it("hears that a run is due, and looks again by itself after its connection was cut", async () => {
    const heard: string[] = [];
    const stop = await executor.listen("cs_due", (payload) => heard.push(payload));
    expect(heard).toEqual([""]);
    const run = await api.submitRun(request());
    await expect.poll(() => heard).toContain(run);
    await admin.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'countersign listen cs_due'",
    );
    await expect.poll(() => heard.filter((payload) => payload === "").length, { timeout: 5_000 }).toBe(2);
    const next = await api.submitRun(request());
    await expect.poll(() => heard).toContain(next);
    await stop();
  });

  it("in another process of the API hears each change", async () => {
    const heard: string[] = [];
    const stop = await api.listen("cs_changed", (payload) => heard.push(payload));
    const run = await api.submitRun(request());
    await api.withdraw(run, ada, startedAt);
    await expect.poll(() => heard.filter((payload) => payload === run).length).toBe(2);
    await stop();
  });
});
