import { NotTheApi, ProblemError } from "@countersign/contract";
import { CountersignError } from "@countersign/core";
import { Command, CommanderError } from "commander";
import { addAcceptances } from "./commands/acceptances.ts";
import { addConformance } from "./commands/conformance.ts";
import { addDemo } from "./commands/demo.ts";
import { addInstallation } from "./commands/installation.ts";
import { addInventory } from "./commands/inventory.ts";
import { addMission } from "./commands/mission.ts";
import { addNotices } from "./commands/notices.ts";
import { addOnboarding } from "./commands/onboarding.ts";
import { addOutside } from "./commands/outside.ts";
import { addPopulation } from "./commands/population.ts";
import { addRuns } from "./commands/runs.ts";
import { addServe } from "./commands/serve.ts";
import { addVerify } from "./commands/verify.ts";
import { addWebhooks } from "./commands/webhooks.ts";
import { exit, plain, say } from "./output.ts";

const program = new Command("countersign")
  .description("Governed rotation of secrets: approved, crash-safe, provable.")
  .version("0.1.0")
  .showHelpAfterError()
  .exitOverride();

addDemo(program);
addServe(program);
addInstallation(program);
addInventory(program);
addRuns(program);
addAcceptances(program);
addNotices(program);
addOnboarding(program);
addOutside(program);
addVerify(program);
addPopulation(program);
addWebhooks(program);
addConformance(program);
addMission(program);

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = codeOf(error);
}

function codeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exit.ok : exit.usage;
  if (error instanceof CountersignError) {
    say(`${error.code}: ${error.message}`);
    return error.code === "INPUT_INVALID" ? exit.usage : exit.failed;
  }
  if (error instanceof ProblemError) {
    const { code, errors = [] } = error.problem;
    const named = errors.filter(({ pointer }) => pointer !== "");
    if (named.length === 0) say(`${code}: ${error.message}`);
    for (const { pointer, detail } of named) say(`${code}: ${pointer.slice(1)}: ${detail}`);
    return code === "INPUT_INVALID" ? exit.usage : exit.failed;
  }
  if (error instanceof NotTheApi) {
    say(error.message);
    return exit.failed;
  }
  if (error instanceof TypeError && error.message === "fetch failed") {
    say("no answer; does the product run, and is --url right?");
    return exit.failed;
  }
  if (error instanceof Error && "syscall" in error) {
    // Of the system, and about a file that was named: its own sentence says which and why.
    say(plain(error.message));
    return exit.failed;
  }
  say(`UNEXPECTED: ${error instanceof Error ? `${error.name} ${plain(error.message)}` : "something that is no error"}`);
  if (process.env.COUNTERSIGN_DEBUG === "1" && error instanceof Error) say(error.stack ?? "");
  return exit.failed;
}
