import { writeFileSync } from "node:fs";

/**
 * @typedef {{ passed: number, failed: number, broken: string[], notRun: Array<{ name: string, reason: string }> }} Counts
 * `broken`: what failed outside any test, such as a file that does not load.
 */

/** A vitest reporter that writes {@link Counts} as JSON to the file which `COUNTERSIGN_TEST_REPORT` names. */
export default class TestReport {
  /**
   * @param {readonly import("vitest/node").TestModule[]} modules
   * @param {readonly { message: string }[]} unhandledErrors
   */
  onTestRunEnd(modules, unhandledErrors) {
    const file = process.env.COUNTERSIGN_TEST_REPORT;
    if (file) writeFileSync(file, JSON.stringify(count(modules, unhandledErrors)));
  }
}

/**
 * @param {readonly import("vitest/node").TestModule[]} modules
 * @param {readonly { message: string }[]} unhandledErrors
 * @returns {Counts}
 */
function count(modules, unhandledErrors) {
  /** @type {Counts} */
  const counts = { passed: 0, failed: 0, broken: [], notRun: [] };
  for (const module of modules) {
    for (const test of module.children.allTests()) {
      const result = test.result();
      if (result.state === "passed") counts.passed += 1;
      else if (result.state === "failed") counts.failed += 1;
      else counts.notRun.push({ name: `${module.relativeModuleId} > ${test.fullName}`, reason: reason(test, result) });
    }
    for (const error of module.errors()) counts.broken.push(`${module.relativeModuleId}: ${error.message}`);
    for (const suite of module.children.allSuites()) {
      for (const error of suite.errors()) counts.broken.push(`${module.relativeModuleId}: ${error.message}`);
    }
  }
  for (const error of unhandledErrors) counts.broken.push(`outside any test: ${error.message}`);
  return counts;
}

/**
 * @param {import("vitest/node").TestCase} test
 * @param {import("vitest/node").TestResult} result
 * @returns {string} why it was not run: the note of `context.skip(note)` if there is one
 */
function reason(test, result) {
  if (result.state === "pending") return "the run ended first";
  if (result.state === "skipped" && result.note) return result.note;
  if (test.options.mode === "todo") return "marked todo";
  if (test.options.mode === "skip") return "marked skip";
  return "left out by a filter, or by `only` on another test";
}
