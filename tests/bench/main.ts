/** `npm run bench -- rotations --count 100 --latency 100 --json`; what the figures mean: docs/benchmarks.md. */
import { parseArgs } from "node:util";
import { benchRotations } from "./rotations.ts";

const ratioMax = 2;

async function main(): Promise<number> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      count: { type: "string", default: "100" },
      latency: { type: "string", default: "100" },
      json: { type: "boolean", default: false },
    },
  });
  const [name] = positionals;
  const count = Number(values.count);
  const latencyMs = Number(values.latency);
  if (name !== "rotations" || positionals.length > 1)
    return refuse(`expected the bench rotations, got ${positionals.join(" ") || "none"}`);
  if (!Number.isInteger(count) || count < 1 || count > 1_000)
    return refuse(`expected --count from 1 to 1000, got ${values.count}`);
  if (!Number.isInteger(latencyMs) || latencyMs < 0 || latencyMs > 10_000)
    return refuse(`expected --latency from 0 to 10000 ms, got ${values.latency}`);
  const report = await benchRotations({ count, latencyMs, say: (line) => process.stderr.write(`${line}\n`) });
  const text = `${report.n} rotations in ${report.seconds} s; the same calls without journal in ${report.floorSeconds} s; ratio ${report.ratio}; ${report.rssMb} MB; ${report.callsPerRotation} calls each`;
  process.stdout.write(`${values.json ? JSON.stringify(report) : text}\n`);
  return report.ratio > ratioMax ? 1 : 0;
}

function refuse(message: string): number {
  process.stderr.write(`${message}\n`);
  return 2;
}

process.exitCode = await main();
