import { parseArgs } from "node:util";
import { runModel } from "./run.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    seed: { type: "string", default: "1" },
    sequences: { type: "string" },
    path: { type: "string" },
    commands: { type: "string" },
  },
});

const ending = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => ending.abort());

const say = (line: string) => process.stderr.write(`${line}\n`);
const isReplay = values.path !== undefined;
const report = await runModel({
  seed: Number(values.seed),
  sequences: Number(values.sequences ?? (isReplay ? 1 : 30)),
  replay: values.path === undefined ? null : { path: values.path, commands: values.commands ?? "" },
  planted: null,
  say,
  signal: ending.signal,
});
if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`);
say(JSON.stringify(report.coverage));
say(
  `${report.sequences} sequences of ${report.commands} commands, ${report.violations.length} violations, ${report.deterministic ? "the same" : "NOT the same"} twice, ${report.seconds} s`,
);
process.exitCode = report.violations.length === 0 ? 0 : 1;
