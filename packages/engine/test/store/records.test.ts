import { createHash } from "node:crypto";
import type { ScannedCredential } from "@countersign/core";
import { parseEntry } from "@countersign/evidence";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openClient } from "../../src/database/connect.ts";
import { embeddedAdmin } from "../../src/database/users.ts";
import type { Store, StoreRole } from "../../src/store/store.ts";
import { ada, newWorker, startedAt, startServer, storesOf, toExecuting } from "./harness.ts";

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

function seen(id: string, change: Partial<ScannedCredential> = {}): ScannedCredential {
  return {
    objectId: "o-1",
    appId: "a-1",
    application: "Billing",
    id,
    kind: "client-secret",
    startsAt: startedAt,
    expiresAt: startedAt + 86_400_000,
    marker: null,
    ...change,
  };
}

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
      executor.intent({ ...attempt, verb: "entra.add-password@1", call: "x", nonce: nonce(99), target: {}, facts: {} }),
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

  it("takes nothing from a stale fence, and no intent in a state without effects", async () => {
    const { hold, attempt } = await mint(2);
    const executor = stores.cs_executor;
    const stale = { ...attempt, fence: hold.fence - 1 };
    const intent = { verb: "entra.prove@1", call: "token", nonce: nonce(3), target: {}, facts: {} };
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
    expect(await stores.cs_api.notices({ run: hold.run, limit: 9 })).toEqual([]);
    await stores.cs_executor.note(hold, note);
    expect((await stores.cs_api.run(hold.run))?.data).toEqual({ gate: "shut" });
    await stores.cs_api.direct(hold.run, "look-again", ada, startedAt);
    await stores.cs_executor.note(hold, { at: startedAt, entries: [], answered: true });
    expect((await stores.cs_api.run(hold.run))?.asked).toBeNull();
    expect(await stores.cs_api.notices({ run: hold.run, limit: 9 })).toMatchObject([
      { kind: "run.overdue", state: "due" },
    ]);
  });
});

describe("the ledger", () => {
  it("calls a credential ours only if its marker names a committed intent, and an orphan once that run has ended", async () => {
    const { hold } = await mint(10);
    const marker = { run: hold.run, attempt: 1, nonce: nonce(10) };
    const forged = { ...marker, nonce: nonce(11) };
    const scanner = stores.cs_scanner;
    await scanner.credentialsSeen(
      "t",
      [seen("plain"), seen("ours", { marker }), seen("forged", { marker: forged })],
      startedAt,
    );
    const states = async () =>
      Object.fromEntries(
        (await stores.cs_api.credentials({ tenant: "t", limit: 100 })).map((row) => [row.id, row.state]),
      );
    expect(await states()).toEqual({ plain: "foreign", ours: "ours-unpublished", forged: "unknown" });
    const move = { worker, run: hold.run, at: startedAt, because: null, notBefore: null, release: false };
    const fence = await stores.cs_executor.transition({
      ...move,
      fence: hold.fence,
      from: "executing",
      to: "rolling_back",
    });
    await stores.cs_executor.transition({ ...move, fence, from: "rolling_back", to: "rolled_back" });
    await scanner.credentialsSeen("t", [seen("ours", { marker }), seen("late", { marker })], startedAt + 1);
    expect(await states()).toMatchObject({ ours: "orphan", late: "orphan" });
  });

  it("keeps what the executor said when a scan sees it again, and marks what a whole listing no longer shows", async () => {
    const known = {
      tenant: "keep",
      objectId: "o-1",
      appId: "a-1",
      application: "Billing",
      kind: "client-secret" as const,
    };
    const { hold } = await mint(12);
    await stores.cs_executor.credentialSet({
      ...known,
      id: "k",
      state: "ours-active",
      run: hold.run,
      startsAt: startedAt,
      expiresAt: null,
      at: startedAt,
    });
    await stores.cs_scanner.credentialsSeen("keep", [seen("k"), seen("other")], startedAt + 10);
    expect(await stores.cs_api.credentialCounts("keep")).toEqual({ "ours-active": 1, foreign: 1 });
    await stores.cs_scanner.credentialsSeen("keep", [seen("k")], startedAt + 20);
    expect(await stores.cs_scanner.credentialsGone("keep", startedAt + 20, startedAt + 21)).toBe(1);
    expect((await stores.cs_api.credentials({ tenant: "keep", limit: 9 })).map((row) => row.id)).toEqual(["k"]);
    await stores.cs_scanner.credentialsSeen("keep", [seen("other")], startedAt + 30);
    expect(await stores.cs_api.credentialCounts("keep")).toEqual({ "ours-active": 1, foreign: 1 });
  });

  it("pages by expiry without gap or repetition, those without expiry last", async () => {
    const many = Array.from({ length: 25 }, (_, i) =>
      seen(`c-${String(i).padStart(2, "0")}`, {
        objectId: `o-${i % 3}`,
        expiresAt: i % 5 === 0 ? null : startedAt + (i % 4),
      }),
    );
    await stores.cs_scanner.credentialsSeen("paged", many, startedAt);
    const listed: (number | null)[] = [];
    const ids = new Set<string>();
    for (let after: Awaited<ReturnType<Store["credentials"]>>[number] | undefined; ; ) {
      const page = await stores.cs_api.credentials({
        tenant: "paged",
        limit: 4,
        ...(after === undefined ? {} : { after }),
      });
      if (page.length === 0) break;
      for (const row of page) {
        listed.push(row.expiresAt);
        ids.add(row.id);
      }
      after = page.at(-1);
    }
    expect(ids.size).toBe(25);
    expect(listed).toHaveLength(25);
    expect(listed).toEqual([...listed].sort((a, b) => (a ?? Infinity) - (b ?? Infinity)));
  });
});

describe("scans", () => {
  it("run once per tenant and time over all workers; one left by a dead worker is done by another", async () => {
    const scanner = stores.cs_scanner;
    const workers = await Promise.all(Array.from({ length: 6 }, () => newWorker(scanner)));
    const begin = (id: string, by: string) =>
      scanner.scanBegin({ id, tenant: "contoso", dueAt: startedAt, worker: by, leaseMs: 10_000, at: startedAt });
    const won = await Promise.all(workers.map((by, i) => begin(`scan-${i}`, by)));
    expect(won.filter(Boolean)).toHaveLength(1);
    const first = won.indexOf(true);
    await admin.query("update cs.worker set beat_at = beat_at - interval '1 hour' where id = $1", [workers[first]]);
    const heir = workers[(first + 1) % 6] ?? "";
    expect(await begin("scan-heir", heir)).toBe(true);
    const result = {
      applications: 2,
      findings: 1,
      kind: "listing",
      query: "/applications",
      queryDigest: `sha256:${"1".repeat(64)}`,
      tenant: "contoso",
    } as const;
    const finding = {
      code: "expires-soon",
      result: "warn",
      observed: "3d",
      required: "14d",
      target: { objectId: "o" },
    } as const;
    await expect(scanner.scanEnd(`scan-${first}`, workers[first] ?? "", result, [], startedAt)).rejects.toMatchObject({
      code: "STATE_CONFLICT",
    });
    await scanner.scanEnd("scan-heir", heir, result, [finding], startedAt + 5);
    expect(await begin("scan-again", heir)).toBe(false);
    expect(await stores.cs_api.findings({ scan: "scan-heir" })).toMatchObject([finding]);
    expect(await scanner.scans(1)).toMatchObject([{ state: "done", attempts: 2, applications: 2, findings: 1 }]);
  });
});

describe("people and what is theirs", () => {
  it("can be forgotten: the row goes blank, their sessions end, the digest stays and an entry tells", async () => {
    const api = stores.cs_api;
    await api.personPut({ id: ada, iss: "https://idp.example", sub: "ada", name: "Ada", email: "ada@example.org" });
    expect(await api.personOf("https://idp.example", "ada")).toMatchObject({ id: ada, name: "Ada" });
    const hash = createHash("sha256").update("token").digest();
    await api.sessionPut(hash, ada, { csrf: "x" }, startedAt, startedAt + 1_000);
    expect(await api.session(hash, startedAt)).toMatchObject({ person: ada, data: { csrf: "x" } });
    expect(await api.session(hash, startedAt + 1_000)).toBeNull();
    const digest = await api.attachmentPut(Buffer.from("because of a leak"), "reason", startedAt);
    expect(digest).toBe(`sha256:${createHash("sha256").update("because of a leak").digest("hex")}`);
    await api.attachmentErase(digest, ada, null, startedAt + 2);
    await api.personErase(ada, startedAt + 2);
    expect(await api.attachment(digest)).toMatchObject({ bytes: null, erasedAt: startedAt + 2, erasedBy: ada });
    expect(await api.person(ada)).toMatchObject({ name: null, email: null, sub: null });
    expect(await api.session(hash, startedAt)).toBeNull();
    await expect(api.attachmentErase(digest, ada, null, startedAt + 3)).rejects.toMatchObject({ code: "NOT_FOUND" });
    const [last] = (await api.entries(0, 10_000)).slice(-1);
    expect(parseEntry(last?.entry ?? new Uint8Array())).toMatchObject({
      type: "attachment.erased",
      data: { attachment: digest, by: ada },
    });
  });

  it("one session or all of a person can be ended, and another's token cannot be taken over", async () => {
    const api = stores.cs_api;
    const [one, two] = ["a", "b"].map((text) => createHash("sha256").update(text).digest());
    if (one === undefined || two === undefined) throw new Error("unreachable");
    await api.sessionPut(one, ada, {}, startedAt, startedAt + 9);
    await api.sessionPut(two, ada, {}, startedAt, startedAt + 9);
    await api.sessionPut(one, "p_00000000000000cc", {}, startedAt, startedAt + 9);
    expect((await api.session(one, startedAt))?.person).toBe(ada);
    expect(await api.sessionDelete({ hash: one })).toBe(1);
    expect(await api.sessionDelete({ person: ada })).toBe(1);
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

it("records 20,000 listed credentials in pages of a thousand within a few seconds", async () => {
  const begun = performance.now();
  for (let page = 0; page < 20; page++) {
    const rows = Array.from({ length: 1_000 }, (_, i) => seen(`k-${page}-${i}`, { objectId: `o-${page}-${i % 500}` }));
    expect(await stores.cs_scanner.credentialsSeen("bulk", rows, startedAt)).toBe(1_000);
  }
  expect(performance.now() - begun).toBeLessThan(10_000);
});
