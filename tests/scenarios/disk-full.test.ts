import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { EmbeddedDatabase } from "@countersign/engine";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
// oxlint-disable-next-line countersign/imports -- a test's own set-up, which no package exports
import { startTestServer } from "../../packages/engine/test/cluster.ts";
import { tellOnFailure } from "./failure.ts";
import { Stage } from "./stage.ts";

/** The disk of the journal's database is full: a file system of its own, small, with every byte taken. */
let stage: Stage;
let server: EmbeddedDatabase | null = null;
const names = ["app-full-0", "app-full-1"];
beforeAll(async () => {
  stage = await Stage.open({ applications: names.map((name) => ({ name, consumers: ["latest"] as const })) });
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

/** Puts the data of the stopped server onto another file system, or back. */
async function moved(change: (data: string, away: string) => void): Promise<string> {
  await stage.stop();
  const { home } = await database();
  await server?.stop();
  const data = join(home, "data");
  change(data, join(home, "away"));
  await database();
  await stage.start();
  return data;
}

/** Takes every byte that is left. */
function fill(ballast: string): void {
  for (const size of [1024 * 1024, 64 * 1024, 4 * 1024])
    try {
      for (;;) appendFileSync(ballast, Buffer.alloc(size));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    }
}

/** Steps that the journal holds, by the word of the database itself. */
const journaled = () =>
  stage.asDatabaseOwner(async (client) => {
    const { rows } = await client.query("select count(*)::int as n from cs.step");
    return (rows[0] as { n: number }).n;
  });

describe("a full disk", () => {
  it("lets nothing be done outside that could not be written down before, and afterwards everything goes on", async (context) => {
    if (process.getuid?.() !== 0) context.skip("needs root, to mount a small file system for the database");
    const data = await moved((from, away) => {
      const { uid, gid } = statSync(from);
      renameSync(from, away);
      mkdirSync(from);
      execFileSync("mount", ["-t", "tmpfs", "-o", `size=160m,mode=0700,uid=${uid},gid=${gid}`, "none", from]);
      execFileSync("cp", ["-a", `${away}/.`, from]);
      rmSync(away, { recursive: true });
    });
    const ballast = join(data, "ballast");
    try {
      const runs: string[] = [];
      for (const name of names) runs.push(await stage.request(name));
      for (const run of runs) await stage.approve(run);
      fill(ballast);
      // It is full by the database's own word, and not only by ours.
      await expect(
        stage.asDatabaseOwner((client) =>
          client.query("create table public.more as select generate_series(1, 100000)"),
        ),
      ).rejects.toMatchObject({ code: "53100" });
      const before = stage.said.length;
      const moving = stage.advance(120).catch(() => {});
      await delay(3_000);
      const effects = (await Promise.all(names.map((name) => stage.effects(name)))).flat();
      // What still found room in pages that were there may have been done; nothing else.
      expect(effects.length).toBeLessThanOrEqual(await journaled());
      for (const name of names) expect((await stage.figures(name)).failedSignIns).toBe(0);

      // Every run came to it, and was let go of.
      const said = stage.said.slice(before).filter((line) => line.includes("no resources"));
      for (const run of runs) expect(said.some((line) => line.includes(run))).toBe(true);

      rmSync(ballast);
      await database();
      await moving;
      for (const run of runs) await stage.advanceUntil(run, ["completed"], { hoursMax: 60 });
      for (const [index, name] of names.entries()) {
        const { failedSignIns, orphans } = await stage.figures(name);
        expect({ failedSignIns, orphans }).toEqual({ failedSignIns: 0, orphans: [] });
        expect(await stage.verdict(runs[index] ?? "")).toBe("proven");
      }
    } finally {
      rmSync(ballast, { force: true });
      await moved((from, away) => {
        execFileSync("cp", ["-a", from, away]);
        execFileSync("umount", [from]);
        rmSync(from, { recursive: true });
        renameSync(away, from);
      });
    }
  });
});
