import { type FleetCode, type InventoryRow, scanLateSeconds } from "@countersign/core";
import { createScanWatch, type EngineClock } from "@countersign/engine";
import { startSimulator } from "@countersign/simulator";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { countedByCode, expectedFindings } from "../fleet/expected.ts";
import { type FleetLedger, openLedger } from "../fleet/ledger.ts";
import type { Directory } from "../fleet/scanner.ts";

const dayMs = 86_400_000;
const start = "2026-11-22T03:00:00Z";
/** Of the sign-in log, at each look: refused for a wrong and for an expired secret. */
const refusedPages = 2;
let sim: Awaited<ReturnType<typeof startSimulator>>;
let ledger: FleetLedger;
let scanner: Awaited<ReturnType<FleetLedger["scanner"]>>;
let rows: InventoryRow[] = [];
const ticks: (() => Promise<void>)[] = [];

/** The tenant's own clock as the product's: it stands still unless the test moves it. */
function clockOf(): EngineClock {
  return {
    kind: "virtual",
    now: () => sim.world.clock.nowMs,
    sleep: async (ms, signal) => {
      signal?.throwIfAborted();
      await sim.driver.advanceBy(ms, 60_000);
    },
    work: (act) => act(),
    onTick: (listener) => void ticks.push(listener),
    nextDue: () => undefined,
    close: async () => {},
  };
}

const manage = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
  const init = { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  return (await (await fetch(`${sim.urls.management}${path}`, init)).json()) as T;
};
const openFindings = async (code?: FleetCode) =>
  ledger.reader.fleetFindings(code === undefined ? {} : { code }, { limit: 100_000, now: sim.world.clock.nowMs });

/** The last time that something was logged; waits for it. */
async function logged(event: string, count = 1) {
  await vi.waitFor(
    () => expect(ledger.said.filter((one) => one.event === event).length).toBeGreaterThanOrEqual(count),
    {
      timeout: 60_000,
    },
  );
  return ledger.said.findLast((one) => one.event === event)?.facts ?? {};
}

beforeAll(async () => {
  sim = await startSimulator({ knobs: "off", start, seed: 7 });
  await manage("POST", "/fleet", { applications: 600, seed: 7 });
  ledger = await openLedger({
    tenants: { fleet: { urls: sim.urls, directory: await manage<Directory>("GET", "/directory") } },
    clock: clockOf(),
    rows: () => rows,
  });
}, 120_000);
afterAll(async () => {
  await ledger?.close();
  await sim?.close();
});

const expected = () => expectedFindings(sim);

describe("the fleet", () => {
  it("is listed once by two scanners at the same instant of the cron, in its zone", async () => {
    scanner = await ledger.scanner();
    await ledger.scanner();
    // 06:00 in Berlin is 05:00 UTC in November.
    await sim.driver.advanceBy(2 * 3_600_000 - 1, 60_000);
    await Promise.all(ticks.map((tick) => tick()));
    expect((await ledger.reader.scans(10)).filter(({ kind }) => kind === "full")).toEqual([]);
    await sim.driver.advanceBy(1, 60_000);
    await Promise.all(ticks.map((tick) => tick()));
    await logged("details.completed");
    const scans = await ledger.reader.scans(10);
    expect(scans.filter(({ kind }) => kind === "full")).toMatchObject([
      { state: "done", attempts: 1, dueAt: Date.UTC(2026, 10, 22, 5) },
    ]);
    expect(scans.filter(({ kind }) => kind === "details")).toMatchObject([{ state: "done" }]);
    expect(ledger.said.filter(({ event }) => event === "scan.completed")).toHaveLength(1);
    expect(ledger.said.filter(({ event }) => event === "details.completed")).toHaveLength(1);
  }, 120_000);

  it("is judged without a wrong row: what is said equals an independent count, null names, 25 owners, six secrets and all", async () => {
    const said = await openFindings();
    expect(countedByCode(said)).toEqual(expected());
    const sums = Object.fromEntries(
      [...Map.groupBy(await ledger.reader.fleetFindingCounts({}, sim.world.clock.nowMs), ({ code }) => code)].map(
        ([code, of]) => [code, of.reduce((sum, { count }) => sum + count, 0)],
      ),
    );
    expect(sums).toEqual(expected());
    for (const filter of [{}, { code: "unused" as const }]) {
      const ids = new Set<number>();
      for (let after: Awaited<ReturnType<typeof openFindings>>[number] | undefined; ; ) {
        const page = await ledger.reader.fleetFindings(filter, {
          limit: 70,
          now: sim.world.clock.nowMs,
          ...(after === undefined ? {} : { after }),
        });
        for (const { id } of page) ids.add(id);
        after = page.at(-1);
        if (page.length < 70) break;
      }
      expect(ids.size).toBe(said.filter(({ code }) => filter.code === undefined || code === filter.code).length);
    }
    // What a search finds is what has it in its name, or has it as an id: also where it means something to the database.
    const app = said.find(({ name }) => name.includes("<b>app"));
    for (const search of ["<B>APP", "Überw", "%", "_", "a'; --", "\\", app?.appId ?? "", app?.objectId ?? ""]) {
      const found = await ledger.reader.findingsFound({ search });
      const fits = said.filter(
        ({ name, appId, objectId }) =>
          name.toLowerCase().includes(search.toLowerCase()) || appId === search || objectId === search,
      );
      expect(
        found?.toSorted((a, b) => a - b),
        search,
      ).toEqual(fits.map(({ id }) => id).toSorted((a, b) => a - b));
      for (const filter of [{ search }, { search, found }])
        expect(await ledger.reader.fleetFindings(filter, { limit: 100_000, now: 0 }), search).toHaveLength(fits.length);
    }
    const owners = await ledger.observer.query<{ n: string }>(
      "select count(*) as n from cs.object_owners where jsonb_array_length(owners) = 25",
    );
    const many = sim.world.tenant.applications.filter((app) => app.owners.length === 25).length;
    expect(many).toBeGreaterThan(0);
    expect(Number(owners.rows[0]?.n)).toBe(many);
  });

  it("costs what has changed: a second pass after changes reads the owners of those alone, and writes nothing else", async () => {
    const { changed } = await manage<{ changed: string[] }>("POST", "/fleet/change", { applications: 20 });
    const before = ledger.said.length;
    await sim.driver.advanceBy(60_000, 60_000);
    await scanner.scanChanges();
    const details = ledger.said.slice(before).find(({ event }) => event === "details.completed")?.facts;
    expect(details).toMatchObject({ after: "delta", reads: changed.length + refusedPages, unfinished: [] });
    expect(countedByCode(await openFindings())).toEqual(expected());
    // The same again: nothing has changed, and nothing else is read.
    const then = ledger.said.length;
    await sim.driver.advanceBy(60_000, 60_000);
    await scanner.scanChanges();
    expect(ledger.said.slice(then).find(({ event }) => event === "details.completed")?.facts).toMatchObject({
      reads: refusedPages,
      opened: 0,
      cleared: 0,
    });
  }, 60_000);

  it("keeps what was said: when it was first seen, last seen and cleared", async () => {
    const app = sim.world.tenant.applications.find(
      ({ owners, credentials }) => owners.length === 0 && credentials.length === 1,
    );
    if (app === undefined) throw new Error("expected an application without owner");
    const [person] = sim.world.tenant.users;
    const of = async (cleared: boolean) =>
      (
        await ledger.reader.fleetFindings({ objectId: app.id, cleared }, { limit: 10, now: sim.world.clock.nowMs })
      ).filter(({ code }) => code === "ownerless" || code === "single-owner");
    const [first] = await of(false);
    expect(first).toMatchObject({ code: "ownerless", clearedAt: null });
    app.owners.push({ kind: "user", id: person?.id ?? "" });
    // Owners of all are read again after a week, since a change of them need not show as a change of the application.
    await sim.driver.advanceBy(8 * dayMs, 60_000);
    const seenUntil = sim.world.clock.nowMs;
    const done = ledger.said.filter(({ event }) => event === "details.completed").length;
    await Promise.all(ticks.map((tick) => tick()));
    await logged("details.completed", done + 1);
    expect(await of(false)).toMatchObject([{ code: "single-owner", firstSeen: seenUntil }]);
    expect(await of(true)).toMatchObject([
      { code: "ownerless", firstSeen: first?.firstSeen, lastSeen: first?.lastSeen, clearedAt: seenUntil },
    ]);
  }, 60_000);

  it("of the inventory is judged by the inventory: listed, gone, and no more listed", async () => {
    const [known] = sim.world.tenant.applications.filter(({ credentials }) => credentials.length > 0);
    if (known === undefined) throw new Error("expected an application");
    const row = (name: string, objectId: string, appId: string): InventoryRow => ({
      name,
      procedure: "entra-client-secret",
      tenant: "fleet",
      environment: "prod",
      objectId,
      appId,
      owners: ["p_00000000000000aa"],
      record: { connection: "main", name },
      consumers: [],
      rowDigest: "",
    });
    rows = [
      row("known", known.id, known.appId),
      row("never-there", "00000000-0000-4000-8000-00000000dead", "app-dead"),
    ];
    const again = async () => {
      await sim.driver.advanceBy(60_000, 60_000);
      await scanner.scanNow();
    };
    await again();
    const of = async (objectId: string) =>
      (await ledger.reader.fleetFindings({ objectId }, { limit: 20, now: sim.world.clock.nowMs })).map(
        ({ code }) => code,
      );
    expect(await of("00000000-0000-4000-8000-00000000dead")).toEqual(["listed-but-gone"]);
    expect(await of(known.id)).toContain("single-owner");
    expect(await of(known.id)).not.toContain("unmanaged");
    const counts = await ledger.reader.fleetFindingCounts({}, sim.world.clock.nowMs);
    expect(counts.filter(({ environment, listed }) => environment === "prod" && listed).length).toBeGreaterThan(0);
    rows = [];
    await again();
    expect(await of("00000000-0000-4000-8000-00000000dead")).toEqual([]);
    expect(countedByCode(await openFindings())).toEqual(expected());
  }, 60_000);
});

describe("refused sign-ins", () => {
  const failing = async () =>
    (await openFindings("failing")).map(({ name, credential, observed }) => ({ name, credential, observed }));
  const count = (event: string) => ledger.said.filter((one) => one.event === event).length;
  /** Scans of which the second pass has yet to end. */
  const underWay = () => count("scan.completed") - count("details.completed");
  /** Time goes by, what has come due by the cron meanwhile is over, and then there is a look. */
  async function look(ms: number, at: "all" | "changes") {
    const before = underWay();
    await sim.driver.advanceBy(ms, 60_000);
    await Promise.all(ticks.map((tick) => tick()));
    const isOver = async () => {
      expect((await ledger.observer.query("select from cs.scan where state = 'running'")).rowCount).toBe(0);
      expect(underWay()).toBe(before);
    };
    await vi.waitFor(isOver, { timeout: 30_000 });
    await sim.driver.advanceBy(60_000, 60_000);
    await (at === "all" ? scanner.scanNow() : scanner.scanChanges());
    expect(underWay()).toBe(before);
  }

  it("are said with the next look, and until a whole day has gone by without one; unknown is not fine", async () => {
    await sim.seed({
      applications: [{ name: "payroll", secrets: [{ name: "current", expiresInDays: 200 }] }],
      vaults: [{ name: "payroll" }],
      vaultEntries: [
        { vault: "payroll", secret: "wrong", value: "nobody issued this" },
        { vault: "payroll", secret: "right", from: { application: "payroll", secret: "current" } },
      ],
      workloads: ["wrong", "right"].map((secret, n) => ({
        name: `payroll-${secret}`,
        kind: "entra-latest",
        application: "payroll",
        vault: "payroll",
        secret,
        intervalSeconds: 600,
        ipAddress: `203.0.113.${n}`,
      })),
    });
    await look(60_000, "all");
    expect(await failing()).toEqual([]);
    await look(3_600_000, "changes");
    const [said, ...others] = await failing();
    expect(others).toEqual([]);
    expect(said).toMatchObject({ name: "payroll", credential: "" });
    expect(said?.observed).toMatch(/^AADSTS7000215, a wrong secret, since \S+Z, from 203\.0\.113\.0$/);

    // The same for as long as it goes on, also when the first of it has left the log that is looked at.
    await look(30 * 3_600_000, "all");
    expect(await failing()).toEqual([said]);

    // A page that ends in the middle says nothing new, and what was seen before still stands.
    await manage("POST", "/faults", { op: "signIns.list", kind: "truncated", times: "always" });
    await look(600_000, "changes");
    expect(await failing()).toEqual([said]);
    expect(await ledger.reader.unread()).toMatchObject([{ part: "failures", available: true }]);
    // Without a licence nothing is known, and nothing is said.
    await manage("DELETE", "/faults");
    await manage("POST", "/faults", { op: "signIns.list", kind: "403", times: "always" });
    await look(600_000, "changes");
    expect(await failing()).toEqual([]);
    expect(await ledger.reader.unread()).toMatchObject([{ tenant: "fleet", part: "failures", available: false }]);

    await manage("DELETE", "/faults");
    await look(600_000, "changes");
    expect(await failing()).toHaveLength(1);
    expect(await ledger.reader.unread()).toEqual([]);
    sim.world.tenant.workloads.length = 0;
    await look(23 * 3_600_000, "changes");
    expect(await failing()).toHaveLength(1);
    await look(2 * 3_600_000, "changes");
    expect(await failing()).toEqual([]);
  }, 120_000);
});

describe("when no whole listing comes through for 26 hours", () => {
  it("a finding says so until one does, and operators are told once", async () => {
    const last = (await ledger.reader.lastFullScan("fleet"))?.finishedAt ?? 0;
    // The watch's time alone goes on: the scanners would list in the meantime.
    let now = last + scanLateSeconds * 1_000;
    const looks: (() => Promise<void>)[] = [];
    const watch = createScanWatch({
      store: ledger.executor,
      clock: { ...clockOf(), now: () => now, onTick: (listener) => void looks.push(listener) },
      tenants: ["fleet"],
      log: () => undefined,
    });
    const look = () => Promise.all(looks.map((tick) => tick()));
    const late = () => openFindings("scan-late");
    const notices = async () =>
      (await ledger.observer.query("select key from cs.notice where kind = 'scan.late'")).rows;
    watch.start();
    try {
      await look();
      expect(await late()).toEqual([]);
      now += 1;
      await look();
      await look();
      expect(await late()).toMatchObject([{ tenant: "fleet", objectId: "", required: "one within 26 h" }]);
      expect(await notices()).toHaveLength(1);
      await sim.driver.advanceBy(60_000, 60_000);
      await scanner.scanNow();
      await look();
      expect(await late()).toEqual([]);
      expect(await notices()).toHaveLength(1);
    } finally {
      await watch.stop();
    }
  }, 60_000);
});
