// The one way in: `npm start` and every `npm run <verb>` come here. Runs on Node 20 before anything is installed.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { root, SetUpError, say, setUp } from "./setup.mjs";

/**
 * What each verb runs, always with Node 24; further arguments are passed on.
 * @type {Record<string, { file: string, args: string[], console: boolean }>}
 */
const verbs = {
  start: { file: "packages/cli/src/main.ts", args: ["demo"], console: true },
  dev: { file: "packages/cli/src/main.ts", args: ["demo", "--dev"], console: true },
  test: { file: "tools/test.mjs", args: [], console: true },
  check: { file: "tools/check.mjs", args: [], console: false },
  crash: { file: "tests/crash/main.ts", args: [], console: false },
  bench: { file: "tests/bench/main.ts", args: [], console: false },
};

/** @param {string | undefined} name @param {string[]} args @returns {Promise<number>} exit code */
async function main(name, args) {
  const verb = name !== undefined && Object.hasOwn(verbs, name) ? verbs[name] : undefined;
  if (!verb) throw new SetUpError(`expected one of ${Object.keys(verbs).join(", ")}, got ${name ?? "nothing"}`);
  if (!existsSync(join(root, verb.file))) {
    throw new SetUpError(`\`${name}\` runs ${verb.file}, which this checkout does not have. Is it complete?`);
  }
  const { node, env } = await setUp({ console: verb.console });
  return run(node, [join(root, verb.file), ...verb.args, ...args], env);
}

/** @param {string} node @param {string[]} args @param {NodeJS.ProcessEnv} env @returns {Promise<number>} */
function run(node, args, env) {
  const child = spawn(node, args, { env, stdio: "inherit" });
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
    process.on(signal, () => {
      // A terminal sends Ctrl-C to the whole group; a second one would mean "at once" to the child.
      if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
    });
  }
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  });
}

try {
  process.exitCode = await main(process.argv[2], process.argv.slice(3));
} catch (error) {
  if (!(error instanceof SetUpError)) throw error;
  say(error.message);
  process.exitCode = 1;
}
