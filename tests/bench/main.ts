/** `npm run bench -- rotations --count 100 --latency 100 --json`, `… scan --apps 100000`, `… hooks --count 1000000`, `… console --credentials 100000`, `… parked --runs 100000`; what the figures mean: docs/benchmarks.md. */
import { parseArgs } from "node:util";

const ratioMax = 2;
const scanChanges = 100;
const rssGrowthMbMax = 30;
const firstLoadKbMax = 250;
const parkedRssMbMax = 300;
const parkedCommitsMax = 50;

// Each bench is loaded by itself: what the others need is no part of its memory.

async function main(): Promise<number> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      count: { type: "string" },
      http: { type: "string", default: "20000" },
      latency: { type: "string", default: "100" },
      runs: { type: "string", default: "100000" },
      apps: { type: "string", default: "100000" },
      credentials: { type: "string", default: "100000" },
      json: { type: "boolean", default: false },
    },
  });
  const [name] = positionals;
  if (positionals.length > 1) return refuse(`expected one bench, got ${positionals.join(" ")}`);
  const print = (report: unknown, text: string): void =>
    void process.stdout.write(`${values.json ? JSON.stringify(report) : text}\n`);
  switch (name) {
    case "rotations":
      return rotations(Number(values.count ?? 100), Number(values.latency), print);
    case "scan":
      return scan(Number(values.apps), print);
    case "hooks":
      return hooks(Number(values.count ?? 1_000_000), Number(values.http), print);
    case "console":
      return console(Number(values.credentials), print);
    case "parked":
      return parked(Number(values.runs), print);
    default:
      return refuse(`expected the bench rotations, scan, hooks, console or parked, got ${name ?? "none"}`);
  }
}

type Print = (report: unknown, text: string) => void;
const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function rotations(count: number, latencyMs: number, print: Print): Promise<number> {
  if (!Number.isInteger(count) || count < 1 || count > 1_000)
    return refuse(`expected --count from 1 to 1000, got ${count}`);
  if (!Number.isInteger(latencyMs) || latencyMs < 0 || latencyMs > 10_000)
    return refuse(`expected --latency from 0 to 10000 ms, got ${latencyMs}`);
  const { benchRotations } = await import("./rotations.ts");
  const report = await benchRotations({ count, latencyMs, say });
  print(
    report,
    `${report.n} rotations in ${report.seconds} s; the same calls without journal in ${report.floorSeconds} s; ratio ${report.ratio}; ${report.rssMb} MB; ${report.callsPerRotation} calls each`,
  );
  return report.ratio > ratioMax ? 1 : 0;
}

/** Exits 1 when a row is wrong; the times are for people to read. */
async function scan(apps: number, print: Print): Promise<number> {
  if (!Number.isInteger(apps) || apps < 200 || apps > 200_000)
    return refuse(`expected --apps from 200 to 200000, got ${apps}`);
  const { benchScan } = await import("./scan.ts");
  const report = await benchScan({ count: apps, say });
  print(
    report,
    `${report.n} applications with ${report.credentials} credentials in ${report.seconds} s; plain fetch, parse and COPY in ${report.floorSeconds} s; ratio ${report.ratio}; ${report.rssMb} MB; again in ${report.againSeconds} s; ${report.changes} changes in ${report.changesSeconds} s; ${report.differences.length} differences`,
  );
  return report.differences.length > 0 || report.changes !== scanChanges ? 1 : 0;
}

/** Exits 1 when anything unsigned was taken, a replay filed twice, an answer was a 5xx, or memory grew. */
async function hooks(count: number, http: number, print: Print): Promise<number> {
  if (!Number.isInteger(count) || count < 1_000 || count > 10_000_000)
    return refuse(`expected --count from 1000 to 10000000, got ${count}`);
  if (!Number.isInteger(http) || http < 0 || http > 50_000)
    return refuse(`expected --http from 0 to 50000, got ${http}`);
  const { benchHooks } = await import("./hooks.ts");
  const report = await benchHooks({ count, http, say });
  const failed = Object.keys(report.statuses).filter((status) => !/^[24]\d\d$/.test(status));
  print(
    report,
    `${report.n} deliveries judged and ${report.http} sent in ${report.seconds} s: ${report.unsignedAccepted} unsigned taken, ${report.filedByReplays} request for the replayed one, answers ${JSON.stringify(report.statuses)}, ${report.rssGrowthMb} MB more`,
  );
  const held = report.unsignedAccepted === 0 && report.thrown === 0 && report.filedByReplays === 1;
  return held && failed.length === 0 && report.rssGrowthMb <= rssGrowthMbMax ? 0 : 1;
}

/** Exits 1 when the page is too large or complained; the times are for people to read. */
async function console(credentials: number, print: Print): Promise<number> {
  if (!Number.isInteger(credentials) || credentials < 2_000 || credentials > 500_000)
    return refuse(`expected --credentials from 2000 to 500000, got ${credentials}`);
  const { benchConsole } = await import("./console.ts");
  const report = await benchConsole({ count: credentials, say });
  print(
    report,
    `${report.n} credentials: first load ${report.firstLoadKb} KB, list ${report.gridMs} ms, filter ${report.filterMs} ms (plain fetch ${report.floorMs} ms, ratio ${report.ratio}), heap ${report.heapMb} MB, ${report.complaints.length} complaints`,
  );
  return report.firstLoadKb > firstLoadKbMax || report.complaints.length > 0 ? 1 : 0;
}

/** Exits 1 when they cost more than the bars of docs/benchmarks.md. */
async function parked(count: number, print: Print): Promise<number> {
  if (!Number.isInteger(count) || count < 1 || count > 1_000_000)
    return refuse(`expected --runs from 1 to 1000000, got ${count}`);
  const { benchParked } = await import("./parked.ts");
  const report = await benchParked({ count, say });
  print(
    report,
    `${report.n} parked runs: ${report.rssMb} MB, ${report.commitsPerSecond} commits/s, ${report.cpuPercent.product} % and ${report.cpuPercent.database} % of a core (product, database); approved to started in ${report.approveToStartMs.median} ms (${report.approveToStartMs.largest} at most), with none parked ${report.floorSeconds * 1_000} ms`,
  );
  return report.rssMb > parkedRssMbMax || report.commitsPerSecond > parkedCommitsMax ? 1 : 0;
}

function refuse(message: string): number {
  process.stderr.write(`${message}\n`);
  return 2;
}

process.exitCode = await main();
