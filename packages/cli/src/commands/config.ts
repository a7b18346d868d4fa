import { loadInstallation, referencesOf } from "@countersign/server";
import type { Command } from "commander";
import { print, printJson } from "../output.ts";

interface CheckOptions {
  readonly config: string;
  readonly json?: boolean;
}

/** `config check`: needs nothing set up, reads no secret and calls nothing. */
export function addConfig(program: Command): void {
  program
    .command("config")
    .description("the configuration of this installation")
    .command("check")
    .description("read the configuration strictly; nothing has to be set up, no secret is read, nothing is called")
    .option("--config <file>", "configuration", "countersign.yaml")
    .option("--json", "print one JSON object")
    .action((options: CheckOptions) => {
      const { config } = loadInstallation(options.config);
      const secrets = referencesOf(config, "all");
      const { profile, tenants, connections, signIn } = config;
      if (options.json === true)
        return printJson({
          profile,
          tenants: tenants.map(({ name }) => name),
          connections: connections.map(({ name }) => name),
          people: signIn.local.length,
          secrets,
        });
      return print(
        `profile ${profile}: ${tenants.length} tenants, ${connections.length} connections, ${signIn.local.length} people; ` +
          `${secrets.length} secret references, whose secrets \`countersign doctor\` reads`,
      );
    });
}
