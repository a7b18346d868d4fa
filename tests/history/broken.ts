import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type InvariantId, invariantIds, type Violation, violationsOf } from "@countersign/core";
import { init } from "@countersign/server";
import { endProcess, root } from "../crash/stage/process.ts";
import { Stage, type StageProduct, stageOrigin } from "../scenarios/stage.ts";
import { text } from "./check.ts";
import { applicationOf, plantedBreaches } from "./planted.ts";

/** What the checker reports of a product in which every invariant is broken once. */
export interface Broken {
  /** What it reports of the application on which one invariant is broken. */
  of(invariant: InvariantId): readonly Violation[];
  /** The run of an application on which nothing is broken. */
  readonly clean: { readonly state: string; readonly violations: readonly Violation[] };
}

const cleanName = "app-clean";

/** Runs such a product: a rotation of one application for each breach, one that goes back, and one that nothing is wrong with. */
export async function runBroken(): Promise<Broken> {
  const names = [...invariantIds.map(applicationOf), cleanName];
  const stage = await Stage.open({
    applications: names.map((name) => ({ name, consumers: ["latest", "copied"] })),
    product: broken,
  });
  try {
    const found = new Map<string, Violation>();
    const look = async () => {
      for (const violation of violationsOf(await stage.history())) found.set(text(violation), violation);
    };
    const runs = new Map<string, string>();
    for (const name of names) runs.set(name, await stage.request(name));
    for (const run of runs.values()) await stage.approve(run);
    await stage.advance(3_600);
    await look();
    const back = runs.get(applicationOf("I8")) ?? "";
    await (await stage.as("ben")).rollBack({ params: { id: back }, body: { reason: "second thoughts" } });
    await stage.advance(6 * 3_600);
    await look();
    const all = [...found.values()];
    const clean = runs.get(cleanName) ?? "";
    const state = await stage.stateOf(clean);
    return {
      of(invariant) {
        const name = applicationOf(invariant);
        return all.filter(
          ({ run, sentence }) => run === runs.get(name) || (run === null && sentence.includes(`/${name} `)),
        );
      },
      clean: { state, violations: all.filter(({ run }) => run === clean) },
    };
  } finally {
    // Nothing holds here on purpose.
    await stage.closeBroken();
  }
}

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
      stdio: ["ignore", "ignore", "pipe"],
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
