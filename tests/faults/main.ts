import { parseArgs } from "node:util";
import { runFaults } from "./run.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    seed: { type: "string", default: "1" },
    whole: { type: "boolean", default: false },
    slice: { type: "string" },
    only: { type: "string" },
    part: { type: "string" },
    lanes: { type: "string", default: "2" },
    list: { type: "boolean", default: false },
  },
});

const ending = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => ending.abort());

const [number, of] = values.part?.split("/").map(Number) ?? [];
const say = (line: string) => process.stderr.write(`${line}\n`);
const report = await runFaults({
  seed: Number(values.seed),
  slice: values.slice === undefined ? null : Number(values.slice),
  only: values.only === undefined ? null : new RegExp(values.only),
  part: number === undefined || of === undefined ? null : { number, of },
  whole: values.whole,
  lanes: Number(values.lanes),
  list: values.list,
  say,
  signal: ending.signal,
});
if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`);
say(
  `${report.cells} of ${report.wanted} cells wanted, ${report.derived} derived, ${report.folded} folded, ${report.violations.length} violations, ends ${JSON.stringify(report.ends)}, ` +
    `held then ${JSON.stringify(report.heldEnds)}, ${report.notReached} not reached, ${report.seconds} s`,
);
process.exitCode = report.violations.length === 0 && report.cells > 0 && report.cells === report.wanted ? 0 : 1;
