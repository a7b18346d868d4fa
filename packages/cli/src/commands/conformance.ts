import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { CountersignError } from "@countersign/core";
import type { Command } from "commander";
import { exit } from "../output.ts";

/** `countersign conformance`: the suite needs doubles and tests, so it runs where those are, as a process of its own. */
export function addConformance(program: Command): void {
  program
    .command("conformance")
    .description("put every connector through the conformance suite (in a checkout)")
    .option("--json", "print one JSON object")
    .action(async (options: { json?: boolean }) => {
      const main = fileURLToPath(new URL("../../../../tests/conformance/main.ts", import.meta.url));
      if (!existsSync(main))
        throw new CountersignError("NOT_FOUND", "expected a checkout with its tests, got an installation without them");
      const child = spawn(process.execPath, [main, ...(options.json === true ? ["--json"] : [])], { stdio: "inherit" });
      process.exitCode = await new Promise<number>((resolve, reject) => {
        child.once("error", reject);
        child.once("exit", (code) => resolve(code ?? exit.failed));
      });
    });
}
