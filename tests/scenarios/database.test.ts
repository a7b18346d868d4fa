import { setTimeout as delay } from "node:timers/promises";
import type { EmbeddedDatabase } from "@countersign/engine";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
// oxlint-disable-next-line countersign/imports -- a test's own set-up, which no package exports
import { startTestServer } from "../../packages/engine/test/cluster.ts";
import { tellOnFailure } from "./failure.ts";
import { Stage } from "./stage.ts";

/** The journal's database goes away or refuses to write: nothing is done outside meanwhile. */
let stage: Stage;
let server: EmbeddedDatabase | null = null;
const crashed = ["app-crash-0", "app-crash-1"];
const cut = ["app-cut-0", "app-cut-1"];
const names = [...crashed, ...cut, "app-read-only"];
beforeAll(async () => {
  stage = await Stage.open({
    applications: names.map((name) => ({ name, consumers: ["latest", "copied"] as const })),
  });
});
afterAll(async () => {
  await stage?.close();
  await server?.stop("immediate");
});
beforeEach(() => tellOnFailure(stage));

/** The server of the stage, adopted or started. */
async function database(): Promise<EmbeddedDatabase> {
  server = await startTestServer(stage.folder);
  return server;
}

async function expectNobodyNoticed(applications: readonly string[]): Promise<void> {
  for (const name of applications) {
    const { failedSignIns, orphans } = await stage.figures(name);
    expect({ name, failedSignIns, orphans }).toEqual({ name, failedSignIns: 0, orphans: [] });
  }
}

async function approvedAll(applications: readonly string[]): Promise<string[]> {
  const runs: string[] = [];
  for (const name of applications) runs.push(await stage.file(name));
  await stage.settle();
  for (const run of runs) await stage.approve(run);
  return runs;
}

const changes = async (applications: readonly string[]) =>
  (await Promise.all(applications.map((name) => stage.effects(name)))).flat();

/** Moves time on while the database comes and goes: who waits for it keeps the clock busy, and that is no failure here. */
async function advancePatiently(seconds: number): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await stage.advance(seconds);
    } catch (error) {
      if (tries === 5) throw error;
      await delay(500);
    }
  }
}

describe("a database that misbehaves", () => {
  it("is killed and started again in the middle of runs: everything goes on, nothing is made twice", async () => {
    const runs = await approvedAll(crashed);
    const moving = advancePatiently(120);
    while ((await changes(crashed)).length === 0) await delay(20);
    for (let round = 0; round < 2; round += 1) {
      await (await database()).stop("immediate");
      await database();
      await delay(1_000);
    }
    await moving;
    for (const run of runs) await stage.advanceUntil(run, ["completed"], { hoursMax: 60 });
    await stage.advance(3_600);
    await expectNobodyNoticed(crashed);
    for (const run of runs) expect(await stage.verdict(run)).toBe("proven");
  });

  it("cuts every connection again and again: runs go on where they were", async () => {
    const runs = await approvedAll(cut);
    const moving = advancePatiently(120);
    for (let round = 0; round < 6; round += 1) {
      await stage.asDatabaseOwner((client) =>
        client.query("select pg_terminate_backend(pid) from pg_stat_activity where usename like 'cs\\_%'"),
      );
      await delay(300);
    }
    await moving;
    for (const run of runs) await stage.advanceUntil(run, ["completed"], { hoursMax: 60 });
    await stage.advance(3_600);
    await expectNobodyNoticed(cut);
  });

  it("takes no writes: there is no effect without a committed intent, and afterwards everything goes on", async () => {
    const [run] = await approvedAll(["app-read-only"]);
    const setReadOnly = (value: "on" | "off") =>
      stage.asDatabaseOwner(async (client) => {
        await client.query("set default_transaction_read_only = off");
        await client.query(`alter system set default_transaction_read_only = ${value}`);
        await client.query("select pg_reload_conf()");
      });
    await setReadOnly("on");
    const moving = advancePatiently(30);
    await delay(3_000);
    expect(await stage.effects("app-read-only")).toEqual([]);
    await setReadOnly("off");
    await moving;
    await stage.advanceUntil(run ?? "", ["completed"], { hoursMax: 60 });
    await expectNobodyNoticed(["app-read-only"]);
    expect(await stage.verdict(run ?? "")).toBe("proven");
  });
});

describe("a start that fails in the middle", () => {
  const limit = (connections: number) =>
    stage.asDatabaseOwner((client) => client.query(`alter role cs_executor connection limit ${connections}`));
  const sessions = () =>
    stage.asDatabaseOwner(async (client) => {
      const ours = "select count(*)::int as count from pg_stat_activity where usename like 'cs\\_%'";
      return (await client.query<{ count: number }>(ours)).rows[0]?.count;
    });

  it("says so and leaves nothing running, whichever connection it is that cannot be had", async () => {
    await stage.stop();
    let failed = 0;
    for (let connections = 1; connections < 12; connections += 1) {
      await limit(connections);
      const started = await stage.start().then(
        () => true,
        () => false,
      );
      if (started) break;
      failed += 1;
      await expect.poll(sessions, { timeout: 5_000 }).toBe(0);
    }
    expect(failed).toBeGreaterThan(2);
    await limit(-1);
    await stage.stop();
    await stage.start();
  });
});
