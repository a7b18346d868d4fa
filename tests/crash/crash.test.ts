import { beforeAll, describe, expect, it } from "vitest";
import { type CrashReport, runCrash } from "./run.ts";
import { kinds } from "./trials.ts";

/** The same slice in every run of the suite, so that a change is what breaks it; other seeds and the whole go by command. */
const seed = 1;
/** The third goes by command: up to its own steps it does what the first of these does. */
const procedures = ["entra-client-secret", "postgres-role-password"] as const;
const slice = { kill: 8, stall: 4, second: 4 };
/** Second kills are preceded by so many first ones that they are derived from. */
const firsts = 2;

let report: CrashReport;

beforeAll(async () => {
  report = await runCrash({
    seed,
    kinds,
    procedures,
    slice,
    only: null,
    part: [1, 1],
    lanes: 3,
    defaultLiveness: false,
    planted: false,
    say: () => {},
    signal: new AbortController().signal,
  });
}, 600_000);

describe(`a product that is struck in the middle (npm run crash -- ${kinds.join(" ")} --seed ${seed} --slice ${slice.kill})`, () => {
  it("keeps every promise at each point of the slice", () => {
    // How fast is measured by `npm run crash`; here many suites share the machine, and no test fails for want of time.
    expect(report.violations.filter(({ rule }) => rule !== "recovery")).toEqual([]);
  });

  it("dies, stands still, and dies again while it recovers", () => {
    expect(report.tried).toMatchObject({ ...slice, second: slice.second + firsts });
  });

  it("is tried in both procedures, on their way through and back, at outside calls and at journal writes", () => {
    const groups = new Set(
      report.crashPoints
        .filter((name) => !/^stalled| then /.test(name))
        .map((name) => `${name.split("/")[0]} ${name.includes("/back/")} ${name.includes("/journal ")}`),
    );
    expect(groups.size).toBe(8);
  });

  it("leaves no secret in its tables, its output, its bundles or its state", () => {
    expect(report.secretsFound).toBe(0);
  });
});
