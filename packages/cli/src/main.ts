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
import { exit, say } from "./output.ts";

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
  if (error instanceof Error && error.name === "ProblemError") {
    say(error.message);
    return exit.failed;
  }
  if (error instanceof TypeError && error.message === "fetch failed") {
    say("no answer; does the product run, and is --url right?");
    return exit.failed;
  }
  throw error;
}
