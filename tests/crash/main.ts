import { parseArgs } from "node:util";
import { runCrash } from "./run.ts";
import { kinds } from "./trials.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: "boolean", default: false },
    seed: { type: "string", default: "1" },
    slice: { type: "string" },
    only: { type: "string" },
    part: { type: "string", default: "1/1" },
    "no-planted": { type: "boolean", default: false },
    lanes: { type: "string", default: "5" },
  },
});
const named = positionals.length === 0 ? ["kill"] : positionals;
const wrong = named.find((name) => !(kinds as readonly string[]).includes(name));
if (wrong !== undefined) throw new Error(`expected ${kinds.join(", ")}, got ${wrong}`);
const [nth = 1, of = 1] = values.part.split("/").map(Number);

const ending = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => ending.abort());

const say = (line: string) => process.stderr.write(`${line}\n`);
const report = await runCrash({
  seed: Number(values.seed),
  kinds: kinds.filter((kind) => named.includes(kind)),
  slice: values.slice === undefined ? null : Number(values.slice),
  only: values.only === undefined ? null : new RegExp(values.only),
  part: [nth, of],
  lanes: Number(values.lanes),
  planted: !values["no-planted"],
  say,
  signal: ending.signal,
});
if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`);
say(
  `${report.crashPoints.length} crash points, ${report.violations.length} violations, taken up again in ${report.recoveryMsP95} ms (p95), ` +
    `${report.secretsFound} secrets found, ${report.plantedBugsCaught} planted bugs caught, ${report.seconds} s`,
);
for (const { point, rule, sentence } of report.violations) say(`${point}: ${rule}: ${sentence}`);
process.exitCode = report.violations.length === 0 ? 0 : 1;
