import { readFileSync } from "node:fs";
import { CountersignError, type HookEvent, hookRouter, readGridEvents, readStandardEvent } from "@countersign/core";
import { loadInstallation, readInventory } from "@countersign/server";
import type { Command } from "commander";
import { print, printJson, table } from "../output.ts";

interface TestOptions {
  readonly config: string;
  readonly hook: string;
  readonly json?: boolean;
}

/** Commands about the ways in for events from outside. */
export function addWebhooks(program: Command): void {
  program
    .command("webhooks")
    .description("ways in for events from outside")
    .command("test")
    .description("say what the rules of a hook would make of a body, without a key and without doing it")
    .argument("<file>", "body of a delivery, JSON")
    .requiredOption("--hook <name>", "name in the configuration")
    .option("--config <file>", "configuration", "countersign.yaml")
    .option("--json", "print one JSON object")
    .action((file: string, options: TestOptions) => {
      const installation = loadInstallation(options.config);
      const hook = installation.config.webhooks.find(({ name }) => name === options.hook);
      if (hook === undefined) {
        const names = installation.config.webhooks.map(({ name }) => name).join(", ") || "none";
        throw new CountersignError(
          "INPUT_INVALID",
          `expected a hook of the configuration (${names}), got ${options.hook}`,
        );
      }
      const route = hookRouter(hook.rules);
      const { rows } = readInventory(installation);
      const events = eventsOf(hook.kind, file).map((event) => ({ event, routed: route(event, rows) }));
      const told = events.map(({ event, routed }) => ({
        id: event.id,
        type: event.type,
        outcome: routed.kind,
        rule: routed.rule === null ? null : routed.rule + 1,
        application: routed.kind === "propose" ? routed.row.name : "application" in routed ? routed.application : null,
        credential: routed.kind === "propose" ? routed.credential : null,
      }));
      if (options.json === true) return printJson({ hook: hook.name, events: told });
      print(
        table(
          ["event", "type", "outcome", "rule", "application", "credential"],
          told.map(({ id, type, outcome, rule, application, credential }) => [
            id,
            type,
            outcome,
            String(rule ?? "-"),
            application ?? "-",
            credential ?? "-",
          ]),
        ),
      );
    });
}

function eventsOf(kind: "standard" | "event-grid", file: string): readonly HookEvent[] {
  let body: unknown;
  try {
    body = JSON.parse(readFileSync(file, "utf8"));
  } catch {
    throw new CountersignError("INPUT_INVALID", `expected a readable JSON file, got ${file}`);
  }
  const standard = kind === "standard" ? readStandardEvent("test", body) : null;
  const events = kind === "standard" ? (standard === null ? null : [standard]) : readGridEvents(body);
  if (events === null)
    throw new CountersignError("INPUT_INVALID", `expected a body in the form of ${kind}, got another`);
  return events;
}
