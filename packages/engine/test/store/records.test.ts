import { parseEntry } from "@countersign/evidence";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openClient } from "../../src/database/connect.ts";
import { embeddedAdmin } from "../../src/database/users.ts";
import { heedsNothing } from "../../src/store/journal-store.ts";
import type { Store, StoreRole } from "../../src/store/store.ts";
import { ada, newWorker, request, startedAt, startServer, storesOf, toExecuting } from "./harness.ts";

let server: Awaited<ReturnType<typeof startServer>>;
let stores: Record<StoreRole, Store> & { close(): Promise<void> };
let admin: pg.Client;
let worker: string;

beforeAll(async () => {
  server = await startServer();
  stores = storesOf(await server.database());
  admin = await openClient(await embeddedAdmin(server.embedded, "countersign_1"), "test");
  worker = await newWorker(stores.cs_executor);
});
afterAll(async () => {
  await admin.end();
  await stores.close();
  await server.end();
});

const nonce = (n: number) => n.toString(16).padStart(32, "0");

async function mint(n: number) {
  const hold = await toExecuting(stores, worker);
  const attempt = { ...hold, step: "create", direction: "do" as const, attempt: 1, at: startedAt };
  await stores.cs_executor.intent({
    ...attempt,
    verb: "entra.add-password@1",
    call: "application.addPassword",
    nonce: nonce(n),
    target: { objectId: "o-1" },
    facts: { marker: nonce(n) },
    heeds: heedsNothing,
  });
  return { hold, attempt };
}

const outcome = {
  build: "test",
  connector: { id: "entra", version: "0.1.0" },
  error: null,
  facts: {},
  objectIds: { keyId: "k-1" },
  requestIds: [],
  verified: null,
} as const;

describe("the step journal", () => {
  it("keeps one intent per attempt and one final outcome, each with its entry", async () => {
    const { hold, attempt } = await mint(1);
    const executor = stores.cs_executor;
    await expect(
      executor.intent({
        ...attempt,
        verb: "entra.add-password@1",
        call: "x",
        nonce: nonce(99),
        target: {},
        facts: {},
        heeds: heedsNothing,
      }),
    ).rejects.toMatchObject({ code: "CONFLICT" });
    expect(await executor.outcome({ ...attempt, ...outcome, outcome: "unknown" })).toMatchObject({
      outcome: "unknown",
      resolvedAt: null,
    });
    // The run reconciles it itself; once it has looked and found nothing, the sweep goes on looking.
    expect(await executor.unresolvedSteps(10)).toEqual([]);
    const looked = { ...outcome, facts: { absent: "not-proven", reconciled: "not-done" } };
    await executor.outcome({ ...attempt, ...looked, outcome: "unknown" });
    expect((await executor.unresolvedSteps(10)).map((row) => row.runId)).toEqual([hold.run]);
    expect(await executor.outcome({ ...attempt, ...outcome, outcome: "done" })).toMatchObject({
      outcome: "done",
      nonce: nonce(1),
      outcomeData: { objectIds: { keyId: "k-1" } },
    });
    await expect(executor.outcome({ ...attempt, ...outcome, outcome: "failed" })).rejects.toMatchObject({
      code: "STATE_CONFLICT",
    });
    expect((await executor.steps(hold.run)).map((row) => row.outcome)).toEqual(["done"]);
    const entries = (await executor.entriesOfRun(hold.run)).map((row) => parseEntry(row.entry).type);
    expect(entries.slice(-4)).toEqual(["step.intent", "step.outcome", "step.outcome", "step.outcome"]);
  });

  it("keeps a removal that found nothing unresolved, since that proves nothing, until it is closed", async () => {
    const { hold, attempt } = await mint(6);
    const executor = stores.cs_executor;
    await executor.outcome({ ...attempt, ...outcome, outcome: "done" });
    const taking = { ...attempt, direction: "discard" as const };
    const by = { verb: "entra.add-password@1", call: "x", nonce: nonce(6), target: {}, facts: {}, heeds: heedsNothing };
    await executor.intent({ ...taking, ...by });
    const gone = { ...outcome, facts: { alreadyAbsent: true, absent: "not-proven" } };
    expect(await executor.outcome({ ...taking, ...gone, outcome: "done" })).toMatchObject({ resolvedAt: null });
    const left = async () => (await executor.unresolvedSteps(10)).filter(({ runId }) => runId === hold.run);
    expect((await left()).map(({ direction }) => direction)).toEqual(["discard"]);
    expect((await executor.waits()).unresolved).toBe(true);
    await executor.stepResolve({ ...taking, run: hold.run }, startedAt);
    expect(await left()).toEqual([]);
  });

  it("commits no intent while the kill switch or an emergency stops it, and writes nothing then", async () => {
    const { hold, attempt } = await mint(7);
    const executor = stores.cs_executor;
    const by = { verb: "entra.prove@1", call: "token", nonce: nonce(8), target: {}, facts: {} };
    const prove = { ...attempt, ...by, step: "prove" };
    const row = await executor.run(hold.run);
    const heeds = { tenant: row?.tenant ?? "", application: row?.targetKey ?? "" };
    const trace = async () => [await executor.steps(hold.run), await executor.entriesOfRun(hold.run)];
    const before = await trace();
    for (const scope of ["all", `tenant:${heeds.tenant}`]) {
      await stores.cs_api.freeze(scope, true, ada, startedAt);
      expect(await executor.intent({ ...prove, heeds })).toEqual({ stopped: "frozen" });
      await stores.cs_api.freeze(scope, false, ada, startedAt);
    }
    await stores.cs_api.freeze("tenant:another", true, ada, startedAt);
    const emergency = request({ targetKey: heeds.application, trigger: "compromise" });
    await stores.cs_api.submitRun(emergency);
    expect(await executor.intent({ ...prove, heeds })).toEqual({ stopped: "emergency" });
    expect((await executor.heard(hold.run)).emergency).toMatchObject({ id: emergency.id, state: "requested" });
    expect(await trace()).toEqual(before);
    // What is taken back stops for neither.
    await stores.cs_api.freeze("all", true, ada, startedAt);
    expect(await executor.intent({ ...prove, heeds: heedsNothing })).toMatchObject({ step: "prove" });
    await stores.cs_api.freeze("all", false, ada, startedAt);
    await stores.cs_api.freeze("tenant:another", false, ada, startedAt);
  });

  it("takes nothing from a stale fence, and no intent in a state without effects", async () => {
    const { hold, attempt } = await mint(2);
    const executor = stores.cs_executor;
    const stale = { ...attempt, fence: hold.fence - 1 };
    const intent = {
      verb: "entra.prove@1",
      call: "token",
      nonce: nonce(3),
      target: {},
      facts: {},
      heeds: heedsNothing,
    };
    await expect(executor.intent({ ...stale, ...intent, step: "prove" })).rejects.toMatchObject({
      code: "STALE_FENCE",
    });
    await expect(executor.outcome({ ...stale, ...outcome, outcome: "done" })).rejects.toMatchObject({
      code: "STALE_FENCE",
    });
    const held = {
      ...hold,
      from: "executing",
      to: "held",
      at: startedAt,
      because: null,
      notBefore: null,
      release: false,
    } as const;
    const fence = await executor.transition(held);
    await expect(executor.intent({ ...attempt, ...intent, fence, step: "prove" })).rejects.toMatchObject({
      code: "STATE_CONFLICT",
    });
  });

  it("makes a note with data and a message, or none of them", async () => {
    const { hold } = await mint(4);
    const note = {
      at: startedAt,
      data: { gate: "shut" },
      entries: [
        {
          type: "gate.checked" as const,
          data: { evidence: {}, grade: "none" as const, open: false, reasons: ["no-report"] },
        },
      ],
      notices: [{ kind: "run.overdue", channel: "owners", key: `overdue:${hold.run}` }],
    };
    await expect(stores.cs_executor.note({ ...hold, fence: 0 }, note)).rejects.toMatchObject({ code: "STALE_FENCE" });
    const kinds = async () => (await stores.cs_api.notices({ run: hold.run, limit: 9 })).map(({ kind }) => kind);
    const moves = await kinds();
    expect(moves).toEqual(["run.executing", "run.awaiting-approval"]);
    await stores.cs_executor.note(hold, note);
    expect((await stores.cs_api.run(hold.run))?.data).toEqual({ gate: "shut" });
    await stores.cs_api.direct(hold.run, "look-again", ada, startedAt);
    await stores.cs_executor.note(hold, { at: startedAt, entries: [], answered: true });
    expect((await stores.cs_api.run(hold.run))?.asked).toBeNull();
    expect(await kinds()).toEqual(["run.overdue", ...moves]);
  });
});

describe("a freeze", () => {
  it("is heard by executors within two seconds and stays until lifted", async () => {
    const heard: string[] = [];
    const stop = await stores.cs_executor.listen("cs_control", (scope) => heard.push(scope));
    await stores.cs_api.freeze("all", true, ada, startedAt);
    await expect.poll(() => heard, { timeout: 2_000 }).toContain("all");
    expect(await stores.cs_executor.frozen()).toMatchObject([{ scope: "all", person: ada }]);
    await stores.cs_api.freeze("all", false, ada, startedAt + 1);
    expect(await stores.cs_executor.frozen()).toEqual([]);
    await expect(stores.cs_api.freeze("everything", true, ada, startedAt)).rejects.toMatchObject({
      code: "INPUT_INVALID",
    });
    await stop();
  });
});
