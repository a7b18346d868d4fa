import { defineConfig } from "vitest/config";

const pure = ["evidence", "core", "contract"];

/** Processes that are killed or stopped, what a browser may take, statements and seconds that are counted. */
const alone = [
  "tests/{browser,crash,faults}/**/*.test.ts",
  "tests/scenarios/{disk-full,executor-killed,freeze,notices-killed,pace,roles}.test.ts",
];

const system = {
  testTimeout: 180_000,
  hookTimeout: 180_000,
  // A machine that stands still for seconds breaks leases of 2 s; the second try, on its own, must hold.
  retry: 1,
};

export default defineConfig({
  test: {
    exclude: ["**/node_modules/**", "**/dist/**"],
    maxWorkers: 2,
    projects: [
      {
        // Pure packages hold no state that one file could leave for the next, so their files share a process.
        extends: true,
        test: {
          name: "pure",
          include: pure.map((name) => `packages/${name}/test/**/*.test.ts`),
          isolate: false,
          testTimeout: 30_000,
        },
      },
      {
        // What opens ports, databases and processes gets a process per file.
        extends: true,
        test: {
          name: "parts",
          include: ["packages/*/test/**/*.test.{ts,tsx}", "tools/**/*.test.ts"],
          exclude: pure.map((name) => `packages/${name}/**`),
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      {
        // The whole system in one process: its time is virtual, and what is real (leases, deadlines) leaves room for a neighbour.
        extends: true,
        test: {
          ...system,
          name: "whole",
          include: ["tests/**/*.test.ts"],
          exclude: alone,
          sequence: { groupOrder: 1 },
        },
      },
      {
        // The whole system where real time is what is shown: one file at a time, after all others.
        extends: true,
        test: { ...system, name: "alone", include: alone, maxWorkers: 1, sequence: { groupOrder: 2 } },
      },
    ],
  },
});
