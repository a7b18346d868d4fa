// `npm test`: every test there is, and an honest count at the end. Arguments go to vitest (a path, `-t name`).
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { provideNeeds } from "./needs.mjs";
import { root } from "./setup.mjs";
import { forwardSignals } from "./signals.mjs";

provideNeeds();
const folder = mkdtempSync(join(tmpdir(), "countersign-test-"));
const reportFile = join(folder, "report.json");
const reporters = ["--reporter=default", `--reporter=${join(root, "tools/test-report.mjs")}`];
try {
  const exit = await vitest(["run", "--root", root, ...reporters, ...process.argv.slice(2)]);
  process.exitCode = conclude(exit, read(reportFile));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** @param {string[]} args @returns {Promise<number>} */
function vitest(args) {
  const child = spawn(process.execPath, [join(root, "node_modules/vitest/vitest.mjs"), ...args], {
    env: { ...process.env, COUNTERSIGN_TEST_REPORT: reportFile },
    stdio: "inherit",
  });
  forwardSignals(child);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code) => resolve(code ?? 1));
  });
}

/** @param {string} file @returns {import("./test-report.mjs").Counts | undefined} nothing if vitest died before its end */
function read(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

/**
 * Prints the count and decides: a failed, a broken or an empty run fails, and in CI so does a test that was not run.
 * @param {number} vitestExit
 * @param {import("./test-report.mjs").Counts | undefined} counts
 * @returns {number} exit code
 */
function conclude(vitestExit, counts) {
  if (!counts) {
    console.log(`vitest ended with ${vitestExit} before it could report\n0 passed, 1 failed\nran 0, not run all`);
    return vitestExit || 1;
  }
  const ran = counts.passed + counts.failed;
  const failed = counts.failed + counts.broken.length;
  for (const line of counts.broken) console.log(`broken: ${line}`);
  console.log(`${counts.passed} passed, ${failed} failed`);
  console.log(`ran ${ran}, not run ${counts.notRun.length}`);
  for (const { name, reason } of counts.notRun) console.log(`  not run: ${name}: ${reason}`);
  if (failed > 0 || vitestExit !== 0) return vitestExit || 1;
  if (ran === 0) return complain("no test was run");
  if (counts.notRun.length > 0 && ci()) return complain("in CI every test must run");
  return 0;
}

function complain(/** @type {string} */ why) {
  console.error(`countersign: ${why}`);
  return 1;
}

function ci() {
  return !["", "0", "false"].includes(process.env.CI ?? "");
}
