import { beforeAll, describe, expect, it } from "vitest";
import type { FaultReport } from "./report.ts";
import { runFaults } from "./run.ts";

/** The same slice in every run of the suite, so that a change is what breaks it; other seeds and the whole go by command. */
const seed = 1;
const slice = 12;

let report: FaultReport;

beforeAll(async () => {
  report = await runFaults({
    seed,
    slice,
    only: null,
    part: null,
    lanes: 1,
    list: false,
    say: () => {},
    signal: new AbortController().signal,
  });
}, 600_000);

describe(`a tenant in which one call goes wrong, once or for ever (npm run faults -- --seed ${seed} --slice ${slice})`, () => {
  it("keeps every promise in each cell of the slice, and tells somebody of each run that did not complete", () => {
    expect(report.violations).toEqual([]);
    expect(report.cells).toBe(slice);
  });

  it("ends every run: completed, rolled back, blocked or expired before anything was done, or held or overdue with a way on", () => {
    const { completed = 0, rolled_back = 0, blocked = 0, expired = 0, held = 0, overdue = 0 } = report.ends;
    expect(completed + rolled_back + blocked + expired + held + overdue).toBe(slice);
  });
});
