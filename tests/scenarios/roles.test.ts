import { execFileSync } from "node:child_process";
import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { root } from "../crash/stage/process.ts";
import { tellOnFailure } from "./failure.ts";
import { command, custody, listeningPorts, type RoleName, RoleProcesses, roleNames } from "./role-processes.ts";
import { Stage } from "./stage.ts";

const processes = new RoleProcesses();
let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open({
    applications: [
      { name: "app-billing", expiresInDays: 13 },
      { name: "app-later", expiresInDays: 200 },
    ],
    product: processes,
  });
});
afterAll(() => stage?.close());
beforeEach(() => tellOnFailure(stage));

const referencesOf = (role: RoleName) =>
  ["file:database.secret", ...custody[role].map((name) => `file:${name}`)].sort();

/** The process dies and a service manager starts it again. */
async function killAndStart(role: RoleName): Promise<void> {
  await processes.kill(role);
  await processes.startOne(role);
}

describe("four processes, one for each role", () => {
  it("have an address to be called at only where people come in", () => {
    const api = Number(new URL(stage.url).port);
    expect(Object.fromEntries(roleNames.map((role) => [role, listeningPorts(processes.pidOf(role))]))).toEqual({
      api: [api],
      executor: [],
      notifier: [],
      scanner: [],
    });
  });

  it("log into the database each as itself, none as anybody else", async () => {
    const { rows } = await stage.asDatabaseOwner((client) =>
      client.query<{ who: string }>(
        "select distinct usename::text as who from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() order by 1",
      ),
    );
    expect(rows.map(({ who }) => who)).toEqual(["cs_api", "cs_executor", "cs_notifier", "cs_scanner"]);
  });

  it.each(roleNames)("the doctor on the host of the %s finds its own rights and no others", async (role) => {
    const { exit, out } = await command(processes.folderOf(role), "doctor", "--role", role, "--json");
    const { ok, checks } = JSON.parse(out) as { ok: boolean; checks: { check: string; says: string }[] };
    const says = (check: string) => checks.find((row) => row.check === check)?.says;
    expect({ exit, ok }).toEqual({ exit: 0, ok: true });
    expect(says("database")).toBe(`cs_${role} as cs_${role}`);
    expect(says("separation")).toBe("roles");
    expect(says("own addresses")).toContain("not named for stage (ownAddresses)");
    expect(says("secrets")).toBe(`${custody[role].length} references read`);
  });

  it("rotate a secret end to end, and lose nothing when each of them is killed on the way", async () => {
    await killAndStart("scanner");
    await stage.advance(12 * 3_600);
    const run = await stage.newestOf("app-billing");
    if (run === null) throw new Error("expected the scan to find what expires, it did not");

    await stage.decide("ada", run, "app-owner");
    await killAndStart("api");
    await processes.kill("notifier");
    await stage.decide("ben", run, "platform");

    // Killed as soon as the new secret exists outside: it is in no vault then, or on its way there.
    const going = stage.advance(120);
    while ((await stage.effects("app-billing")).length === 0) await delay(20);
    await killAndStart("executor");
    await going;
    await processes.startOne("notifier");
    await stage.advanceUntil(run, ["overlapping"], { stepSeconds: 60, hoursMax: 1 });
    await killAndStart("executor");
    await stage.advanceUntil(run, ["completed"], { hoursMax: 48 });

    const { failedSignIns, orphans, signIns } = await stage.figures("app-billing");
    expect({ failedSignIns, orphans }).toEqual({ failedSignIns: 0, orphans: [] });
    expect(signIns).toBeGreaterThan(100);
    const told = (type: string) => stage.sink.until((notice) => notice.type === type && notice.data.run === run);
    for (const type of ["run.awaiting-approval", "run.executing", "run.completed"])
      expect((await told(type)).signed).toBe(true);
    expect(stage.said.some((line) => line.includes('"event":"recovery.started"'))).toBe(true);
    expect(stage.said.filter((line) => line.includes('"event":"custody"') && !line.includes('"roles"'))).toEqual([]);

    // The API that made the bundle has no key; both verifiers accept it.
    expect(await stage.verdict(run)).toBe("proven");
    const second = execFileSync("python3", [
      join(root, "tools/verify.py"),
      stage.path(`${run}.zip`),
      "--trust",
      stage.path("state/trust.json"),
      "--json",
    ]);
    expect(JSON.parse(second.toString())).toMatchObject({ verdict: "proven", run, state: "completed" });
  });

  it("hand out the bundle of a run that is still open as well", async () => {
    const run = await stage.request("app-later");
    expect(await stage.stateOf(run)).toBe("awaiting_approval");
    expect(await stage.verdict(run)).toBe("proven");
  });

  it.each(roleNames)("the %s has resolved its own secrets and not one more", (role) => {
    expect(processes.resolvedBy(role)).toEqual(referencesOf(role).filter((name) => name !== "file:database.secret"));
  });
});

describe("a process that is given more than its role may hold", () => {
  it("is not separated, and the doctor says by what", async () => {
    const stray = join(processes.folderOf("api"), "state/run.key");
    copyFileSync(join(processes.folderOf("executor"), "state/run.key"), stray);
    copyFileSync(
      join(processes.folderOf("executor"), "writer.secret"),
      join(processes.folderOf("api"), "writer.secret"),
    );
    const { exit, out } = await command(processes.folderOf("api"), "doctor", "--role", "api");
    rmSync(stray);
    rmSync(join(processes.folderOf("api"), "writer.secret"));
    expect(exit).toBe(1);
    expect(out).toMatch(/FAIL separation: none: the api can read file:writer\.secret, \S+run\.key/);
  });

  it("does not start with another role's database login", async () => {
    const file = join(processes.folderOf("scanner"), "database.secret");
    const own = readFileSync(file);
    writeFileSync(file, readFileSync(join(processes.folderOf("executor"), "database.secret")));
    const { exit, errors } = await command(processes.folderOf("scanner"), "serve", "--role", "scanner");
    writeFileSync(file, own);
    expect(exit).toBe(1);
    expect(errors).toContain("expected user cs_scanner in the database URL, got cs_executor");
  });
});
