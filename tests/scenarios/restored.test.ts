import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { EmbeddedDatabase } from "@countersign/engine";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
// oxlint-disable-next-line countersign/imports -- a test's own set-up, which no package exports
import { startTestServer } from "../../packages/engine/test/cluster.ts";
import { tellOnFailure } from "./failure.ts";
import { refusal, Stage } from "./stage.ts";

/** The database of yesterday under the state folder of today: its rows know nothing of what was done since. */
let stage: Stage;
let server: EmbeddedDatabase | null = null;
beforeAll(async () => {
  stage = await Stage.open({
    applications: ["app-restored", "app-after"].map((name) => ({ name, consumers: ["latest", "copied"] as const })),
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

describe("an older backup is restored", () => {
  it("comes back from an older backup: what ran since is not done again, and nothing new begins", async () => {
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
    await stage.advanceUntil(run, ["overlapping"], { stepSeconds: 60 });
    // The next checkpoint is seen by this host.
    expect(await stage.verdict(run)).toBe("proven");
    const done = await stage.effects("app-restored");
    expect(done.map(({ op }) => op)).toEqual(["application.addPassword", "secret.set", "secret.set"]);

    await stage.stop();
    await server?.stop();
    rmSync(data, { recursive: true });
    execFileSync("cp", ["-a", backup, data]);
    await database();
    await stage.start();
    await stage.advance(24 * 3_600);
    // Neither outside nor in the journal: the run is not even taken up.
    expect(await stage.effects("app-restored")).toEqual(done);
    expect(await stage.stateOf(run)).toBe("scheduled");
    const { readiness } = await (await stage.as("cleo")).getStatus({});
    expect(readiness.reasons.map(({ code }) => code)).toContain("LOG_BEHIND");
    expect(await refusal(stage.file("app-after"))).toEqual({ code: "READ_ONLY", status: 503 });
    const { failedSignIns, orphans } = await stage.figures("app-restored");
    expect({ failedSignIns, orphans }).toEqual({ failedSignIns: 0, orphans: [] });
  });
});
