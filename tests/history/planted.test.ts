import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { invariantIds, type Violation, violationsOf } from "@countersign/core";
import { init } from "@countersign/server";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { endProcess, root } from "../crash/stage/process.ts";
import { Stage, type StageProduct, stageOrigin } from "../scenarios/stage.ts";
import { text } from "./check.ts";
import { applicationOf, plantedBreaches } from "./planted.ts";

/** The product from its sources, with every breach planted while they are loaded. */
const broken: StageProduct = {
  async install(folder) {
    await init(join(folder, "countersign.yaml"), stageOrigin);
  },
  async start(folder, say) {
    const planted = { name: "breaches", changes: plantedBreaches.flatMap(({ changes }) => changes) };
    const args = ["--import", join(root, "tests/crash/planted-hooks.mjs"), join(root, "packages/cli/src/main.ts")];
    const child = spawn(process.execPath, [...args, "serve", "--config", join(folder, "countersign.yaml")], {
      env: { ...process.env, CRASH_PLANTED: JSON.stringify(planted) },
      stdio: ["ignore", "inherit", "pipe"],
    });
    await untilStarted(child, say);
    return [{ stop: () => endProcess(child, "SIGTERM") }];
  },
};

function untilStarted(child: ChildProcess, say: (line: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const last: string[] = [];
    if (child.stderr === null) return reject(new Error("expected a pipe, got none"));
    createInterface({ input: child.stderr }).on("line", (line) => {
      last.push(line);
      say(line);
      if (line.includes('"event":"started"')) resolve();
    });
    child.once("exit", (code, signal) =>
      reject(new Error(`expected the product to run, it ended with ${code ?? signal}: ${last.slice(-9).join("\n")}`)),
    );
  });
}

const applications = [...invariantIds.map(applicationOf), "app-clean"];
const found = new Map<string, Violation>();
const runs = new Map<string, string>();
let stage: Stage;

/** Adds what the checker reports now. */
async function look(): Promise<void> {
  for (const violation of violationsOf(await stage.history())) found.set(text(violation), violation);
}

beforeAll(async () => {
  stage = await Stage.open({
    applications: applications.map((name) => ({ name, consumers: ["latest", "copied"] })),
    product: broken,
  });
  for (const name of applications) runs.set(name, await stage.request(name));
  for (const run of runs.values()) await stage.approve(run);
  await stage.advance(3_600);
  await look();
  const back = runs.get(applicationOf("I8")) ?? "";
  await (await stage.as("ben")).rollBack({ params: { id: back }, body: { reason: "second thoughts" } });
  await stage.advance(6 * 3_600);
  await look();
});
afterAll(async () => {
  // Nothing holds here on purpose: each breach is expected below, by name.
  await stage?.closeBroken();
});

describe("a product in which every invariant is broken once", () => {
  it("has a breach for each", () => {
    expect(plantedBreaches.map(({ invariant }) => invariant)).toEqual([...invariantIds]);
  });

  for (const { invariant, does } of plantedBreaches)
    it(`that ${does} is caught under ${invariant}`, () => {
      const name = applicationOf(invariant);
      const own = [...found.values()].filter(
        ({ run, sentence }) => run === runs.get(name) || (run === null && sentence.includes(`/${name} `)),
      );
      expect(
        own.map((violation) => violation.invariant),
        own.map(text).join("\n"),
      ).toContain(invariant);
    });

  it("is not reported of an application on which nothing is broken", async () => {
    const clean = runs.get("app-clean") ?? "";
    expect(await stage.stateOf(clean)).toBe("completed");
    expect([...found.values()].filter(({ run }) => run === clean)).toEqual([]);
  });
});
