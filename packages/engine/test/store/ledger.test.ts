import type { ScannedObject } from "@countersign/core";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { keepLedgerCounts } from "../../src/store/kept-counts.ts";
import type { Expiry, LedgerFilter, LedgerView } from "../../src/store/ledger-store.ts";
import type { CredentialRow } from "../../src/store/rows.ts";
import type { Store, StoreRole } from "../../src/store/store.ts";
import { newWorker, startedAt, startServer, storesOf } from "./harness.ts";

const day = 86_400_000;
const now = startedAt;

let server: Awaited<ReturnType<typeof startServer>>;
let stores: Record<StoreRole, Store> & { close(): Promise<void> };
let worker: string;
/** Every row there is, read without any of the filters under test. */
let all: readonly CredentialRow[];

/** 60 objects in two tenants, 0 to 3 credentials each, of every expiry there is; names as people write them. */
const objects: readonly (ScannedObject & { readonly tenant: string })[] = Array.from({ length: 60 }, (_, n) => ({
  tenant: n % 3 === 0 ? "subsidiary" : "contoso",
  kind: n % 7 === 0 ? "service-principal" : "application",
  objectId: `object-${n}`,
  appId: `app-${n}`,
  name: ["Billing", "billing 100%", "Ærø_øl", "日本 billing", "", "o'hara\\"][n % 6] ?? "",
  createdAt: now - 400 * day,
  audience: null,
  disabled: false,
  serviceRef: null,
  credentials: Array.from({ length: n % 4 }, (_, k) => ({
    id: `key-${n}-${k}`,
    kind: (n + k) % 2 === 0 ? "client-secret" : "certificate",
    startsAt: now - 100 * day,
    expiresAt:
      [null, now - day, now, now + 7 * day, now + 8 * day, now + 31 * day, now + 500 * day][(n + k) % 7] ?? null,
    marker: null,
  })),
}));
/** What the inventory lists. */
const managed = objects.filter((_, n) => n % 5 === 0).map(({ tenant, objectId }) => ({ tenant, objectId }));

beforeAll(async () => {
  server = await startServer();
  stores = storesOf(await server.database());
  worker = await newWorker(stores.cs_scanner);
  for (const tenant of ["contoso", "subsidiary"]) {
    const own = objects.filter((object) => object.tenant === tenant);
    await list(tenant, own, now - 30 * 60_000);
    // Every tenth is gone by now.
    await list(
      tenant,
      own.filter((_, n) => n % 10 !== 0),
      now,
    );
  }
  all = await stores.cs_api.credentials({ limit: 1_000, withGone: true });
});
afterAll(async () => {
  await stores.close();
  await server.end();
});

async function list(tenant: string, listed: readonly ScannedObject[], at: number): Promise<void> {
  const store = stores.cs_scanner;
  const id = `scan-${tenant}-${at}`;
  await store.scanOpen({ id, tenant, kind: "full", dueAt: at, worker, leaseMs: 10_000, at });
  await store.scanPage({
    id,
    worker,
    objects: listed,
    unreadable: [],
    removed: [],
    cursor: null,
    lagMs: 15 * 60_000,
    at,
  });
  await store.scanConclude(id, worker, 15 * 60_000, at);
  const result = {
    applications: listed.length,
    findings: 0,
    kind: "listing",
    query: "applications",
    queryDigest: `sha256:${"1".repeat(64)}`,
    tenant,
  } as const;
  await store.scanEnd({ id, worker, result, summary: null, findings: [], links: [], at });
}

const isManaged = (row: CredentialRow) =>
  managed.some(({ tenant, objectId }) => tenant === row.tenant && objectId === row.objectId);

function expiryOf({ expiresAt }: CredentialRow): Expiry {
  if (expiresAt === null) return "never";
  const days = (expiresAt - now) / day;
  return days <= 0 ? "expired" : days <= 7 ? "7-days" : days <= 30 ? "30-days" : days <= 90 ? "90-days" : "later";
}

/** What a filter means, said a second time. */
function expected({ search, state, kind, tenant, expiry, managed: listed }: LedgerFilter): CredentialRow[] {
  return all
    .filter((row) => (row.goneAt !== null) === (state === "retired"))
    .filter((row) => state === undefined || state === "retired" || row.state === state)
    .filter((row) => kind === undefined || row.kind === kind)
    .filter((row) => tenant === undefined || row.tenant === tenant)
    .filter((row) => expiry === undefined || expiryOf(row) === expiry)
    .filter((row) => listed === undefined || isManaged(row) === listed)
    .filter(
      (row) =>
        search === undefined ||
        [row.id, row.objectId, row.appId].includes(search) ||
        row.application.toLowerCase().includes(search.toLowerCase()),
    );
}

async function paged(view: LedgerView, limit: number): Promise<CredentialRow[]> {
  const found: CredentialRow[] = [];
  for (;;) {
    const after = found.at(-1);
    const page = await stores.cs_api.ledger(view, { limit, ...(after === undefined ? {} : { after }) });
    found.push(...page);
    if (page.length < limit) return found;
  }
}

const filters: readonly LedgerFilter[] = [
  {},
  { state: "foreign" },
  { state: "retired" },
  { state: "orphan" },
  { kind: "certificate" },
  { tenant: "subsidiary", kind: "client-secret" },
  ...(["expired", "7-days", "30-days", "90-days", "later", "never"] as const).map((expiry) => ({ expiry })),
  { managed: true },
  { managed: false, expiry: "expired" },
  { search: "BILLING" },
  { search: "%" },
  { search: "o'hara\\" },
  { search: "object-17" },
  { search: "key-17-0", state: "foreign" },
  { search: "nothing like it" },
];

describe("the ledger as people look at it", () => {
  it("was really filled: every expiry, both tenants, retired and live, listed and not", () => {
    expect(all.length).toBeGreaterThan(80);
    expect(new Set(all.map(expiryOf)).size).toBe(6);
    expect(all.some((row) => row.goneAt !== null)).toBe(true);
    expect(new Set(all.map(isManaged)).size).toBe(2);
  });

  it.each(filters)("shows exactly what %j says, each once, soonest expiry first", async (filter) => {
    const found = await paged({ filter, now, managed }, 7);
    const key = (row: CredentialRow) => `${row.tenant} ${row.objectId} ${row.id}`;
    expect(found.map(key).sort()).toEqual(expected(filter).map(key).sort());
    const ends = found.map(({ expiresAt }) => expiresAt ?? Infinity);
    expect(ends).toEqual(ends.toSorted((a, b) => a - b));
  });

  it.each(filters)("counts what %j searches, by every word that can be chosen", async (filter) => {
    const counts = await stores.cs_api.ledgerCounts({ filter, now, managed });
    const { search, state } = filter;
    const searched = expected({ search, ...(state === "retired" ? { state } : {}) });
    expect(counts.reduce((sum, { count }) => sum + count, 0)).toBe(searched.length);
    for (const { count, state: word, ...words } of counts) {
      const of = searched.filter((row) => (row.goneAt === null ? row.state : "retired") === word);
      expect(
        of.filter(
          (row) =>
            row.kind === words.kind &&
            row.tenant === words.tenant &&
            expiryOf(row) === words.expiry &&
            isManaged(row) === words.managed,
        ).length,
      ).toBe(count);
    }
  });

  it("gives the credentials of a few applications without reading the others", async () => {
    const found = await stores.cs_api.credentialsOf(managed, false);
    expect(found.length).toBe(expected({ managed: true }).length);
    const withGone = await stores.cs_api.credentialsOf(managed, true);
    expect(withGone.length).toBe(all.filter(isManaged).length);
  });

  it("sums what expires in the coming weeks: ours by object, all others in one", async () => {
    const weeks = await stores.cs_api.expiryWeeks({ now, managed }, 13);
    const soon = all.filter(
      ({ goneAt, expiresAt }) =>
        goneAt === null && expiresAt !== null && expiresAt > now && expiresAt <= now + 13 * 7 * day,
    );
    expect(weeks.reduce((sum, { count }) => sum + count, 0)).toBe(soon.length);
    const ours = weeks.filter(({ objectId }) => objectId !== null);
    expect(ours.reduce((sum, { count }) => sum + count, 0)).toBe(soon.filter(isManaged).length);
    expect(ours.length).toBeGreaterThan(0);
    for (const { week } of weeks) expect(week).toBeLessThanOrEqual(13);
  });
});

describe("counts that are kept", () => {
  it("come from memory until the ledger is written, and are those of the new ledger from then on", async () => {
    const kept = await keepLedgerCounts(stores.cs_api);
    try {
      const view = { filter: {}, now, managed };
      const first = await kept.ledgerCounts(view);
      // Another filter narrows no count.
      expect(await kept.ledgerCounts({ ...view, filter: { kind: "certificate" } })).toBe(first);
      expect(await kept.ledgerCounts({ ...view, filter: { search: "billing" } })).not.toEqual(first);
      const own = objects.filter(({ tenant }) => tenant === "subsidiary");
      await list("subsidiary", own, now + 60 * 60_000);
      await vi.waitFor(async () => expect(await kept.ledgerCounts(view)).not.toBe(first), { timeout: 5_000 });
      expect(await kept.ledgerCounts(view)).toEqual(await stores.cs_api.ledgerCounts(view));
      expect(await kept.ledgerCounts(view)).not.toEqual(first);
    } finally {
      await kept.stop();
    }
  });

  it("hold until time alone makes others of them, and not a moment longer", async () => {
    const kept = await keepLedgerCounts(stores.cs_api);
    try {
      const at = (later: number) => ({ filter: {}, now: now + later, managed });
      const turn = await stores.cs_api.ledgerTurn(now);
      // The next to change its word is in 8 days now and expires within 7 from then.
      expect(turn).toBe(now + day);
      const first = await kept.ledgerCounts(at(0));
      expect(await kept.ledgerCounts(at(day - 1))).toBe(first);
      const then = await kept.ledgerCounts(at(day));
      expect(then).toEqual(await stores.cs_api.ledgerCounts(at(day)));
      expect(then).not.toEqual(first);
    } finally {
      await kept.stop();
    }
  });
});
