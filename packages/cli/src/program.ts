import { Command, CommanderError } from "commander";
import { addAcceptances } from "./commands/acceptances.ts";
import { addConfig } from "./commands/config.ts";
import { addConformance } from "./commands/conformance.ts";
import { addDemo } from "./commands/demo.ts";
import { addInstallation } from "./commands/installation.ts";
import { addInventory } from "./commands/inventory.ts";
import { addMission } from "./commands/mission.ts";
import { addNotices } from "./commands/notices.ts";
import { addOnboarding } from "./commands/onboarding.ts";
import { addOutside } from "./commands/outside.ts";
import { addPolicy } from "./commands/policy.ts";
import { addPopulation } from "./commands/population.ts";
import { addRuns } from "./commands/runs.ts";
import { addServe } from "./commands/serve.ts";
import { addVerify } from "./commands/verify.ts";
import { addWebhooks } from "./commands/webhooks.ts";
import { fail } from "./failure.ts";
import { exit } from "./output.ts";

/** One command line, to its end; what it means for the process stands in `process.exitCode`. */
export async function countersign(argv: readonly string[]): Promise<void> {
  const program = programOf();
  try {
    await program.parseAsync(argv, { from: "user" });
  } catch (error) {
    const wanted = error instanceof CommanderError && error.exitCode === 0;
    process.exitCode = wanted ? exit.ok : fail(error, argv.includes("--json"));
  }
}

function programOf(): Command {
  const program = new Command("countersign")
    .description("Governed rotation of secrets: approved, crash-safe, provable.")
    .version("0.1.0")
    .showHelpAfterError()
    .exitOverride();

  addDemo(program);
  addServe(program);
  addInstallation(program);
  addConfig(program);
  addPolicy(program);
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
  return program;
}
