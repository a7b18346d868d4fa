import { parseArgs } from "node:util";
import { runModel, runPlanted } from "./run.ts";

/** From so many sequences on, a command or state that was never reached is a failure of the suite itself. */
const wholeMin = 30;

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    seed: { type: "string", default: "1" },
    sequences: { type: "string" },
    path: { type: "string" },
    commands: { type: "string" },
    planted: { type: "boolean", default: false },
  },
});

const ending = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => ending.abort());

const say = (line: string) => process.stderr.write(`${line}\n`);
const seed = Number(values.seed);
if (values.planted) {
  const reports = await runPlanted({ seed, say });
  if (values.json) process.stdout.write(`${JSON.stringify({ model: "planted", bugs: reports })}\n`);
  process.exitCode = reports.every(({ sequences }) => sequences !== null) ? 0 : 1;
} else {
  const { path } = values;
  const report = await runModel({
    seed,
    sequences: path === undefined ? Number(values.sequences ?? wholeMin) : 1,
    replay: path === undefined ? null : { path, commands: values.commands ?? "" },
    say,
    signal: ending.signal,
  });
  if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`);
  const { sequences, commands, violations, deterministic, notReached, coverage, seconds } = report;
  say(JSON.stringify(coverage));
  say(
    `${sequences} sequences of ${commands} commands, ${violations.length} violations, ${deterministic ? "the same" : "NOT the same"} twice, never reached: ${notReached.join(", ") || "nothing"}, ${seconds} s`,
  );
  const isWhole = sequences >= wholeMin;
  process.exitCode = violations.length === 0 && !(isWhole && notReached.length > 0) ? 0 : 1;
}
