import type { FailedSignIns } from "@countersign/core";
import { afterEach, expect, it } from "vitest";
import { openTenant } from "./support.ts";

const hourMs = 3_600_000;
const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** A tenant in which one service holds a value that nobody issued, and one a secret that runs out after an hour. */
async function open() {
  const stage = await openTenant({ knobs: "off" });
  ends.push(() => stage.close());
  const { sim } = stage;
  await sim.seed({
    applications: [{ name: "outlived", secrets: [{ name: "short", expiresInDays: 1 / 24 }] }],
    vaultEntries: [{ vault: "main", secret: "outlived", from: { application: "outlived", secret: "short" } }],
    workloads: [
      ["lost", "neighbour", "other-secret", "203.0.113.9"],
      ["late", "outlived", "outlived", "203.0.113.10"],
      ["late-too", "outlived", "outlived", "203.0.113.11"],
    ].map(([name, application, secret, ipAddress]) => ({
      name,
      kind: "entra-latest",
      application,
      vault: "main",
      secret,
      intervalSeconds: 600,
      ipAddress,
    })),
  });
  const [scanner] = stage.connectors.scanners;
  if (scanner === undefined) throw new Error("expected a scanner");
  const ctx = { clock: stage.clock, signal: new AbortController().signal };
  const appId = (name: string) => sim.world.tenant.applications.find((app) => app.displayName === name)?.appId;
  return {
    ...stage,
    read: (hours = 24) => scanner.failures(ctx, stage.clock.now() - hours * hourMs),
    of: (read: FailedSignIns | null, name: string) => read?.found.find((one) => one.appId === appId(name)),
    fault: (kind: string, nth = 1) =>
      fetch(`${sim.urls.management}/faults`, {
        method: "POST",
        body: JSON.stringify({ op: "signIns.list", kind, nth, times: "always" }),
      }),
  };
}

it("sums up who fails with a wrong and with an expired secret, and nobody who signs in", async () => {
  const { sim, clock, read, of } = await open();
  const began = clock.now();
  await sim.driver.advanceBy(5 * hourMs, 10_000);
  const all = await read();
  expect(all).toMatchObject({ cut: false, pages: 2 });
  const wrong = of(all, "neighbour");
  expect(wrong).toMatchObject({ credential: null, error: 7_000_215, addresses: ["203.0.113.9"] });
  expect(wrong?.count).toBeGreaterThanOrEqual(29);
  expect(wrong?.firstAt).toBeLessThanOrEqual(began + 600_000);
  expect(wrong?.lastAt).toBeGreaterThan(clock.now() - 700_000);
  const { keyId } = sim.world.tenant.applications.find((app) => app.displayName === "outlived")?.credentials[0] ?? {};
  const expired = of(all, "outlived");
  expect(expired).toMatchObject({ credential: keyId, error: 7_000_222, addresses: ["203.0.113.10", "203.0.113.11"] });
  // Those of the first hour came through.
  expect(expired?.firstAt).toBeGreaterThanOrEqual(began + hourMs);
  expect(all?.found).toHaveLength(2);
  expect(of(await read(1), "neighbour")?.count).toBeLessThan(8);
});

it("says that not all was read when there are more pages than it may read, and has the newest", async () => {
  const { sim, clock, read, of } = await open();
  await sim.driver.advanceBy(8 * hourMs, 10_000);
  sim.world.knobs.pageSize = 1;
  const some = await read();
  expect(some).toMatchObject({ cut: true, pages: 50 });
  expect(of(some, "neighbour")).toMatchObject({ count: 25 });
  expect(of(some, "neighbour")?.lastAt).toBeGreaterThan(clock.now() - 3 * hourMs);
});

it("says that not all was read when a line has another form, and takes the others", async () => {
  const { sim, read, of } = await open();
  await sim.driver.advanceBy(2 * hourMs, 10_000);
  const line = sim.world.tenant.signIns.find(({ errorCode }) => errorCode === 7_000_215);
  if (line === undefined) throw new Error("expected a failed sign-in");
  sim.world.tenant.signIns.push({ ...line, id: "odd", appId: "no id" });
  const some = await read();
  expect(some?.cut).toBe(true);
  expect(of(some, "neighbour")?.count).toBeGreaterThan(10);
});

it("without a licence or the right to read has no answer, which is not that nothing fails", async () => {
  for (const kind of ["403", "404"]) {
    const { sim, read, fault } = await open();
    await sim.driver.advanceBy(hourMs, 10_000);
    await fault(kind);
    expect(await read()).toBeNull();
  }
});

it("fails as a whole when a page is cut off or a later one is refused, and concludes nothing", async () => {
  const { sim, read, fault } = await open();
  await sim.driver.advanceBy(2 * hourMs, 10_000);
  sim.world.knobs.pageSize = 5;
  await fault("403", 2);
  await expect(read()).rejects.toMatchObject({ code: "OUTSIDE_FORBIDDEN" });
  await fetch(`${sim.urls.management}/faults`, { method: "DELETE" });
  await fault("truncated");
  await expect(read()).rejects.toMatchObject({ code: "OUTSIDE_UNAVAILABLE" });
});
