import {
  CountersignError,
  clientPermissions,
  type OnboardingReport,
  onboardingReport,
  onboardingStates,
} from "@countersign/core";
import { loadInstallation, readInventory } from "@countersign/server";
import type { Command } from "commander";
import { tenantOf, withConnectors } from "../fleet/look.ts";
import { listed, ownersOf } from "../fleet/read-tenant.ts";
import { exit, plain, printJson, say, table } from "../output.ts";

interface OnboardingOptions {
  readonly config: string;
  readonly tenant?: string;
  readonly json?: boolean;
}

/** Rows that a person is shown; `--json` has all. */
const shownMax = 50;

/** `onboarding`: which applications of the inventory the writer may rotate, and what is missing for the others. */
export function addOnboarding(program: Command): void {
  program
    .command("onboarding")
    .description(
      "which applications of the inventory the writer owns, and how an administrator gives it the others; only reads",
    )
    .option("--config <file>", "configuration", "countersign.yaml")
    .option("--tenant <name>", "tenant of the configuration; needed where there are several")
    .option("--json", "print one JSON object")
    .action(async (options: OnboardingOptions) => {
      process.exitCode = await onboarding(options);
    });
}

async function onboarding(options: OnboardingOptions): Promise<number> {
  const installation = loadInstallation(options.config);
  const inventory = readInventory(installation);
  const name = tenantOf(installation, options.tenant);
  const tenant = installation.config.tenants.find((one) => one.name === name);
  const report = await withConnectors(installation, async ({ scanners }, ctx) => {
    const scanner = scanners.find((one) => one.tenant === name);
    if (scanner === undefined || tenant === undefined)
      throw new CountersignError("INPUT_INVALID", `expected a tenant of the configuration, got ${name}`);
    const objects = await listed(scanner, ctx);
    const owners = await ownersOf(scanner, ctx, objects.length);
    const rows = inventory.rows.filter((row) => row.tenant === name);
    const clients = [];
    for (const client of ["reader", "writer"] as const) {
      const { clientId } = tenant[client];
      clients.push(clientPermissions(client, clientId, await scanner.granted(ctx, clientId)));
    }
    return onboardingReport({ rows, writerClientId: tenant.writer.clientId, clients, objects, owners });
  });
  const owned = report.applications.filter(({ state }) => state === "owned").length;
  if (options.json === true)
    printJson({ tenant: name, digest: inventory.digest, owned, of: report.applications.length, ...report });
  else tell(report, owned);
  const fits = report.clients.every(({ missing, excessive }) => missing.length + excessive.length === 0);
  return owned === report.applications.length && fits ? exit.ok : exit.failed;
}

function tell({ clients, writer, applications, directory, beyond }: OnboardingReport, owned: number): void {
  for (const { client, clientId, granted, missing, excessive } of clients) {
    if (granted === null) say(`not read: what is granted to the ${client} ${clientId} (Application.Read.All)`);
    if (missing.length > 0) say(plain(`the ${client} ${clientId} lacks ${missing.join(", ")}`));
    if (excessive.length > 0)
      say(plain(`the ${client} ${clientId} may do more than it needs: ${excessive.join(", ")}; take it away`));
  }
  const missing = applications.filter(({ state }) => state !== "owned");
  if (missing.length > 0)
    say(
      table(
        ["application", "object id", "is"],
        missing.slice(0, shownMax).map(({ application, objectId, state }) => [application, objectId, state]),
      ),
    );
  for (const state of new Set(missing.map((one) => one.state))) say(`${state}: ${onboardingStates[state]}`);
  if (missing.length > shownMax) say(`${shownMax} of ${missing.length}; --json has all`);
  if (writer.servicePrincipal === null)
    say(
      `the writer ${writer.clientId} has no service principal in this tenant: az ad sp create --id ${writer.clientId}`,
    );
  const grants = missing.flatMap(({ grant }) => (grant === null ? [] : [grant]));
  if (grants.length > 0) say("an administrator gives the writer what is missing, one application each:");
  // What can be run stands alone on stdout.
  for (const { command } of grants) process.stdout.write(`${command}\n`);
  if (beyond.length > 0)
    say(
      plain(
        `the writer owns ${beyond.length} that the inventory does not list, more than it needs: ${beyond
          .slice(0, 10)
          .map((one) => one.name)
          .join(", ")}`,
      ),
    );
  say(
    `the writer may rotate ${owned} of the ${applications.length} applications of the inventory; it owns ${directory.owned} of ${directory.withSecret} with a client secret in the directory`,
  );
  say("not read: what the vault allows");
}
