import { execFile, execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { EmbeddedDatabase } from "@countersign/engine";
import type { judgeRestored } from "@countersign/server";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
// oxlint-disable-next-line countersign/imports -- a test's own set-up, which no package exports
import { startTestServer } from "../../packages/engine/test/cluster.ts";
import { root } from "../crash/stage/process.ts";
import { personId } from "./documents.ts";
import { tellOnFailure } from "./failure.ts";
import { refusal, Stage } from "./stage.ts";

/** The database of yesterday under the state folder of today: its rows know nothing of what was done since. */
let stage: Stage;
let server: EmbeddedDatabase | null = null;
beforeAll(async () => {
  stage = await Stage.open({
    applications: ["app-restored", "app-midway", "app-after"].map((name) => ({ name, consumers: ["latest"] as const })),
  });
});
afterAll(async () => {
  // The journal of this stage was thrown away: no history of it can be judged.
  await stage?.stop();
  await server?.stop("immediate");
  await stage?.closeBroken();
});
beforeEach(() => tellOnFailure(stage));

/** The server of the stage, adopted or started. */
async function database(): Promise<EmbeddedDatabase> {
  server = await startTestServer(stage.folder);
  return server;
}

/** What `countersign doctor --after-restore` answers, and with which exit code it ends. */
async function afterRestore(...options: string[]): Promise<{ code: number; said: string; judged: Judged | null }> {
  const main = join(root, "packages/cli/src/main.ts");
  const config = stage.path("countersign.yaml");
  const ended = await promisify(execFile)(
    process.execPath,
    [main, "doctor", "--after-restore", "--config", config, "--json", ...options],
    { env: { PATH: process.env["PATH"] ?? "" } },
  ).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({ code, stdout, stderr }),
  );
  const judged = ended.stdout === "" ? null : (JSON.parse(ended.stdout) as Judged);
  return { code: ended.code, said: ended.stderr, judged };
}

type Judged = Awaited<ReturnType<typeof judgeRestored>>;

async function restore(data: string, backup: string): Promise<void> {
  await stage.stop();
  await server?.stop();
  rmSync(data, { recursive: true });
  execFileSync("cp", ["-a", backup, data]);
  await database();
  await stage.start();
}

describe("an older backup is restored", () => {
  it("does nothing again until a person has read what it lacks, and then only what people approve anew", async () => {
    const midway = await stage.request("app-midway");
    await stage.approve(midway);
    await stage.advanceUntil(midway, ["overlapping"], { stepSeconds: 60 });
    // Approved and not yet begun: what a restored database would do first is begin it again.
    await (await stage.as("ben")).freeze({ body: {} });
    const run = await stage.request("app-restored");
    await stage.approve(run);
    await stage.settle();
    expect(await stage.stateOf(run)).toBe("scheduled");
    await (await stage.as("cleo")).liftFreeze({});
    await stage.stop();
    const { home } = await database();
    await server?.stop();
    const [data, backup] = [join(home, "data"), join(stage.folder, "backup")];
    execFileSync("cp", ["-a", data, backup]);

    await database();
    await stage.start();
    const [olds, oldMidway] = [await stage.secretsOf("app-restored"), (await stage.secretsOf("app-midway"))[0]];
    for (const one of [run, midway]) await stage.advanceUntil(one, ["completed"], { hoursMax: 48 });
    // The next checkpoint is seen by this host.
    expect(await stage.verdict(run)).toBe("proven");
    const effects = async () => [...(await stage.effects("app-restored")), ...(await stage.effects("app-midway"))];
    const done = await effects();
    const [lost] = await stage.secretsOf("app-restored");
    expect(olds).not.toContain(lost);

    await restore(data, backup);
    await stage.advance(3_600);
    // Neither outside nor in the journal: the runs are not even taken up.
    expect(await effects()).toEqual(done);
    expect([await stage.stateOf(run), await stage.stateOf(midway)]).toEqual(["scheduled", "overlapping"]);
    const client = await stage.as("cleo");
    const { readiness } = await client.getStatus({});
    expect(readiness.reasons.map(({ code }) => code)).toContain("LOG_BEHIND");
    expect(await refusal(stage.file("app-after"))).toEqual({ code: "READ_ONLY", status: 503 });

    const read = await afterRestore();
    expect(read.code).toBe(1);
    const { report, digest } = read.judged ?? unread();
    expect(report).toMatchObject({ behind: true, unread: [] });
    expect(report.unknown).toMatchObject([{ application: "app-restored", id: lost, run, inRecord: true }]);
    expect(report.unknown[0]?.version).toMatch(/^[0-9a-f]{32}$/);
    const runs = new Map(report.runs.map((one) => [one.run, one]));
    expect(runs.get(run)).toMatchObject({ becomes: "withdrawn", old: { id: olds[0], listed: false } });
    expect(runs.get(midway)).toMatchObject({ becomes: "held", old: { id: oldMidway, listed: false } });
    // Another report's digest and nobody's word let nothing go on.
    const word = ["--person", personId("cleo"), "--reason", "the newer copy is lost"];
    const [other, nobody] = await Promise.all([
      afterRestore("--accept", `sha256:${"0".repeat(64)}`, ...word),
      afterRestore("--accept", digest, "--person", "p_0000000000000000", "--reason", "x"),
    ]);
    expect(other.said).toContain("CONFLICT");
    expect(nobody.said).toContain("INPUT_INVALID");
    expect((await client.getStatus({})).readiness.mode).toBe("read-only");

    const accepted = await afterRestore("--accept", digest, ...word);
    expect(accepted).toMatchObject({ code: 0, judged: { accepted: { held: 1, withdrawn: 1 } } });
    await stage.settle();
    expect((await client.getStatus({})).readiness.mode).toBe("ready");
    expect([await stage.stateOf(run), await stage.stateOf(midway)]).toEqual(["withdrawn", "held"]);
    // What is held goes neither on nor back, whoever asks for it: the journal may not know all that it did.
    for (const choice of ["retry", "roll-back"] as const) {
      await client.decideHold({ params: { id: midway }, body: { choice, reason: "try it" } });
      await stage.settle();
      expect((await stage.run(midway)).run).toMatchObject({ state: "held", because: { code: "log-restored" } });
    }
    expect(await effects()).toEqual(done);
    await stage.sayClose("ada", midway, "app-owner", "close", "it was completed in the time that is lost");
    await stage.sayClose("cleo", midway, "security", "close-confirm");
    await stage.settle();
    expect(await stage.stateOf(midway)).toBe("left_as_is");
    for (const ended of [run, midway]) {
      expect(await stage.verdict(ended)).toBe("proven");
      expect(stage.secondVerdict(ended)).toBe("proven");
    }

    // A new run sees the world as it is; what the lost run made is nobody's to remove without being named.
    const anew = await stage.request("app-restored");
    await stage.approve(anew);
    await stage.advanceUntil(anew, ["overlapping"], { stepSeconds: 60 });
    expect(await stage.secretsOf("app-restored")).toContain(lost);
    expect(await stage.verdict(anew)).toBe("proven");
    for (const application of ["app-restored", "app-midway"]) {
      const { failedSignIns, orphans } = await stage.figures(application);
      expect({ failedSignIns, orphans }).toEqual({ failedSignIns: 0, orphans: [] });
    }
  });
});

function unread(): never {
  throw new Error("expected a report, got none");
}
