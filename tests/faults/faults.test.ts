import { beforeAll, describe, expect, it } from "vitest";
import { aimed, type Cell, covering } from "./cells.ts";
import type { FaultReport } from "./report.ts";
import { runFaults } from "./run.ts";
import { stories } from "./stories.ts";

/** The same slice in every run of the suite, so that a change is what breaks it; other seeds and the whole go by command. */
const seed = 1;
const slice = 12;

describe(`a tenant in which one call goes wrong, once or for ever (npm run faults -- --seed ${seed} --slice ${slice})`, () => {
  let report: FaultReport;

  beforeAll(async () => {
    report = await runFaults({
      seed,
      slice,
      whole: false,
      only: null,
      part: null,
      lanes: 1,
      list: false,
      say: () => {},
      signal: new AbortController().signal,
    });
  }, 600_000);

  it("keeps every promise in each cell of the slice, and tells somebody of each run that did not complete", () => {
    expect(report.violations).toEqual([]);
    expect(report.cells).toBe(slice);
  });

  it("ends every run: completed, rolled back, blocked or expired before anything was done, or held or overdue with a way on", () => {
    const { completed = 0, rolled_back = 0, blocked = 0, expired = 0, held = 0, overdue = 0 } = report.ends;
    expect(completed + rolled_back + blocked + expired + held + overdue).toBe(slice);
  });
});

describe("the cells that are tried unless the whole is asked for", () => {
  const [story] = stories;
  if (story === undefined) throw new Error("expected a story");
  /** A call that is made so often and can go wrong in so many ways, once and for ever. */
  const call = (op: string, occurrences: number, ways: number): Cell[] =>
    [false, true].flatMap((always) =>
      Array.from({ length: occurrences * ways }, (_, index) => {
        const [nth, way] = [1 + Math.floor(index / ways), index % ways];
        const kind = { name: `kind-${way}`, kind: "500", position: "before-effect" as const };
        const fault = { shape: { op, match: {} }, nth, made: occurrences, kind, always, way };
        return { name: `${op} ${index} ${always}`, story, kind: kind.name, fault, knobs: null, seated: false };
      }),
    );
  const stale: Cell = { name: "stale", story, kind: "stale", fault: null, knobs: {}, seated: false };
  const all = [...call("rare", 1, 9), ...call("frequent", 14, 4), ...call("usual", 6, 9), stale];

  it.each([1, 2, 3])("let each call fail in each of its ways, and each occurrence in some way (seed %i)", (seed) => {
    const cells = covering(all, seed);
    expect(new Set(cells).size).toBe(cells.length);
    const keys = (of: readonly Cell[], key: "way" | "nth") =>
      new Set(of.map(({ fault }) => `${fault?.shape.op} ${fault?.always} ${fault?.[key]}`));
    expect(keys(cells, "way")).toEqual(keys(all, "way"));
    expect(keys(cells, "nth")).toEqual(keys(all, "nth"));
    expect(cells.length).toBe(1 + 2 * (9 + 14 + 9));
  });

  it("are others with another seed", () => {
    expect(covering(all, 1)).not.toEqual(covering(all, 2));
  });
});

describe("a call that its run did not make so often as the undisturbed one", () => {
  const [story] = stories;
  if (story === undefined) throw new Error("expected a story");
  const cell = (nth: number, made: number): Cell => {
    const kind = { name: "500", kind: "500", position: "before-effect" as const };
    const fault = { shape: { op: "secret.get", match: {} }, nth, made, kind, always: false, way: 0 };
    return { name: "polled", story, kind: kind.name, fault, knobs: null, seated: false };
  };

  it("is counted from the end of the shorter run", () => {
    expect(aimed(cell(32, 32), 26).fault).toMatchObject({ nth: 26, made: 26 });
    expect(aimed(cell(28, 32), 26).fault).toMatchObject({ nth: 22, made: 26 });
    expect(aimed(cell(4, 9), 3).fault).toMatchObject({ nth: 1, made: 3 });
  });

  it("stays as it is where the run made it often enough and its own rule did not hit", () => {
    expect(aimed(cell(4, 9), 7)).toEqual(cell(4, 9));
  });
});
