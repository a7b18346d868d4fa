import type { AuditChange, ListedFinding } from "@countersign/contract";
import { judgeAudit, type ScannedCredential, type AuditChange as Told } from "@countersign/core";
import { judgeFleet } from "@countersign/engine";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
// oxlint-disable-next-line countersign/imports -- a test's own set-up, which no package exports
import { newWorker, startServer, storesOf } from "../../../engine/test/store/harness.ts";
import { databaseStore } from "../../src/api/index.ts";
import { type Fixture, fixture } from "./fixture.ts";
import { day, entraRow, now, people } from "./world.ts";

const ada = people[0]?.person;
const row = entraRow("billing-api", 1);
const stranger = "aaaaaaaa-0000-4000-8000-000000000009";
const tenant = "contoso";
const keyOf = (n: number) => `5c7a9f10-77aa-4c0b-9c1e-${String(n).padStart(12, "0")}`;
const us = "0a0a0a0a-0000-4000-8000-000000000001";
let server: Awaited<ReturnType<typeof startServer>>;
let stores: ReturnType<typeof storesOf>;
let f: Fixture;
let worker: string;
let scans = 0;
let url: string;

/** What the directory has now of both objects. */
async function scan(at: number, ids: readonly number[]): Promise<void> {
  const { cs_scanner: store } = stores;
  const id = `scan-${(scans += 1)}`;
  await store.scanOpen({ id, tenant, kind: "full", dueAt: at, worker, leaseMs: 60_000, at });
  const credentials = ids.map(
    (n): ScannedCredential => ({
      id: keyOf(n),
      kind: "client-secret",
      startsAt: now - day,
      expiresAt: now + 90 * day,
      marker: null,
    }),
  );
  const object = { kind: "application", createdAt: now - 9 * day, audience: null, disabled: false } as const;
  const objects = [
    { ...object, objectId: row.objectId, appId: row.appId, name: "Billing", serviceRef: null, credentials },
    { ...object, objectId: stranger, appId: stranger, name: "Stranger", serviceRef: null, credentials: [] },
  ];
  await store.scanPage({ id, worker, objects, unreadable: [], removed: [], cursor: null, lagMs: 15 * 60_000, at });
  const summary = await store.scanConclude(id, worker, 15 * 60_000, at);
  const result = { applications: 2, findings: 0, kind: "listing", query: "q", tenant } as const;
  const queryDigest = `sha256:${"1".repeat(64)}` as const;
  await store.scanEnd({ id, worker, result: { ...result, queryDigest }, summary, findings: [], links: [], at });
  await judgeFleet(store, tenant, rules, at, "turned");
}

const rules = {
  rows: [row],
  termsOf: () => ({
    expiringSeconds: 60,
    lifetimeSecondsMax: 400 * 86_400,
    quietSeconds: 86_400,
    failingSeconds: 86_400,
    failingMin: 3,
  }),
};

function told(n: number, change: Partial<Told> = {}): Told {
  return {
    entry: `Directory_${n}`,
    at: now - n * 60_000,
    activity: "update application - certificates and secrets management",
    correlation: null,
    actor: { kind: "person", id: "mallory" },
    objectId: row.objectId,
    holder: "application",
    act: "added",
    credential: keyOf(n),
    kind: "client-secret",
    marker: null,
    ...change,
  };
}

/** Reads these changes as the poll does: judged against a journal that knows of none. */
async function read(changes: readonly Told[], at = now): Promise<void> {
  const { cs_scanner: store } = stores;
  await store.auditOpen({ tenant, from: now - day, to: at, worker, leaseMs: 60_000, at });
  const judged = changes.map((change) => ({
    change,
    ...judgeAudit(change, { made: null, removals: [] }, [us]),
    notice: null,
  }));
  await store.auditPage({ tenant, worker, changes: judged, seen: changes.length, unreadable: 0, link: null, at });
  await store.auditEnd({ tenant, worker, read: true, deep: false, lateMs: 0, entry: null, at });
  await judgeFleet(store, tenant, rules, at, { only: [...new Set(changes.map(({ objectId }) => objectId))] });
}

async function call(login: string, path: string, body?: object) {
  return fetch(`${url}${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: {
      authorization: `Bearer ${await f.token(login)}`,
      "idempotency-key": crypto.randomUUID(),
      "content-type": "application/json",
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

interface Page {
  readonly items: readonly AuditChange[];
  readonly total: number;
  readonly nextCursor: string | null;
  readonly facets: Readonly<Record<string, readonly { value: string; count: number }[]>>;
}
const list = async (query: string) => (await (await call("dag", `/v1/audit-changes?${query}`)).json()) as Page;
const findings = async () =>
  ((await (await call("dag", "/v1/findings?code=changed-out-of-band")).json()) as { items: ListedFinding[] }).items
    .map(({ application, credential }) => `${application ?? "unlisted"} ${credential ?? ""}`)
    .toSorted();
const explain = (login: string, n: number, change: object = {}) =>
  call(login, "/v1/audit-changes/explanations", {
    tenant,
    entry: `Directory_${n}`,
    credential: keyOf(n),
    act: "added",
    reason: "The vendor's migration, ticket 4711.",
    ...change,
  });

beforeAll(async () => {
  server = await startServer();
  stores = storesOf(await server.database());
  f = await fixture({
    store: databaseStore(stores.cs_api, () => ({ rows: [row] })),
    inventory: () => ({ rows: [row], digest: null, policyDigest: null, isProd: () => false }),
  });
  url = await f.app.listen({ port: 0, host: "127.0.0.1" });
  worker = await newWorker(stores.cs_scanner);
  await scan(now - day, []);
  await read([
    told(1),
    told(2),
    told(3, { act: "unreadable", credential: null, kind: "other" }),
    told(4, { actor: { kind: "unnamed", id: null } }),
    told(5, { objectId: stranger }),
    told(6, { objectId: stranger, actor: { kind: "application", id: us } }),
  ]);
}, 120_000);
afterAll(async () => {
  await f.app.close();
  await stores.close();
  await server.end();
});

describe("changes of the directory's own log", () => {
  it("are listed newest first, page by page without a gap, with counts of every choice", async () => {
    const seen: AuditChange[] = [];
    for (let cursor = ""; ; ) {
      const page = await list(`limit=2${cursor === "" ? "" : `&cursor=${cursor}`}`);
      expect([page.total, page.items.length <= 2]).toEqual([6, true]);
      seen.push(...page.items);
      if (page.nextCursor === null) break;
      cursor = page.nextCursor;
    }
    expect(seen.map(({ entry }) => entry)).toEqual([1, 2, 3, 4, 5, 6].map((n) => `Directory_${n}`));
    expect(seen[0]).toMatchObject({
      application: "billing-api",
      name: "Billing",
      verdict: "out-of-band",
      because: "by-person",
      actor: "mallory",
      standing: true,
      explained: null,
    });
    const { facets } = await list("limit=1");
    expect(facets.verdict).toEqual([
      { value: "out-of-band", count: 5 },
      { value: "unknown", count: 1 },
    ]);
  });

  it("are filtered by verdict, application, tenant, id and time", async () => {
    const entries = async (query: string) => (await list(query)).items.map(({ entry }) => entry.slice(-1)).join("");
    expect(await entries("verdict=unknown")).toBe("3");
    expect(await entries("application=billing-api")).toBe("1234");
    expect(await entries("application=nobodys")).toBe("");
    expect(await entries("tenant=other")).toBe("");
    expect(await entries(`q=${us}`)).toBe("6");
    expect(await entries(`q=${keyOf(2).toUpperCase()}`)).toBe("2");
    expect(await entries(`since=${new Date(now - 2 * 60_000).toISOString()}`)).toBe("12");
    expect(await entries("standing=false")).toBe("3");
    for (const query of ["since=yesterday", "verdict=fine", "cursor=eyJhdCI6MX0", "of=x"])
      expect((await call("dag", `/v1/audit-changes?${query}`)).status, query).toBe(400);
  });

  it("are findings where the inventory lists the application, and anywhere when done in our name", async () => {
    expect(await findings()).toEqual([
      `billing-api ${keyOf(1)}`,
      `billing-api ${keyOf(2)}`,
      `billing-api ${keyOf(4)}`,
      `unlisted ${keyOf(6)}`,
    ]);
  });

  it("stand through every scan until a person explains them: an owner, platform or security, once and for good", async () => {
    await scan(now, [1, 2, 4]);
    expect(await findings()).toHaveLength(4);
    expect((await explain("dag", 1)).status).toBe(403);
    expect((await explain("ada", 6)).status).toBe(403);
    expect((await explain("ada", 9)).status).toBe(404);
    const answer = await explain("ada", 1);
    expect([answer.status, await answer.json()]).toMatchObject([200, { by: ada, credential: keyOf(1) }]);
    expect((await explain("cleo", 1)).status).toBe(409);
    expect((await list(`q=${keyOf(1)}`)).items[0]).toMatchObject({
      standing: false,
      verdict: "out-of-band",
      explained: { by: ada, reason: "The vendor's migration, ticket 4711." },
    });
    expect((await explain("cleo", 6)).status).toBe(200);
    expect(await findings()).toEqual([`billing-api ${keyOf(2)}`, `billing-api ${keyOf(4)}`]);
    await scan(now + 60_000, [1, 2, 4]);
    expect(await findings()).toEqual([`billing-api ${keyOf(2)}`, `billing-api ${keyOf(4)}`]);
    const { entries } = (await (await call("dag", "/v1/log/entries?from=0&limit=200")).json()) as {
      entries: { text: string }[];
    };
    const said = entries
      .map(({ text }) => JSON.parse(text) as { type: string; data: object })
      .filter(({ type }) => type === "audit.explained");
    expect(said).toHaveLength(2);
    expect(JSON.stringify(said)).not.toContain("4711");
    expect(said[0]?.data).toMatchObject({ act: "added", entry: "Directory_1", person: ada, verdict: "out-of-band" });
  });

  it("are over when the credential is gone; somebody else's removal then stands in their place", async () => {
    await read([told(7, { act: "removed", credential: keyOf(2), at: now })], now + 120_000);
    expect(await findings()).toEqual([`billing-api ${keyOf(2)}`, `billing-api ${keyOf(4)}`]);
    expect((await list(`q=${keyOf(2)}&standing=true`)).items.map(({ act }) => act)).toEqual(["removed"]);
    await scan(now + 2 * 3_600_000, [1]);
    expect(await findings()).toEqual([`billing-api ${keyOf(2)}`]);
    expect((await explain("ben", 7, { act: "removed", credential: keyOf(2) })).status).toBe(200);
    expect(await findings()).toEqual([]);
  });

  it("are not taken back by a look that had read the ledger before they came", async () => {
    await read([told(8)], now + 3 * 3_600_000);
    expect(await findings()).toEqual([`billing-api ${keyOf(8)}`]);
    const put = await stores.cs_scanner.findingsPut(tenant, [row.objectId], [], now + 3 * 3_600_000);
    expect(put).toMatchObject({ opened: 0 });
    expect(await findings()).toEqual([`billing-api ${keyOf(8)}`]);
  });

  it("are counted by one entry of the log each, also those of a look that came to nothing, and never otherwise than they are", async () => {
    const { cs_scanner: store } = stores;
    const at = now + 4 * 3_600_000;
    const uncounted = await store.auditUncounted(tenant);
    expect(Object.values(uncounted).reduce((sum, n) => sum + n, 0)).toBe(8);
    const look = {
      from: new Date(now).toISOString(),
      to: new Date(at).toISOString(),
      query: "q",
      entries: 0,
      unreadable: 0,
    };
    const counts = {
      breakGlass: uncounted["break-glass"],
      ours: uncounted.ours,
      outOfBand: uncounted["out-of-band"],
      unknown: uncounted.unknown,
    };
    const end = async (count: number) => {
      await store.auditOpen({ tenant, from: now, to: at, worker, leaseMs: 60_000, at });
      const entry = { ...look, ...counts, new: count, tenant };
      await store.auditEnd({ tenant, worker, read: true, deep: false, lateMs: 0, entry, at });
    };
    await expect(end(7)).rejects.toMatchObject({ code: "STATE_CONFLICT" });
    expect(await store.auditUncounted(tenant)).toEqual(uncounted);
    await end(8);
    expect(Object.values(await store.auditUncounted(tenant))).toEqual([0, 0, 0, 0]);
    const { size } = await stores.cs_api.logHolds(0);
    const counted = await stores.cs_api.auditCounted(0, size, 100);
    expect(new Set(counted?.map(({ readIn }) => readIn))).toEqual(new Set([size - 1]));
    expect(await stores.cs_api.auditCounted(0, size, 7)).toBeNull();
  });
});
