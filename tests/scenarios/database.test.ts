import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type EmbeddedDatabase, startEmbedded } from "@countersign/engine";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { tellOnFailure } from "./failure.ts";
import { refusal, Stage } from "./stage.ts";

/** The journal's database goes away, refuses to write, or comes back older: nothing is done outside meanwhile. */
let stage: Stage;
let server: EmbeddedDatabase | null = null;
const crashed = ["app-crash-0", "app-crash-1", "app-crash-2", "app-crash-3"];
const cut = ["app-cut-0", "app-cut-1", "app-cut-2"];
const names = [...crashed, ...cut, "app-read-only", "app-restored", "app-after"];
beforeAll(async () => {
  stage = await Stage.open({
    applications: names.map((name) => ({ name, consumers: ["latest", "copied"] as const })),
  });
});
afterAll(async () => {
  await stage?.stop();
  await server?.stop("immediate");
  await stage?.close();
});
beforeEach(() => tellOnFailure(stage));

/** The server of the stage, adopted or started. */
async function database(): Promise<EmbeddedDatabase> {
  server = await startEmbedded({ stateFolder: stage.path("server"), sharedFolder: stage.path("shared") });
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

  it("comes back from an older backup: what ran since is not done again, and nothing new begins", async () => {
    // Approved and not yet begun: what a restored database would do first is begin it again.
    const ben = await stage.as("ben");
    await ben.freeze({ body: {} });
    const [run] = await approvedAll(["app-restored"]);
    await stage.settle();
    expect(await stage.stateOf(run ?? "")).toBe("scheduled");
    await (await stage.as("cleo")).liftFreeze({});
    await stage.stop();
    const { home } = await database();
    await server?.stop();
    const [data, backup] = [join(home, "data"), join(stage.folder, "backup")];
    execFileSync("cp", ["-a", data, backup]);
    await database();
    await stage.start();
    await stage.advanceUntil(run ?? "", ["overlapping"], { stepSeconds: 60 });
    // The next checkpoint is seen by this host.
    expect(await stage.verdict(run ?? "")).toBe("proven");
    const done = await stage.effects("app-restored");
    expect(done.map(({ op }) => op)).toEqual(["application.addPassword", "secret.set", "secret.set"]);

    await stage.stop();
    await server?.stop();
    rmSync(data, { recursive: true });
    execFileSync("cp", ["-a", backup, data]);
    await database();
    await stage.start();
    expect(await stage.stateOf(run ?? "")).toBe("scheduled");
    await stage.advance(3_600);
    expect(await stage.effects("app-restored")).toEqual(done);
    const { readiness } = await (await stage.as("cleo")).getStatus({});
    expect(readiness.reasons.map(({ code }) => code)).toContain("LOG_BEHIND");
    expect(await refusal(stage.file("app-after"))).toEqual({ code: "READ_ONLY", status: 503 });
    await expectNobodyNoticed(["app-restored"]);
  });
});
