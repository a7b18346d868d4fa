import { beforeAll, describe, expect, it } from "vitest";
import { type CrashReport, runCrash } from "./run.ts";

/** Another slice every day, and the same one all day: the seed stands in every failure. */
const seed = Math.floor(Date.now() / 86_400_000);
const slice = 8;

let report: CrashReport;

beforeAll(async () => {
  report = await runCrash({
    seed,
    slice,
    only: null,
    lanes: 2,
    planted: false,
    say: () => {},
    signal: new AbortController().signal,
  });
}, 180_000);

describe(`a product that is killed in the middle (npm run crash -- --seed ${seed} --slice ${slice})`, () => {
  it("keeps every promise at each point of the slice", () => {
    // How fast is measured by `npm run crash`; here many suites share the machine, and no test fails for want of time.
    expect(report.violations.filter(({ rule }) => rule !== "recovery")).toEqual([]);
    expect(report.crashPoints).toHaveLength(slice);
  });

  it("is tried in the middle of both procedures, at outside calls and at journal writes", () => {
    const kinds = new Set(report.crashPoints.map((name) => `${name.split("/")[0]} ${name.includes("/journal ")}`));
    expect(kinds.size).toBe(4);
  });

  it("leaves no secret in its tables, its output, its bundles or its state", () => {
    expect(report.secretsFound).toBe(0);
  });
});
