import { writeFileSync } from "node:fs";
import { pathOf, problemIn } from "@countersign/contract";
import { CountersignError } from "@countersign/core";
import type { Command } from "commander";
import { print, printJson, timeOf } from "../output.ts";
import { sessionOf } from "../session.ts";

interface ExportOptions {
  readonly url: string;
  readonly login?: string;
  readonly from: string;
  readonly to: string;
  readonly out: string;
  readonly sample?: string;
  readonly seed?: string;
  readonly json?: boolean;
}

/** Commands about everything of a period. */
export function addPopulation(program: Command): void {
  program
    .command("population")
    .description("everything of a period, for an auditor")
    .command("export")
    .description("all credential changes and runs of a period as a bundle that proves that none is missing")
    .requiredOption("--from <time>", "from this day or time on (UTC)")
    .requiredOption("--to <time>", "until before this day or time (UTC)")
    .requiredOption("--out <file>", "where the zip goes")
    .option("--sample <n>", "draw as many changes and as many runs")
    .option("--seed <text>", "the auditor's own seed for that")
    .option("--url <url>", "address of the API", process.env.COUNTERSIGN_URL ?? "http://127.0.0.1:8080")
    .option("--login <name>", "account; the password comes from COUNTERSIGN_PASSWORD")
    .option("--json", "print one JSON object")
    .action(exportPopulation);
}

async function exportPopulation(options: ExportOptions): Promise<void> {
  const { sample, seed, out } = options;
  if ((sample === undefined) !== (seed === undefined))
    throw new CountersignError("INPUT_INVALID", "expected --sample and --seed together, got one of them");
  const [from, to] = [timeOf(options.from), timeOf(options.to)];
  const session = await sessionOf(options);
  const answer = await fetch(new URL(pathOf("exportPopulation", {}), options.url), {
    method: "POST",
    headers: {
      "x-countersign": "1",
      "content-type": "application/json",
      ...session.headers(),
    },
    body: JSON.stringify({ from, to, sample: sample === undefined ? null : { seed, size: Number(sample) } }),
  });
  if (!answer.ok) throw await problemIn(answer);
  const bytes = Buffer.from(await answer.arrayBuffer());
  writeFileSync(out, bytes);
  if (options.json === true) printJson({ from, to, file: out, bytes: bytes.length });
  else print(`wrote ${out}; prove it with: countersign verify ${out} --trust trust.json`);
}
