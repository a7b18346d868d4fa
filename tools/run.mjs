// The one way in: `npm start` and every `npm run <verb>` come here. Runs on Node 20 before anything is installed.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { root, SetUpError, say, setUp } from "./setup.mjs";
import { forwardSignals } from "./signals.mjs";

/**
 * What each verb runs, always with Node 24; further arguments are passed on.
 * @type {Record<string, { file: string, args: string[], builds: ("console" | "programs")[] }>}
 */
const verbs = {
  start: { file: "packages/cli/src/main.ts", args: ["demo"], builds: ["console", "programs"] },
  dev: { file: "packages/cli/src/main.ts", args: ["demo", "--dev"], builds: ["console"] },
  test: { file: "tools/test.mjs", args: [], builds: ["console"] },
  check: { file: "tools/check.mjs", args: [], builds: [] },
  crash: { file: "tests/crash/main.ts", args: [], builds: [] },
  model: { file: "tests/model/main.ts", args: [], builds: [] },
  faults: { file: "tests/faults/main.ts", args: [], builds: [] },
  evidence: { file: "tests/bundles/main.ts", args: [], builds: [] },
  conformance: { file: "tests/conformance/main.ts", args: [], builds: [] },
  bench: { file: "tests/bench/main.ts", args: [], builds: [] },
};

/**
 * The young generation of the heap doubles while many short-lived things are alive at a time, and never shrinks: three times
 * this is enough, and what a process takes stays the same however long it runs.
 */
const semiSpaceMbMax = 16;
/** How often we look whether npm is still there, in milliseconds. */
const lookEveryMs = 500;

/** @param {string | undefined} name @param {string[]} args @returns {Promise<number>} exit code */
async function main(name, args) {
  const verb = name !== undefined && Object.hasOwn(verbs, name) ? verbs[name] : undefined;
  if (!verb) throw new SetUpError(`expected one of ${Object.keys(verbs).join(", ")}, got ${name ?? "nothing"}`);
  if (!existsSync(join(root, verb.file))) {
    throw new SetUpError(`\`${name}\` runs ${verb.file}, which this checkout does not have. Is it complete?`);
  }
  const { node, env } = await setUp({ builds: verb.builds });
  const bundles = env.COUNTERSIGN_PROGRAMS;
  const program = bundles === undefined ? join(root, verb.file) : join(bundles, "countersign.mjs");
  return run(node, [`--max-semi-space-size=${semiSpaceMbMax}`, program, ...verb.args, ...args], env);
}

/** @param {string} node @param {string[]} args @param {NodeJS.ProcessEnv} env @returns {Promise<number>} */
function run(node, args, env) {
  const child = spawn(node, args, { env, stdio: "inherit" });
  forwardSignals(child);
  endWithNpm(child);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  });
}

/** An npm that was killed outright cannot tell us; without it nobody is left to press Ctrl-C, so the child ends too. */
function endWithNpm(/** @type {import("node:child_process").ChildProcess} */ child) {
  if (process.env.npm_lifecycle_event === undefined) return;
  const npm = process.ppid;
  const look = setInterval(() => {
    if (process.ppid === npm) return;
    clearInterval(look);
    child.kill("SIGTERM");
  }, lookEveryMs);
  look.unref();
}

try {
  process.exitCode = await main(process.argv[2], process.argv.slice(3));
} catch (error) {
  if (!(error instanceof SetUpError)) throw error;
  say(error.message);
  process.exitCode = 1;
}
