import { parseArgs } from "node:util";
import { type CrashReport, runCrash } from "./run.ts";
import { procedures } from "./stage/names.ts";
import { runStorm } from "./storm.ts";
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
    lanes: { type: "string" },
    seeds: { type: "string", default: "1" },
    "default-liveness": { type: "boolean", default: false },
    stalls: { type: "boolean", default: false },
    runs: { type: "string", default: "400" },
    kills: { type: "string", default: "130" },
  },
});
const ending = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => ending.abort());
const say = (line: string) => process.stderr.write(`${line}\n`);

if (positionals[0] === "storm") {
  const { runs, kills, seed, stalls } = values;
  const report = await runStorm({
    seed: Number(seed),
    runs: Number(runs),
    kills: Number(kills),
    stalls,
    say,
    signal: ending.signal,
  });
  if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`);
  say(
    `${report.storm.runs} runs, ${report.storm.kills} kills, ${report.storm.stalls} stalls, ${report.takeOvers} taken over, ` +
      `${JSON.stringify(report.ends)}, ${report.violations.length} violations, ${report.secretsFound} secrets found, ${report.seconds} s`,
  );
  for (const { point, rule, sentence } of report.violations) say(`${point}: ${rule}: ${sentence}`);
  process.exit(report.violations.length === 0 ? 0 : 1);
}

const named = positionals.length === 0 ? ["kill"] : positionals;
const wrong = named.find((name) => !(kinds as readonly string[]).includes(name));
if (wrong !== undefined) throw new Error(`expected ${kinds.join(", ")}, got ${wrong}`);
const slice = values.slice === undefined ? null : Number(values.slice);
const [nth = 1, of = 1] = values.part.split("/").map(Number);

const reports: CrashReport[] = [];
for (let index = 0; index < Number(values.seeds) && !ending.signal.aborted; index += 1) {
  const seed = Number(values.seed) + index;
  say(`seed ${seed}`);
  reports.push(
    await runCrash({
      seed,
      procedures,
      kinds: kinds.filter((kind) => named.includes(kind) || (kind === "stall" && values.stalls)),
      slice: slice === null ? null : { kill: slice, stall: slice, second: slice },
      only: values.only === undefined ? null : new RegExp(values.only),
      part: [nth, of],
      lanes: values.lanes === undefined ? null : Number(values.lanes),
      defaultLiveness: values["default-liveness"],
      planted: !values["no-planted"] && index === 0,
      say,
      signal: ending.signal,
    }),
  );
}
const sum = (figure: (report: CrashReport) => number) => reports.reduce((total, report) => total + figure(report), 0);
const report = {
  crashPoints: reports.flatMap(({ crashPoints }) => crashPoints),
  violations: reports.flatMap(({ violations }) => violations),
  // Of several seeds the worst one.
  recoveryMsP95: Math.max(0, ...reports.map(({ recoveryMsP95 }) => recoveryMsP95)),
  secretsFound: sum(({ secretsFound }) => secretsFound),
  plantedBugsCaught: sum(({ plantedBugsCaught }) => plantedBugsCaught),
  crashBugsCaught: sum(({ crashBugsCaught }) => crashBugsCaught),
  tried: reports.map(({ tried }) => tried),
  seconds: sum(({ seconds }) => seconds),
};
if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`);
say(
  `${report.crashPoints.length} crash points, ${report.violations.length} violations, taken up again in ${report.recoveryMsP95} ms (p95), ` +
    `${report.secretsFound} secrets found, ${report.plantedBugsCaught} breaches of invariants and ${report.crashBugsCaught} other planted bugs caught, ${report.seconds} s`,
);
for (const { point, rule, sentence } of report.violations) say(`${point}: ${rule}: ${sentence}`);
process.exitCode = report.violations.length === 0 ? 0 : 1;
