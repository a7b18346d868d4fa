import type { InventoryRow, ScannedCredential, ScannedObject } from "@countersign/core";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openClient } from "../../src/database/connect.ts";
import { embeddedAdmin } from "../../src/database/users.ts";
import { judgeFleet } from "../../src/scan/findings.ts";
import { heedsNothing } from "../../src/store/journal-store.ts";
import type { Store, StoreRole } from "../../src/store/store.ts";
import { newWorker, startedAt, startServer, storesOf, toExecuting } from "./harness.ts";

let server: Awaited<ReturnType<typeof startServer>>;
let stores: Record<StoreRole, Store> & { close(): Promise<void> };
let admin: pg.Client;
let worker: string;
let executor: string;

beforeAll(async () => {
  server = await startServer();
  stores = storesOf(await server.database());
  admin = await openClient(await embeddedAdmin(server.embedded, "countersign_1"), "test");
  worker = await newWorker(stores.cs_scanner);
  executor = await newWorker(stores.cs_executor);
});
afterAll(async () => {
  await admin.end();
  await stores.close();
  await server.end();
});

const day = 86_400_000;
const lagMs = 15 * 60_000;
const nonce = (n: number) => n.toString(16).padStart(32, "0");

function secret(id: string, change: Partial<ScannedCredential> = {}): ScannedCredential {
  return { id, kind: "client-secret", startsAt: startedAt, expiresAt: startedAt + day, marker: null, ...change };
}

function application(
  objectId: string,
  credentials: readonly ScannedCredential[],
  change: Partial<ScannedObject> = {},
): ScannedObject {
  return {
    kind: "application",
    objectId,
    appId: `app-${objectId}`,
    name: "Billing",
    createdAt: startedAt,
    audience: "AzureADMyOrg",
    disabled: false,
    serviceRef: null,
    credentials,
    ...change,
  };
}

let scans = 0;
interface Listed {
  readonly pages: readonly (readonly ScannedObject[])[];
  readonly kind?: "full" | "delta";
  readonly unreadable?: readonly string[];
  readonly removed?: readonly string[];
}

/** One scan of a tenant that comes through; returns what it changed. */
async function scan(tenant: string, at: number, listed: Listed) {
  const { pages, kind = "full", unreadable = [], removed = [] } = listed;
  const id = `scan-${(scans += 1)}`;
  const store = stores.cs_scanner;
  const open = await store.scanOpen({ id, tenant, kind, dueAt: at, worker, leaseMs: 10_000, at });
  expect(open).toEqual({ id, cursor: null });
  const named = (ids: readonly string[]) => ids.map((objectId) => ({ objectId, kind: "application" as const }));
  for (const [page, objects] of pages.entries())
    await store.scanPage({
      id,
      worker,
      lagMs,
      at,
      objects,
      unreadable: page === 0 ? named(unreadable) : [],
      removed: page === 0 ? named(removed) : [],
      cursor: { page },
    });
  const summary = await store.scanConclude(id, worker, lagMs, at);
  await store.scanEnd({ id, worker, result: resultOf(tenant), summary, findings: [], links: [], at });
  return summary;
}

function resultOf(tenant: string) {
  return {
    applications: 2,
    findings: 1,
    kind: "listing",
    query: "applications",
    queryDigest: `sha256:${"1".repeat(64)}`,
    tenant,
  } as const;
}

const statesOf = async (tenant: string) =>
  Object.fromEntries((await stores.cs_api.credentials({ tenant, limit: 100 })).map((row) => [row.id, row.state]));

describe("the ledger", () => {
  it("calls a credential ours only if its marker names a committed intent, and an orphan once that run has ended", async () => {
    const hold = await toExecuting(stores, executor);
    await stores.cs_executor.intent({
      ...hold,
      step: "create",
      direction: "do",
      attempt: 1,
      at: startedAt,
      verb: "entra.add-password@1",
      call: "application.addPassword",
      nonce: nonce(10),
      target: { objectId: "o-1" },
      facts: { marker: nonce(10) },
      heeds: heedsNothing,
    });
    const marker = { run: hold.run, attempt: 1, nonce: nonce(10) };
    const forged = { ...marker, nonce: nonce(11) };
    const first = [secret("plain"), secret("ours", { marker }), secret("forged", { marker: forged })];
    await scan("t", startedAt, { pages: [[application("o-1", first)]] });
    expect(await statesOf("t")).toEqual({ plain: "foreign", ours: "ours-unpublished", forged: "unknown" });

    const move = { worker: executor, run: hold.run, at: startedAt, because: null, notBefore: null, release: false };
    const fence = await stores.cs_executor.transition({
      ...move,
      fence: hold.fence,
      from: "executing",
      to: "rolling_back",
    });
    await stores.cs_executor.transition({ ...move, fence, from: "rolling_back", to: "rolled_back" });
    await scan("t", startedAt + 1, {
      pages: [[application("o-1", [secret("ours", { marker }), secret("late", { marker })])]],
    });
    expect(await statesOf("t")).toMatchObject({ ours: "orphan", late: "orphan" });
  });

  it("keeps what the executor said when a scan sees it again, and marks what a whole listing no longer shows", async () => {
    const both = application("o-1", [secret("k"), secret("other")]);
    const hold = await toExecuting(stores, executor);
    const { appId, name } = both;
    await stores.cs_executor.credentialsSet(
      { tenant: "keep", objectId: "o-1", appId, application: name, kind: "client-secret", at: startedAt },
      [{ id: "k", state: "ours-active", run: hold.run, expiresAt: startedAt + day, gone: false }],
    );
    await scan("keep", startedAt + day, { pages: [[both]] });
    expect(await statesOf("keep")).toEqual({ k: "ours-active", other: "foreign" });
    const gone = await scan("keep", startedAt + 2 * day, { pages: [[application("o-1", [secret("k")])]] });
    expect(gone).toMatchObject({ credentialsGone: 1, objectsGone: 0 });
    expect(await statesOf("keep")).toEqual({ k: "ours-active" });
    await scan("keep", startedAt + 3 * day, { pages: [[both]] });
    expect(await statesOf("keep")).toEqual({ k: "ours-active", other: "foreign" });
    expect(await scan("keep", startedAt + 5 * day, { pages: [[]] })).toMatchObject({
      objectsGone: 1,
      credentialsGone: 2,
    });
  });

  it("does not call gone what was written so shortly before that a replica may not list it yet", async () => {
    await scan("lag", startedAt, { pages: [[application("o-1", [secret("a")])]] });
    expect(await scan("lag", startedAt + lagMs - 1, { pages: [[]] })).toMatchObject({
      objectsGone: 0,
      credentialsGone: 0,
    });
    expect(await statesOf("lag")).toEqual({ a: "foreign" });
  });

  it("pages by expiry without gap or repetition, those without expiry last", async () => {
    const many = Array.from({ length: 25 }, (_, i) =>
      application(`o-${i}`, [
        secret(`c-${String(i).padStart(2, "0")}`, { expiresAt: i % 5 === 0 ? null : startedAt + (i % 4) }),
      ]),
    );
    await scan("paged", startedAt, { pages: [many] });
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

describe("a listing", () => {
  const fleet = Array.from({ length: 40 }, (_, i) => application(`o-${i}`, [secret(`s-${i}`), secret(`t-${i}`)]));

  it("writes only what is different from before: nothing, where nothing has changed", async () => {
    const unchanged = { objectsChanged: 0, credentialsChanged: 0, objectsGone: 0, credentialsGone: 0 };
    expect(await scan("calm", startedAt, { pages: [fleet.slice(0, 20), fleet.slice(20)] })).toEqual({
      ...unchanged,
      objects: 40,
      credentials: 80,
      unreadable: 0,
      twice: 0,
      objectsChanged: 40,
      credentialsChanged: 80,
    });
    expect(await scan("calm", startedAt + day, { pages: [fleet] })).toMatchObject(unchanged);
    const renamed = fleet.map((object, i) => (i === 7 ? { ...object, disabled: true } : object));
    expect(await scan("calm", startedAt + 2 * day, { pages: [renamed] })).toMatchObject({
      ...unchanged,
      objectsChanged: 1,
    });
  });

  it("counts an object once that a shifting listing shows on two pages; the later page counts", async () => {
    const early = application("o-1", [secret("old"), secret("both")]);
    const late = application("o-1", [secret("both"), secret("new")], { name: "Renamed" });
    const summary = await scan("shift", startedAt, { pages: [[early, application("o-2", [])], [late]] });
    expect(summary).toMatchObject({ objects: 2, twice: 1, credentials: 2 });
    expect(await statesOf("shift")).toEqual({ both: "foreign", new: "foreign" });
  });

  it("concludes nothing about an object in a form that nobody documented", async () => {
    await scan("odd", startedAt, { pages: [[application("o-1", [secret("a")]), application("o-2", [secret("b")])]] });
    const summary = await scan("odd", startedAt + day, { pages: [[application("o-2", [])]], unreadable: ["o-1", ""] });
    expect(summary).toMatchObject({ unreadable: 2, objectsGone: 0, credentialsGone: 1 });
    expect(await statesOf("odd")).toEqual({ a: "foreign" });
  });

  it("of changes touches what is named and nothing else", async () => {
    await scan("delta", startedAt, { pages: [fleet] });
    const summary = await scan("delta", startedAt + day, {
      kind: "delta",
      pages: [[application("o-3", [secret("s-3")])]],
      removed: ["o-4"],
    });
    expect(summary).toMatchObject({ objects: 1, objectsGone: 1, credentialsGone: 3, credentialsChanged: 0 });
    const left = await stores.cs_api.credentials({ tenant: "delta", limit: 1_000 });
    expect(left).toHaveLength(77);
  });
});

describe("what is said of the fleet", () => {
  const listed: InventoryRow = {
    name: "billing",
    procedure: "entra-client-secret",
    tenant: "said",
    environment: "prod",
    owners: [],
    objectId: "o-1",
    appId: "app-o-1",
    record: { connection: "main", name: "billing" },
    consumers: [],
    rowDigest: "",
  };
  const asked = {
    expiringSeconds: 3_600,
    lifetimeSecondsMax: 30 * 86_400,
    quietSeconds: 7 * 86_400,
    failingSeconds: 86_400,
    failingMin: 3,
  };
  let [rows, terms] = [[] as InventoryRow[], asked];
  /** How many objects were judged in a look at all. */
  async function judged(at: number, which: "turned" | "anew" = "turned") {
    const ids: string[] = [];
    const store: Store = {
      ...stores.cs_scanner,
      findingsPut: (tenant, objects, ...rest) => {
        ids.push(...objects);
        return stores.cs_scanner.findingsPut(tenant, objects, ...rest);
      },
    };
    await judgeFleet(store, "said", { rows, termsOf: () => terms }, at, which);
    return ids.sort();
  }

  it("is worked out again only where what it rests on has changed, or the time has come, and is then the same as anew", async () => {
    const fleet = Array.from({ length: 5 }, (_, i) => application(`o-${i}`, [secret(`s-${i}`)]));
    const all = fleet.map(({ objectId }) => objectId);
    const said = async () =>
      (await stores.cs_api.fleetFindings({ tenant: "said" }, { limit: 1_000, now: startedAt })).map(
        ({ id: _, lastSeen: __, ...finding }) => finding,
      );
    await scan("said", startedAt, { pages: [fleet] });
    expect(await judged(startedAt)).toEqual(all);
    expect(await judged(startedAt + 1)).toEqual([]);

    const changed = { ...fleet[3], disabled: false, name: "Renamed" } as ScannedObject;
    const one = fleet.map((object) => (object.objectId === "o-3" ? changed : object));
    await scan("said", startedAt + 2, { pages: [one] });
    expect(await judged(startedAt + 3)).toEqual(["o-3"]);

    await admin.query("insert into cs.object_owners values ('said', 'o-2', '[]', 0)");
    expect(await judged(startedAt + 4)).toEqual(["o-2"]);
    await admin.query("insert into cs.detail_reading values ('said', 'uses', null, 0, $1, true)", [startedAt]);
    expect(await judged(startedAt + 5)).toEqual(all);
    await admin.query("insert into cs.credential_use values ('said', 's-4', 1)");
    expect(await judged(startedAt + 6)).toEqual(["o-4"]);
    await admin.query("insert into cs.object_policy values ('said', '', 'application', 60, 0)");
    expect(await judged(startedAt + 7)).toEqual(all);
    rows = [listed];
    expect(await judged(startedAt + 8)).toEqual(["o-1"]);
    await admin.query("insert into cs.caller_found values ('said', 'app-o-1', '203.0.113.9', 1)");
    await admin.query(
      "insert into cs.entry_found values ('said', 'o-1', 'main', 'billing', 'name'), ('said', 'o-1', 'main', 'copy', 'name')",
    );
    expect(await judged(startedAt + 8)).toEqual(["o-1"]);
    const uses = (await said()).filter(({ code }) => code === "undeclared-use");
    expect(uses).toMatchObject([{ objectId: "o-1", observed: "203.0.113.9, main/copy" }]);
    terms = { ...asked, lifetimeSecondsMax: 1_800 };
    expect(await judged(startedAt + 9)).toEqual(all);

    // An hour before their end all begin to expire.
    expect(await judged(startedAt + day - 3_600_000 - 1)).toEqual([]);
    expect(await judged(startedAt + day - 3_600_000)).toEqual(all);
    expect(await judged(startedAt + day - 3_600_000)).toEqual([]);
    const before = await said();
    expect(await judged(startedAt + day - 3_600_000, "anew")).toEqual(all);
    expect(await said()).toEqual(before);
    expect(before.length).toBeGreaterThan(5);
  });
});

describe("what two say of an object at once", () => {
  it("is what the later one has seen: what was read before somebody else judged is not written, but looked at again", async () => {
    const asked = {
      expiringSeconds: 60,
      lifetimeSecondsMax: 9e9,
      quietSeconds: 9e9,
      failingSeconds: 60,
      failingMin: 3,
    };
    const rules = { rows: [], termsOf: () => asked };
    await scan("both", startedAt, { pages: [[application("o-1", [secret("a")])]] });
    const said = async () =>
      (await stores.cs_api.fleetFindings({ tenant: "both" }, { limit: 100, now: startedAt }))
        .map(({ code }) => code)
        .sort();
    let reads = 0;
    const slow: Store = {
      ...stores.cs_scanner,
      async fleetTurned(...args) {
        const read = await stores.cs_scanner.fleetTurned(...args);
        reads += 1;
        // Meanwhile its owners become known, and somebody else judges it.
        await admin.query("insert into cs.object_owners values ('both', 'o-1', '[]', 0) on conflict do nothing");
        await judgeFleet(stores.cs_scanner, "both", rules, startedAt, { only: ["o-1"] });
        return read;
      },
    };
    await judgeFleet(slow, "both", rules, startedAt, "turned");
    expect(reads).toBe(1);
    expect(await said()).toEqual(["ownerless", "unmanaged"]);
    const cleared = await stores.cs_api.fleetFindings(
      { tenant: "both", cleared: true },
      { limit: 100, now: startedAt },
    );
    expect(cleared).toEqual([]);
  });
});

describe("scans", () => {
  const begin = (id: string, by: string, dueAt = startedAt) =>
    stores.cs_scanner.scanOpen({
      id,
      tenant: "contoso",
      kind: "full",
      dueAt,
      worker: by,
      leaseMs: 10_000,
      at: startedAt,
    });
  const die = (id: string) =>
    admin.query("update cs.worker set beat_at = beat_at - interval '1 hour' where id = $1", [id]);

  it("run once per tenant and time over all workers; one left by a dead worker goes on where it stood", async () => {
    const scanner = stores.cs_scanner;
    const workers = await Promise.all(Array.from({ length: 6 }, () => newWorker(scanner)));
    const won = await Promise.all(workers.map((by, i) => begin(`once-${i}`, by)));
    expect(won.filter((open) => open !== null)).toHaveLength(1);
    const first = won.findIndex((open) => open !== null);
    const [holder, heir] = [workers[first] ?? "", workers[(first + 1) % 6] ?? ""];
    const id = `once-${first}`;
    const page = { id, unreadable: [], removed: [], lagMs, at: startedAt };
    await scanner.scanPage({ ...page, worker: holder, objects: [application("o-1", [])], cursor: { at: 1 } });
    await die(holder);
    expect(await begin("once-heir", heir)).toEqual({ id, cursor: { at: 1 } });
    await expect(scanner.scanPage({ ...page, worker: holder, objects: [], cursor: { at: 2 } })).rejects.toMatchObject({
      code: "STATE_CONFLICT",
    });
    await scanner.scanPage({ ...page, worker: heir, objects: [application("o-2", [])], cursor: { at: 2 } });
    const summary = await scanner.scanConclude(id, heir, lagMs, startedAt + 5);
    expect(summary).toMatchObject({ objects: 2 });
    const finding = {
      code: "expires-soon",
      result: "warn",
      observed: "3d",
      required: "14d",
      target: { objectId: "o" },
    };
    const links = [{ collection: "applications", link: "https://graph/delta" }];
    const end = {
      id,
      worker: heir,
      result: resultOf("contoso"),
      summary,
      findings: [finding],
      links,
      at: startedAt + 5,
    };
    await scanner.scanEnd({ ...end, result: resultOf("contoso"), findings: [{ ...finding, result: "warn" }] });
    expect(await begin("once-again", heir)).toBeNull();
    expect(await scanner.lastFullScan("contoso")).toMatchObject({ state: "done", applications: 2, findings: 1 });
    const last = await scanner.lastFullScans(["nobody", "contoso"]);
    expect(last).toEqual([await scanner.lastFullScan("contoso")]);
    expect(await scanner.scanLinks("contoso")).toMatchObject(links);
  });

  it("of one tenant are one at a time, whatever their kind: one that a dead worker holds makes room for another", async () => {
    const scanner = stores.cs_scanner;
    const [one, other] = [await newWorker(scanner), await newWorker(scanner)];
    const open = (kind: "full" | "delta" | "details", dueAt: number, by: string) =>
      scanner.scanOpen({
        id: `${kind}-${dueAt}-${by}`,
        tenant: "turns",
        kind,
        dueAt,
        worker: by,
        leaseMs: 10_000,
        at: startedAt,
      });
    const listing = await open("full", 1, one);
    expect(listing).not.toBeNull();
    for (const kind of ["full", "delta", "details"] as const) expect(await open(kind, 2, other)).toBeNull();
    const at = startedAt;
    const page = { id: listing?.id ?? "", worker: one, unreadable: [], removed: [], lagMs, at };
    await scanner.scanPage({ ...page, objects: [application("o-1", [])], cursor: { at: 1 } });
    await die(one);
    const pass = await open("details", 2, other);
    expect(pass).not.toBeNull();
    await expect(scanner.scanPage({ ...page, objects: [], cursor: { at: 2 } })).rejects.toMatchObject({
      code: "STATE_CONFLICT",
    });
    expect(await scanner.scansFailed(["turns"])).toMatchObject([
      { tenant: "turns", kind: "full", error: "LEASE_LOST" },
    ]);
    await scanner.detailEnd({ id: pass?.id ?? "", worker: other, error: "OUTSIDE_UNAVAILABLE", summary: null, at });
    // What was left goes on, until a newer listing takes its place.
    expect(await open("full", 1, other)).toEqual({ id: listing?.id, cursor: { at: 1 } });
    await scanner.scanEnd({
      id: listing?.id ?? "",
      worker: other,
      result: null,
      summary: null,
      findings: [],
      links: [],
      at,
    });
    expect((await open("full", 3, other))?.cursor).toBeNull();
    expect((await admin.query("select from cs.scan_object where scan_id = $1", [listing?.id])).rowCount).toBe(0);
    expect((await scanner.scansFailed(["turns"])).map(({ kind, error }) => [kind, error])).toEqual([
      ["details", "OUTSIDE_UNAVAILABLE"],
      ["full", "UNEXPECTED"],
    ]);
  });

  it("are given up after three workers that died over them without progress", async () => {
    for (let tries = 0; tries < 3; tries += 1) {
      const by = await newWorker(stores.cs_scanner);
      expect(await begin("thrice", by, startedAt + 1)).not.toBeNull();
      await die(by);
    }
    expect(await begin("thrice", await newWorker(stores.cs_scanner), startedAt + 1)).toBeNull();
  });

  it("conclude nothing from a listing of which a crash of the server has taken a part", async () => {
    const by = await newWorker(stores.cs_scanner);
    await begin("torn", by, startedAt + 2);
    const page = { id: "torn", worker: by, unreadable: [], removed: [], cursor: { at: 1 }, lagMs, at: startedAt };
    await stores.cs_scanner.scanPage({ ...page, objects: [application("o-1", [])] });
    await admin.query("truncate cs.scan_object");
    await expect(stores.cs_scanner.scanConclude("torn", by, lagMs, startedAt)).rejects.toMatchObject({
      code: "STATE_CONFLICT",
    });
    await stores.cs_scanner.scanRestart("torn", by);
    expect(await stores.cs_scanner.scanConclude("torn", by, lagMs, startedAt)).toMatchObject({ objects: 0 });
  });
});
