import { readFileSync } from "node:fs";
import { CountersignError } from "@countersign/core";
import { EvidenceError, parseTrust, readBundle, renderReport, type Trust, verifyBundle } from "@countersign/evidence";
import type { Command } from "commander";
import { exit, print, printJson } from "../output.ts";

/** `countersign verify`: offline, needs only the bundle and a trust file that did not come with it. */
export function addVerify(program: Command): void {
  program
    .command("verify")
    .description("prove or refuse an evidence bundle, offline")
    .argument("<bundle>", "a bundle: folder or zip")
    .option("--trust <file>", "trust file, obtained from somewhere else than the bundle")
    .option("--json", "print the report as one JSON object")
    .addHelpText(
      "after",
      "\nExit codes: 0 proven, 1 refused, 2 no such bundle, 3 no trust file (nothing is believed without one).",
    )
    .action((bundle: string, options: { trust?: string; json?: boolean }) => {
      process.exitCode = verify(bundle, options);
    });
}

function verify(bundle: string, options: { trust?: string; json?: boolean }): number {
  let trust: Trust | null = null;
  if (options.trust !== undefined) {
    try {
      trust = parseTrust(readFileSync(options.trust));
    } catch (error) {
      const sentence = `trust file: ${error instanceof EvidenceError ? error.message : "cannot be read"}`;
      if (options.json === true)
        printJson({ verdict: "no-trust", checks: [], facts: [{ code: "no-trust", sentence }] });
      else print(sentence);
      return exit.noTrust;
    }
  }
  try {
    const report = verifyBundle(readBundle(bundle), trust);
    if (options.json === true) printJson(report);
    else process.stdout.write(`${renderReport(report)}\n`);
    return report.verdict === "proven" ? exit.ok : report.verdict === "no-trust" ? exit.noTrust : exit.failed;
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    if (error.code === "unreadable") throw new CountersignError("INPUT_INVALID", error.message);
    if (options.json === true)
      printJson({ verdict: "refused", checks: [{ code: error.code, result: "fail", sentence: error.message }] });
    else print(`refused: ${error.message}`);
    return exit.failed;
  }
}
