/** Scans that are killed in the middle, by real processes: nothing is done twice, and nothing is lost. */
import type { Store } from "@countersign/engine";
import { startSimulator } from "@countersign/simulator";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { countedByCode, expectedFindings } from "../fleet/expected.ts";
import { type FleetLedger, openLedger } from "../fleet/ledger.ts";
import { startScannerProcess } from "../fleet/process.ts";
import type { Directory } from "../fleet/scanner.ts";

/** More than are judged in one statement. */
const applications = 1_100;
const minuteMs = 60_000;
let sim: Awaited<ReturnType<typeof startSimulator>>;
let directory: Directory;
let ledger: FleetLedger;
let passed = 0;
let killed: ReturnType<typeof startScannerProcess> | null = null;

const clock = () => ({
  kind: "system" as const,
  now: () => sim.world.clock.nowMs + passed,
  sleep: () => Promise.resolve(),
  work: <T>(act: () => Promise<T>) => act(),
  onTick: () => undefined,
  nextDue: () => undefined,
  close: async () => {},
});
const tenants = () => ({ fleet: { urls: sim.urls, directory } });

/** A store that is heard of no more once a statement has come through so many times: `died` is then told. */
function mortal(statement: keyof Store, times: number, died: () => void): (store: Store) => Store {
  let done = 0;
  return (store) =>
    new Proxy(store, {
      get(target, name) {
        const method = Reflect.get(target, name);
        if (typeof method !== "function") return method;
        return async (...args: unknown[]) => {
          if (done >= times) throw new Error("this worker is dead");
          const result = await Reflect.apply(method, target, args);
          if (name === statement && (done += 1) === times) died();
          return result;
        };
      },
    });
}

/** As if the lease of everybody who was killed had run out. */
const leasesEnd = () =>
  ledger.observer.query("update cs.worker set beat_at = beat_at - interval '1 hour' where gone_at is null");

const scans = async () => (await ledger.reader.scans(20)).map(({ kind, state }) => ({ kind, state }));
const number = async (text: string) =>
  Number((await ledger.observer.query<{ n: string }>(`select count(*) as n from ${text}`)).rows[0]?.n);

/** What stands in the ledger is what the tenant has, each thing once. */
async function expectWhole(): Promise<void> {
  const now = clock().now();
  const findings = await ledger.reader.fleetFindings({}, { limit: 100_000, now });
  expect(countedByCode(findings)).toEqual(expectedFindings(sim, now));
  expect(new Set(findings.map((one) => `${one.objectId} ${one.credential} ${one.code}`)).size).toBe(findings.length);
  const counts = await ledger.reader.fleetFindingCounts({}, now);
  expect(counts.reduce((sum, { count }) => sum + count, 0)).toBe(findings.length);
  // Nothing was said and taken back.
  expect(await number("cs.fleet_finding where cleared_at is not null")).toBe(0);
  const { tenant } = sim.world;
  const held = [...tenant.applications, ...tenant.servicePrincipals].flatMap((one) => [
    ...one.credentials,
    ...one.keyCredentials,
  ]);
  expect(await number("cs.credential where gone_at is null")).toBe(held.length);
  expect(await number("cs.directory_object where gone_at is null and kind = 'application'")).toBe(
    tenant.applications.length,
  );
  expect(await number("cs.pass_due")).toBe(0);
}

beforeAll(async () => {
  sim = await startSimulator({ knobs: "off", start: "2026-11-22T10:00:00Z", seed: 7 });
  const post = async (path: string, body: unknown) =>
    (await fetch(`${sim.urls.management}${path}`, { method: "POST", body: JSON.stringify(body) })).json();
  await post("/fleet", { applications, seed: 7 });
  directory = (await (await fetch(`${sim.urls.management}/directory`)).json()) as Directory;
}, 60_000);
afterAll(() => sim?.close());
afterEach(async () => {
  await killed?.end();
  await ledger?.close();
});

describe("a scan", () => {
  it("that is killed again and again goes on where it stood; of two that take it up at once one does it", async () => {
    ledger = await openLedger({ tenants: tenants(), clock: clock() });
    const { said } = ledger;
    await ledger.reader.scanAsk(clock().now());
    // Each is born a minute later than the one before, so that no two look at the same instant.
    for (const [statement, times] of [
      ["scanPage", 1],
      ["scanConclude", 1],
      ["scanEnd", 1],
      ["usesPut", 1],
      ["findingsPut", 1],
    ] as const) {
      passed += minuteMs;
      const dead = Promise.withResolvers<void>();
      const one = await ledger.scanner(mortal(statement, times, dead.resolve));
      await dead.promise;
      await one.stop();
      await leasesEnd();
      if (statement !== "usesPut") continue;
      // And one by SIGKILL, a process of its own.
      passed += minuteMs;
      const [now, killAfter] = [clock().now(), { statement: "ownersPut", times: 2 } as const];
      killed = startScannerProcess({ connection: ledger.connection, tenants: tenants(), now, killAfter });
      await killed.ended;
      await leasesEnd();
    }
    // Dead with a half of the findings written.
    expect(await number("cs.fleet_judged")).toBe(1_000);
    expect(said.filter(({ event }) => event === "details.completed")).toEqual([]);
    const from = said.length;
    passed += minuteMs;
    await Promise.all([ledger.scanner(), ledger.scanner()]);
    const completed = () => said.slice(from).filter(({ event }) => event === "details.completed");
    await vi.waitFor(() => expect(completed()).toHaveLength(1), { timeout: 150_000 });
    // Policies, uses, refusals and owners were read by those that died.
    expect(completed()[0]?.facts).toMatchObject({ after: "full", reads: 0, unfinished: [] });
    expect(said.slice(from).filter(({ event }) => event !== "details.completed")).toEqual([]);
    expect(await scans()).toEqual([
      { kind: "details", state: "done" },
      { kind: "full", state: "done" },
    ]);
    expect(await number("journal.log_entry where type = 'scan.completed'")).toBe(1);
    await expectWhole();
  }, 240_000);
});
