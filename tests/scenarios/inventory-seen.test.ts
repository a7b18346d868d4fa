/**
 * What the inventory lists beside what the ledger shows: the directory as it was listed, who signs in, what lies in vaults.
 */
import { declaredBy, type EntraRow, type InventoryRow, type VaultEntry } from "@countersign/core";
import { createVaultLook, type EngineClock } from "@countersign/engine";
import { startSimulator } from "@countersign/simulator";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type FleetLedger, openLedger } from "../fleet/ledger.ts";
import type { Directory } from "../fleet/scanner.ts";

const dayMs = 86_400_000;
const ids = (n: number) => ({
  objectId: `8f1c5a52-0000-4000-8000-00000000000${n}`,
  appId: `8f1c5a52-0000-4000-8000-00000000001${n}`,
});
const listed = (name: string, n: number, change: Partial<EntraRow> = {}): EntraRow => ({
  ...ids(n),
  name,
  procedure: "entra-client-secret",
  environment: "prod",
  tenant: "fleet",
  owners: [],
  record: { connection: "open", name: `${name}-secret` },
  consumers: [],
  rowDigest: "",
  ...change,
});
const declaring = (...callers: string[]): EntraRow["consumers"] => [
  { kind: "latest", name: "web", environment: "prod", pickupSeconds: 0, cadenceSeconds: 0, callers },
];

const secrets = [{ name: "current", expiresInDays: 200 }];
const scenario = {
  applications: [
    { name: "billing", ...ids(1), owners: ["writer"], secrets },
    { name: "reports", ...ids(2), secrets },
    { name: "swapped", ...ids(3), owners: ["writer"], secrets },
    { name: "quiet", ...ids(4), owners: ["writer"], secrets },
  ],
  vaults: [{ name: "open" }],
  vaultEntries: [{ vault: "open", secret: "billing-secret", from: { application: "billing", secret: "current" } }],
  workloads: [8, 9].map((n) => ({
    name: `billing-${n}`,
    kind: "entra-latest" as const,
    application: "billing",
    vault: "open",
    secret: "billing-secret",
    intervalSeconds: 600,
    ipAddress: `203.0.113.${n}`,
  })),
};

let sim: Awaited<ReturnType<typeof startSimulator>>;
let directory: Directory;
let ledger: FleetLedger;
let rows: InventoryRow[] = [];

/** The tenant's own clock as the product's. */
function clockOf(): EngineClock {
  return {
    kind: "virtual",
    now: () => sim.world.clock.nowMs,
    sleep: async (ms, signal) => {
      signal?.throwIfAborted();
      await sim.driver.advanceBy(ms, 60_000);
    },
    work: (act) => act(),
    onTick: () => undefined,
    nextDue: () => undefined,
    close: async () => {},
  };
}

const manage = async (method: string, path: string, body?: unknown): Promise<unknown> => {
  const init = { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  return (await fetch(`${sim.urls.management}${path}`, init)).json();
};

beforeAll(async () => {
  sim = await startSimulator({ knobs: "off", start: "2026-11-22T06:00:00Z", seed: 7, scenario });
  directory = (await manage("GET", "/directory")) as Directory;
  ledger = await openLedger({ tenants: { fleet: { urls: sim.urls, directory } }, clock: clockOf(), rows: () => rows });
}, 120_000);
afterAll(async () => {
  await ledger?.close();
  await sim?.close();
});

it("says what is gone, another application, not the writer's, and who uses it beside those declared; unknown is not fine", async () => {
  const all = [
    listed("billing", 1, { consumers: declaring("203.0.113.8") }),
    listed("reports", 2),
    listed("swapped", 3, { appId: ids(9).appId }),
    listed("quiet", 4),
    listed("never-there", 5),
  ];
  const scanner = await ledger.scanner();
  const writers = new Map([["fleet", directory.callers.writer.clientId]]);
  const given = () => all.map((row) => ({ ...row, declared: declaredBy(row) }));
  const compared = async (matter?: "none" | "not-declared" | "not-looked") => {
    const found = await ledger.reader.inventoryCompared(given(), writers, { matter, limit: 10 });
    return found.map(({ n, matters }) => [all[n - 1]?.name, ...matters]);
  };
  expect(await compared("not-looked")).toHaveLength(5);
  const seen = () => ledger.executor.usesSeen(listed("billing", 1));
  // Nothing is concluded for a plan either.
  expect(await seen()).toBeNull();
  rows = all;
  // Sign-ins come to the log with a delay of their own; no time of the cron is passed.
  await sim.driver.advanceBy(3 * 3_600_000, 60_000);
  await scanner.scanNow();
  expect(await compared()).toEqual([
    ["billing", "not-declared"],
    ["reports", "not-owned"],
    ["swapped", "other-application"],
    ["quiet"],
    ["never-there", "gone"],
  ]);
  const said = async () => {
    const open = await ledger.reader.fleetFindings(
      { code: "undeclared-use" },
      { limit: 10, now: sim.world.clock.nowMs },
    );
    return open.map(({ name, observed }) => [name, observed]);
  };
  expect(await said()).toEqual([["billing", "203.0.113.9"]]);
  const [billing] = all;
  const uses = async () => [...(await ledger.reader.usesFound(all.slice(0, 1))).values()][0];
  expect((await uses())?.callers.map(({ address }) => address).toSorted()).toEqual(["203.0.113.8", "203.0.113.9"]);

  expect(await seen()).toMatchObject({ entries: [], callers: { length: 2 }, signInsRead: true, vaultsRead: false });

  // Vaults are another process's to look into, and one of them may not be listed.
  let open: readonly VaultEntry[] | null = [
    { connection: "open", name: "billing-secret", tags: { app: billing?.appId ?? "" } },
    { connection: "open", name: "elsewhere", tags: { owner: "nobody", of: ids(1).objectId.toUpperCase() } },
    { connection: "open", name: "quiet-secret", tags: {} },
    { connection: "open", name: "quiet-too", tags: {} },
  ];
  const looks: (() => Promise<void>)[] = [];
  let now = sim.world.clock.nowMs;
  const look = createVaultLook({
    store: ledger.executor,
    clock: { ...clockOf(), now: () => now, onTick: (listener) => void looks.push(listener) },
    tenants: ["fleet"],
    lister: { vaults: ["open", "shut"], entries: async (_, connection) => (connection === "open" ? open : null) },
    log: () => undefined,
  });
  look.start();
  try {
    const later = async () => {
      now += dayMs;
      await Promise.all(looks.map((tick) => tick()));
    };
    await later();
    expect(await ledger.reader.vaultReadings()).toEqual([
      { connection: "open", readAt: now, available: true },
      { connection: "shut", readAt: now, available: false },
    ]);
    expect((await uses())?.entries).toEqual([
      { connection: "open", name: "billing-secret", because: "tag app" },
      { connection: "open", name: "elsewhere", because: "tag of" },
    ]);
    expect(await seen()).toMatchObject({ entries: { length: 2 }, callers: { length: 2 }, vaultsRead: true });
    expect(await compared("not-declared")).toEqual([
      ["billing", "not-declared"],
      ["quiet", "not-declared"],
    ]);
    // Declared, it is no matter any more; and what is taken out of the vault is not known for ever.
    all[0] = listed("billing", 1, {
      consumers: [
        ...declaring("203.0.113.8", "203.0.113.9"),
        { ...declaring()[0]!, kind: "copied", name: "copy", connection: "open", entry: "elsewhere" },
      ],
    });
    expect(await compared("not-declared")).toEqual([["quiet", "not-declared"]]);
    open = open.filter(({ name }) => name !== "quiet-too");
    await later();
    expect(await compared("none")).toEqual([["billing"], ["quiet"]]);
    const counts = await ledger.reader.inventoryCounts(given(), writers);
    expect(counts.reduce((sum, { count }) => sum + count, 0)).toBe(5);
    await scanner.scanNow();
    expect(await said()).toEqual([]);
    open = null;
    await later();
    expect((await uses())?.entries).toEqual([]);
  } finally {
    await look.stop();
  }

  // Without a licence no caller is known, which is said.
  await manage("POST", "/faults", { op: "signIns.list", kind: "403", times: "always" });
  await sim.driver.advanceBy(13 * 3_600_000, 60_000);
  await scanner.scanNow();
  expect(await ledger.reader.inventoryStandings(writers)).toMatchObject([{ tenant: "fleet", callersAvailable: false }]);
}, 60_000);
