import { rmSync, symlinkSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterEach, expect, test } from "vitest";
import { checkout, type Ended, ended, start } from "./tree.ts";

const modules = resolve(import.meta.dirname, "../node_modules");
const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** Runs `tools/test.mjs` over a checkout with one test file in it. */
async function npmTest(body: string, env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const source = `import { expect, test } from "vitest";\n${body}`;
  const folder = checkout({ "a.test.ts": source, "package.json": "{}" }, { installed: false });
  folders.push(folder);
  symlinkSync(modules, join(folder, "node_modules"), "junction");
  return ended(start(folder, ["tools/test.mjs"], { CHROMIUM: "given", ...env }));
}

/** The lines of our own count, without what vitest prints. */
function lines({ stdout }: Ended): string[] {
  return stdout.split("\n").filter((line) => /^\d+ passed, |^ran |^ {2}not run: |^broken: /.test(line));
}

test("all passed: two lines and exit 0", async () => {
  const run = await npmTest('test("a", () => expect(1).toBe(1));');
  expect(lines(run)).toEqual(["1 passed, 0 failed", "ran 1, not run 0"]);
  expect(run.code).toBe(0);
});

test("a failed test fails", async () => {
  const run = await npmTest('test("a", () => expect(1).toBe(1)); test("b", () => expect(1).toBe(2));');
  expect(lines(run)).toEqual(["1 passed, 1 failed", "ran 2, not run 0"]);
  expect(run.code).toBe(1);
});

test("a test that was not run is named with its reason, and fails in CI alone", async () => {
  const body = 'test("a", () => {}); test("b", (t) => t.skip("no such machine")); test.todo("c");';
  const [here, ci] = [await npmTest(body), await npmTest(body, { CI: "true" })];
  for (const run of [here, ci]) {
    expect(lines(run)).toEqual([
      "1 passed, 0 failed",
      "ran 1, not run 2",
      "  not run: a.test.ts > b: no such machine",
      "  not run: a.test.ts > c: marked todo",
    ]);
  }
  expect([here.code, ci.code]).toEqual([0, 1]);
});

test("a file that does not load fails, though none of its tests did", async () => {
  const run = await npmTest('test("a", () => {}); throw new Error("broken file");');
  expect(lines(run)[0]).toMatch(/^broken: a\.test\.ts: broken file/);
  expect(lines(run).slice(1)).toEqual(["0 passed, 1 failed", "ran 0, not run 0"]);
  expect(run.code).toBe(1);
});

test("an error outside any test fails, though all passed", async () => {
  const run = await npmTest('test("a", () => { void Promise.reject(new Error("nobody waits")); });');
  expect(lines(run)).toContain("1 passed, 1 failed");
  expect(run.code).toBe(1);
});

test("a run without tests fails", async () => {
  const run = await npmTest("expect(1).toBe(1);");
  expect(run.code).toBe(1);
});
