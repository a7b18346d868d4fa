// `npm run check`: everything that reads the sources without running them; a row for each tool.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { root } from "./setup.mjs";

/** How many tools work at once; each of them uses threads of its own. */
const atOnceMax = 2;

/**
 * Script under the top folder, its arguments, and what must exist for the check to have a subject.
 * @type {Array<{ name: string, script: string, args: string[], subject?: string }>}
 */
const checks = [
  { name: "types", script: "node_modules/typescript/bin/tsc", args: ["--project", ".", "--noEmit"] },
  {
    name: "types: console",
    script: "node_modules/typescript/bin/tsc",
    args: ["--project", "packages/console", "--noEmit"],
    subject: "packages/console/tsconfig.json",
  },
  { name: "rules", script: "node_modules/oxlint/bin/oxlint", args: ["--deny-warnings"] },
  { name: "format", script: "node_modules/@biomejs/biome/bin/biome", args: ["check", "--error-on-warnings"] },
  { name: "unused", script: "node_modules/knip/bin/knip.js", args: ["--no-progress", "--no-config-hints"] },
  { name: "docs", script: "tools/docs.ts", args: ["--check"], subject: "tools/docs.ts" },
];

const queue = checks.filter(({ subject }) => subject === undefined || existsSync(join(root, subject)));
const results = await Promise.all(Array.from({ length: atOnceMax }, work));
process.exitCode = results.every(Boolean) ? 0 : 1;

/** Takes checks from the queue until it is empty. */
async function work() {
  let allGood = true;
  for (let check = queue.shift(); check; check = queue.shift()) allGood = (await run(check)) && allGood;
  return allGood;
}

/** @param {typeof checks[number]} check @returns {Promise<boolean>} */
function run({ name, script, args }) {
  const start = performance.now();
  const child = spawn(process.execPath, [join(root, script), ...args], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      const seconds = ((performance.now() - start) / 1000).toFixed(1);
      console.log(`${code === 0 ? "ok  " : "FAIL"} ${name.padEnd(16)} ${seconds.padStart(5)} s`);
      if (code !== 0) console.log(output.trimEnd());
      resolve(code === 0);
    });
  });
}
