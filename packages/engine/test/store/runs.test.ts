import { parseEntry } from "@countersign/evidence";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Store, StoreRole } from "../../src/store/store.ts";
import {
  ada,
  bob,
  claimAll,
  decision,
  newWorker,
  request,
  startedAt,
  startServer,
  storesOf,
  toApproval,
  toExecuting,
} from "./harness.ts";

let server: Awaited<ReturnType<typeof startServer>>;
let stores: Record<StoreRole, Store> & { close(): Promise<void> };
let api: Store;
let executor: Store;
let worker: string;

beforeAll(async () => {
  server = await startServer();
  stores = storesOf(await server.database());
  api = stores.cs_api;
  executor = stores.cs_executor;
});
// Nobody beats here: one worker would have to live for as long as all of them take.
beforeEach(async () => {
  worker = await newWorker(executor);
});
afterAll(async () => {
  await stores.close();
  await server.end();
});

const types = async (run: string) => (await api.entriesOfRun(run)).map((row) => parseEntry(row.entry).type);

describe("a move", () => {
  it("has one winner among ten that race for it, and one entry", async () => {
    const hold = await toExecuting(stores, worker);
    const before = (await api.entriesOfRun(hold.run)).length;
    const race = Array.from({ length: 10 }, () =>
      executor.transition({
        ...hold,
        from: "executing",
        to: "overlapping",
        at: startedAt + 3_000,
        because: null,
        notBefore: startedAt + 9_000,
        release: true,
      }),
    );
    const results = await Promise.allSettled(race);
    const lost = results.filter((result) => result.status === "rejected").map((result) => result.reason.code);
    expect(lost).toEqual(Array(9).fill("STALE_FENCE"));
    expect((await api.entriesOfRun(hold.run)).length).toBe(before + 1);
  });

  it("is refused with a stale fence, and writes nothing", async () => {
    const hold = await toExecuting(stores, worker);
    const before = await api.run(hold.run);
    const late = { ...hold, fence: hold.fence - 1 };
    const move = {
      from: "executing",
      to: "held",
      at: startedAt,
      because: null,
      notBefore: null,
      release: true,
    } as const;
    await expect(executor.transition({ ...late, ...move })).rejects.toMatchObject({ code: "STALE_FENCE" });
    await expect(executor.release(late, startedAt, startedAt)).rejects.toMatchObject({ code: "STALE_FENCE" });
    await expect(executor.dataPut(late, { x: 1 })).rejects.toMatchObject({ code: "STALE_FENCE" });
    await expect(
      executor.append(
        { type: "gate.checked", data: { evidence: {}, grade: "none", open: false, reasons: [] } },
        startedAt,
        late,
      ),
    ).rejects.toMatchObject({ code: "STALE_FENCE" });
    expect(await api.run(hold.run)).toEqual(before);
  });

  it("is refused to a worker that does not hold the run, whatever fence it names", async () => {
    const hold = await toExecuting(stores, worker);
    const other = await newWorker(executor);
    const move = {
      from: "executing",
      to: "held",
      at: startedAt,
      because: null,
      notBefore: null,
      release: true,
    } as const;
    await expect(executor.transition({ ...hold, worker: other, ...move })).rejects.toMatchObject({
      code: "STALE_FENCE",
    });
  });

  it("that evidence does not call legal is refused", async () => {
    const hold = await toExecuting(stores, worker);
    const move = {
      from: "executing",
      to: "completed",
      at: startedAt,
      because: null,
      notBefore: null,
      release: true,
    } as const;
    await expect(executor.transition({ ...hold, ...move })).rejects.toMatchObject({ code: "FORBIDDEN" });
  });

  it("leaves no trace when one of its entries is refused", async () => {
    const hold = await toExecuting(stores, worker);
    const before = await api.run(hold.run);
    const { size } = await api.logState();
    await expect(
      executor.transition({
        ...hold,
        from: "executing",
        to: "held",
        at: startedAt,
        because: null,
        notBefore: null,
        release: true,
        entries: [{ type: "run.closed", data: { entries: 1, state: "held" } }],
      }),
    ).rejects.toMatchObject({ code: "FORBIDDEN" });
    expect(await api.run(hold.run)).toEqual(before);
    expect((await api.logState()).size).toBe(size);
  });

  it("to a final state frees every lock, closes the chain and counts its entries", async () => {
    const hold = await toExecuting(stores, worker);
    expect((await api.locks(hold.run)).map((lock) => lock.held).sort()).toEqual(["effects", "run"]);
    const move = { ...hold, at: startedAt, because: { code: "verify-failed" }, notBefore: null };
    const fence = await executor.transition({ ...move, from: "executing", to: "rolling_back", release: false });
    expect(await api.locks(hold.run)).toHaveLength(2);
    await executor.transition({ ...move, fence, from: "rolling_back", to: "rolled_back", release: true });
    expect(await api.locks(hold.run)).toEqual([]);
    const entries = (await api.entriesOfRun(hold.run)).map((row) => parseEntry(row.entry));
    expect(entries.at(-1)).toMatchObject({
      type: "run.closed",
      data: { entries: entries.length, state: "rolled_back" },
    });
    const row = await api.run(hold.run);
    expect(row).toMatchObject({ state: "rolled_back", worker: null, notBefore: null });
  });

  it("out of executing gives back what is held for effects and keeps the application", async () => {
    const hold = await toExecuting(stores, worker);
    const move = { at: startedAt, because: null, notBefore: startedAt, release: true };
    await executor.transition({ ...hold, ...move, from: "executing", to: "overlapping" });
    expect((await api.locks(hold.run)).map((lock) => lock.key)).toEqual([`application:${hold.run}`]);
  });

  it("that wants a lock of another run is refused and names the holder; crossing wishes do not block for ever", async () => {
    const first = await toExecuting(stores, worker);
    const second = await toExecuting(stores, worker);
    const move = {
      from: "executing",
      to: "rolling_back",
      at: startedAt,
      because: null,
      notBefore: null,
      release: false,
    } as const;
    await expect(
      executor.transition({ ...second, ...move, take: [{ key: `vault:${first.run}`, held: "effects" }] }),
    ).rejects.toMatchObject({ code: "LOCK_HELD", facts: { holder: first.run } });
    const keys = Array.from({ length: 20 }, (_, i) => ({ key: `shared:${i}`, held: "effects" as const }));
    const results = await Promise.allSettled([
      executor.transition({ ...first, ...move, take: keys }),
      executor.transition({ ...second, ...move, take: [...keys].reverse() }),
    ]);
    expect(
      results
        .map((result) => (result.status === "rejected" ? result.reason.code : "moved"))
        .toSorted((a, b) => (a < b ? -1 : 1)),
    ).toEqual(["LOCK_HELD", "moved"]);
  });
});

describe("a request", () => {
  it("that must be the only one of its target finds the open run, however many arrive at once", async () => {
    const ids = await Promise.all(
      Array.from({ length: 8 }, () =>
        stores.cs_scanner.submitRun(request({ targetKey: "entra:one", requester: "system:scanner", unlessOpen: true })),
      ),
    );
    expect(new Set(ids).size).toBe(1);
  });

  it.each([
    ["a requester that is nobody", { requester: "root" }],
    ["a procedure without version", { procedure: "entra-client-secret" }],
    ["an id of another form", { id: "run_1" }],
  ])("is refused with %s", async (_, change) => {
    await expect(api.submitRun(request(change))).rejects.toMatchObject({ code: "INPUT_INVALID" });
  });
});

describe("a decision", () => {
  it("is stored with its proof, one per person and run, and the quorum approves", async () => {
    const { run, planDigest } = await toApproval(stores, worker);
    expect(await api.decide(decision(run, planDigest, ada, false))).toBe("awaiting_approval");
    await expect(api.decide(decision(run, planDigest, ada, true))).rejects.toMatchObject({ code: "STATE_CONFLICT" });
    expect(await api.decide(decision(run, planDigest, bob, true))).toBe("approved");
    const approvals = await api.approvals(run);
    expect(approvals.map((row) => Buffer.from(row.statement ?? []).toString())).toEqual([
      `statement of ${ada} about ${run}`,
      `statement of ${bob} about ${run}`,
    ]);
    expect((await types(run)).slice(-3)).toEqual(["approval.given", "approval.given", "run.moved"]);
    expect(await api.run(run)).toMatchObject({ state: "approved", notBefore: startedAt + 1_000, worker: null });
  });

  it("of two people at once completes a quorum of two", async () => {
    for (let round = 0; round < 5; round++) {
      const { run, planDigest } = await toApproval(stores, worker);
      const judged = (person: string) => ({
        ...decision(run, planDigest, person, false),
        quorum: (earlier: readonly unknown[]) => ({ complete: earlier.length === 1, notBefore: startedAt }),
      });
      const states = await Promise.all([api.decide(judged(ada)), api.decide(judged(bob))]);
      expect(states.sort()).toEqual(["approved", "awaiting_approval"]);
    }
  });

  it("over another plan is refused; a rejection ends the run", async () => {
    const { run, planDigest } = await toApproval(stores, worker);
    const other = `sha256:${"0".repeat(64)}`;
    await expect(api.decide(decision(run, other, ada, true))).rejects.toMatchObject({ code: "STATE_CONFLICT" });
    expect(await api.decide({ ...decision(run, planDigest, ada, true), decision: "reject" })).toBe("rejected");
    expect((await types(run)).slice(-2)).toEqual(["run.moved", "run.closed"]);
    await expect(api.decide(decision(run, planDigest, bob, true))).rejects.toMatchObject({ code: "STATE_CONFLICT" });
  });
});

describe("a withdrawal", () => {
  it("beats an executor that has claimed but not begun: its first move is stale", async () => {
    const { run, planDigest } = await toApproval(stores, worker);
    await api.decide(decision(run, planDigest, ada, true));
    const [claimed] = await claimAll(executor, worker, { run, now: startedAt + 2_000 });
    await api.withdraw(run, ada, startedAt + 2_000);
    await expect(
      executor.transition({
        run,
        worker,
        fence: claimed?.run.fence ?? -1,
        from: "approved",
        to: "executing",
        at: startedAt,
        because: null,
        notBefore: null,
        release: false,
      }),
    ).rejects.toMatchObject({ code: "STALE_FENCE" });
    expect((await api.run(run))?.state).toBe("withdrawn");
  });

  it("after the first effect is refused; a person's word is left instead and wakes the run", async () => {
    const hold = await toExecuting(stores, worker);
    await expect(api.withdraw(hold.run, ada, startedAt)).rejects.toMatchObject({ code: "STATE_CONFLICT" });
    await api.direct(hold.run, "roll-back", ada, startedAt + 5_000, Buffer.from("wrong application"));
    await executor.release(hold, startedAt + 86_400_000, startedAt + 6_000);
    expect((await api.run(hold.run))?.notBefore).toBe(startedAt + 6_000);
    const [word] = await executor.directives(hold.run);
    expect(word).toMatchObject({ kind: "roll-back", person: ada });
    const [claimed] = await claimAll(executor, worker, { run: hold.run, now: startedAt + 6_000 });
    expect(claimed?.run.asked).toBe("roll-back");
    await executor.transition({
      ...hold,
      fence: claimed?.run.fence ?? 0,
      from: "executing",
      to: "rolling_back",
      at: startedAt + 6_000,
      because: { code: "asked-for" },
      notBefore: startedAt + 6_000,
      release: false,
      answered: true,
    });
    expect((await executor.run(hold.run))?.asked).toBeNull();
    expect(await executor.directives(hold.run)).toEqual([]);
  });
});

describe("listing", () => {
  it("pages over all runs without gap or repetition", async () => {
    const seen: string[] = [];
    for (let after: { createdAt: number; id: string } | undefined; ; ) {
      const page = await api.runs({ limit: 3, ...(after === undefined ? {} : { after }) });
      if (page.length === 0) break;
      seen.push(...page.map((row) => row.id));
      after = page.at(-1);
    }
    const counts = await api.runCounts();
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.length).toBe(Object.values(counts).reduce((sum, count) => sum + count, 0));
  });

  it("narrows by state, text and target", async () => {
    const id = await api.submitRun(request({ targetKey: "entra:Payroll-Sync" }));
    expect((await api.runs({ states: ["requested"], search: "payroll", limit: 10 })).map((row) => row.id)).toEqual([
      id,
    ]);
    expect(await api.runs({ states: ["completed"], search: "payroll", limit: 10 })).toEqual([]);
  });
});
