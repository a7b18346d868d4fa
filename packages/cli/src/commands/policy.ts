import { readFileSync } from "node:fs";
import { lintPolicy, type PolicyLint, parsePolicy, whatIf } from "@countersign/core";
import { durationsOf, type Installation, loadInstallation, readInventory, readPolicy } from "@countersign/server";
import type { Command } from "commander";
import { exit, print, printJson, table } from "../output.ts";
import { accepted } from "./installation.ts";

interface Common {
  readonly config: string;
  readonly json?: boolean;
}

/** `policy lint`, `what-if`, `activate`. */
export function addPolicy(program: Command): void {
  const policy = program.command("policy").description("the policy of this installation");
  const command = (name: string, description: string) =>
    policy
      .command(name)
      .description(description)
      .option("--config <file>", "configuration", "countersign.yaml")
      .option("--json", "print one JSON object");
  command("lint", "read a policy strictly and say what in it will not work out; changes nothing")
    .argument("[file]", "a policy; left out: the policy.yaml beside the configuration")
    .action((file: string | undefined, options: Common) => {
      process.exitCode = lint(file, options);
    });
  command("what-if", "what another policy would change, application by application; changes nothing")
    .argument("<file>", "the other policy")
    .action((file: string, options: Common) => compare(file, options));
  command("activate", "make the policy file as it stands now the active one (executor's host only)").action(
    (options: Common) => accepted(options, "policy"),
  );
}

function policyIn(file: string, installation: Installation) {
  return parsePolicy(readFileSync(file), durationsOf(installation.config));
}

function lint(file: string | undefined, options: Common): number {
  const installation = loadInstallation(options.config);
  const policy = file === undefined ? readPolicy(installation).policy : policyIn(file, installation);
  const found = lintPolicy(policy);
  if (options.json === true) printJson({ digest: policy.digest, found });
  else if (found.length === 0) print(`nothing to say against ${policy.digest}`);
  else print(lintTable(found));
  return found.some(({ result }) => result === "block") ? exit.failed : exit.ok;
}

function lintTable(found: readonly PolicyLint[]): string {
  const sentences = found.map(({ environment, sentence }) => `${environment}: ${sentence}`);
  const rows = found.map(({ result, environment, code, observed, required }) => [
    result === "block" ? "mend" : "consider",
    environment,
    code,
    observed,
    required,
  ]);
  return [table(["", "environment", "finding", "seen", "expected"], rows), ...sentences].join("\n");
}

function compare(file: string, options: Common): void {
  const installation = loadInstallation(options.config);
  const changes = whatIf(
    readPolicy(installation).policy,
    policyIn(file, installation),
    readInventory(installation).rows,
  );
  if (options.json === true) return printJson({ changes });
  if (changes.length === 0) return print("nothing would change for any application of the inventory");
  return print(
    table(
      ["application", "value", "now", "then"],
      changes.map(({ row, field, before, after }) => [row, field, before ?? "not governed", after ?? "not governed"]),
    ),
  );
}
