import { writeFileSync } from "node:fs";
import {
  CountersignError,
  checkInventory,
  compareCodes,
  compareInventory,
  draftInventory,
  type EnvironmentRule,
  type Inventory,
  type InventoryFinding,
  inventoryText,
} from "@countersign/core";
import { type Installation, loadInstallation, readInventory } from "@countersign/server";
import type { Command } from "commander";
import { type Looked, lookAt, oursOf, tenantOf, withConnectors } from "../fleet/look.ts";
import { openReader, type ReaderOptions } from "../fleet/read-tenant.ts";
import { exit, print, printJson, say, table } from "../output.ts";
import { accepted } from "./installation.ts";
import { type PullOptions, runPull } from "./inventory-pull.ts";

interface Common {
  readonly config: string;
  readonly json?: boolean;
}

/** `inventory accept`, `check`, `draft`, `pull`. */
export function addInventory(program: Command): void {
  const inventory = program.command("inventory").description("the inventory of this installation");
  const command = (name: string, description: string) =>
    inventory
      .command(name)
      .description(description)
      .option("--config <file>", "configuration", "countersign.yaml")
      .option("--json", "print one JSON object");
  command("accept", "accept the inventory file as it stands now (executor's host only)").action((options: Common) =>
    accepted(options, "inventory"),
  );
  command("check", "read the inventory strictly and compare it with the directory, both ways")
    .option("--tenant <name>", "tenant of the configuration; needed where there are several")
    .option("--offline", "only read it, and compare it with the configuration")
    .option("--sign-ins", "also look at who signs in with each application; slow")
    .action(async (options: CheckOptions) => {
      process.exitCode = await check(options);
    });
  command("pull", "read the inventory where people keep it (SharePoint), and show what differs from the one in force")
    .option("--write <digest>", "replace the inventory file by exactly what was shown; it counts once it is accepted")
    .action(async (options: PullOptions) => {
      process.exitCode = await runPull(options);
    });
  command("draft", "propose an entry for each application of a tenant that the inventory does not know")
    .option("--tenant <name>", "tenant of the configuration; needed where there are several")
    .option("--tenant-id <id>", "look at this tenant with a reader alone, before anything is set up")
    .option("--client-id <id>", "the reader; with --tenant-id")
    .option("--client-secret <reference>", "the reader's secret; with --tenant-id", "env:COUNTERSIGN_READER_SECRET")
    .option("--authority <url>", "with --tenant-id", "https://login.microsoftonline.com")
    .option("--graph <url>", "with --tenant-id", "https://graph.microsoft.com")
    .option("--graph-audience <url>", "with --tenant-id; left out: the origin of --graph")
    .option("--ca <file>", "with --tenant-id: certificates to trust besides the public ones, PEM")
    .option(
      "--environment <pattern=name>",
      "applications so called are of this environment; may be repeated",
      ruleOf,
      [],
    )
    .option("--sign-ins", "also look at who signs in with each application; slow")
    .option("--yaml", "write it as YAML (the default)")
    .option("--csv", "write it as CSV")
    .option("--out <file>", "write it to a new file instead of stdout")
    .action(async (options: DraftOptions) => {
      process.exitCode = await draft(options);
    });
}

interface CheckOptions extends Common {
  readonly tenant?: string;
  readonly offline?: boolean;
  readonly signIns?: boolean;
}

async function check(options: CheckOptions): Promise<number> {
  const installation = loadInstallation(options.config);
  const { config } = installation;
  const inventory = readInventory(installation);
  const people = config.signIn.local;
  const findings: InventoryFinding[] = checkInventory(inventory.rows, config, people).map(
    ({ row, code, observed, required }) => ({ application: row, code, mend: true, observed, required }),
  );
  const looked =
    options.offline === true
      ? null
      : await withConnectors(installation, (connectors, ctx) =>
          lookAt(connectors, ctx, tenantOf(installation, options.tenant), options.signIns === true),
        );
  if (looked !== null) {
    const mails = new Map(people.map(({ person, email }) => [person, email]));
    findings.push(...compareInventory({ inventory, mails, ours: oursOf(installation), ...looked }));
  }
  const toMend = findings.filter(({ mend }) => mend).length;
  if (options.json === true)
    printJson({
      digest: inventory.digest,
      listed: inventory.rows.length,
      proposed: inventory.proposed.length,
      ...readOf(looked),
      toMend,
      toConsider: findings.length - toMend,
      findings,
    });
  else {
    print(`${inventory.rows.length} applications listed, ${inventory.proposed.length} proposed (${inventory.digest})`);
    if (findings.length > 0)
      print(
        table(
          ["", "application", "finding", "seen", "expected"],
          findings.map(({ mend, application, code, observed, required }) => [
            mend ? "mend" : "consider",
            application,
            code,
            observed,
            required,
          ]),
        ),
      );
    for (const code of new Set(findings.map((finding) => finding.code)))
      if (code in compareCodes) print(`${code}: ${compareCodes[code as keyof typeof compareCodes].sentence}`);
    print(`${toMend} to mend, ${findings.length - toMend} to consider`);
  }
  return toMend === 0 ? exit.ok : exit.failed;
}

/** What the findings rest on, so that silence about what nobody read is not taken for good news. */
function readOf(looked: Looked | null) {
  return {
    read: {
      tenant: looked?.tenant ?? null,
      applications: looked?.objects.filter(({ kind }) => kind === "application").length ?? null,
      vaultEntries: looked?.entries?.length ?? null,
      signIns: looked?.callers != null,
    },
  };
}

interface DraftOptions extends Common, Partial<ReaderOptions> {
  readonly tenant?: string;
  readonly environment: readonly EnvironmentRule[];
  readonly signIns?: boolean;
  readonly yaml?: boolean;
  readonly csv?: boolean;
  readonly out?: string;
}

async function draft(options: DraftOptions): Promise<number> {
  if (options.yaml === true && options.csv === true)
    throw new CountersignError("INPUT_INVALID", "expected --yaml or --csv, got both");
  const { known, ...read } = await readForDraft(options);
  const { looked } = read;
  const made = draftInventory({ ...looked, ...read, known: knownOf(known), rules: options.environment });
  const text = inventoryText(made.rows, options.csv === true ? { form: "csv", delimiter: "," } : { form: "yaml" }, [
    `Proposed from tenant ${looked.tenant}. Nothing here is listed: a row counts once its status is approved, it is`,
    "complete, and the file is accepted. What is marked as a guess is one.",
  ]);
  if (options.out !== undefined) writeFileSync(options.out, text, { flag: "wx" });
  const counts = { proposed: made.rows.length, known: made.known, withoutSecret: made.withoutSecret };
  if (options.json === true)
    printJson({
      ...readOf(looked),
      ...counts,
      rows: made.rows.map(({ row, says = [], beside = {} }) => ({ row, says, guesses: beside })),
    });
  else if (options.out === undefined) process.stdout.write(text);
  say(`${counts.proposed} proposed; ${counts.known} known already, ${counts.withoutSecret} without a client secret`);
  return exit.ok;
}

interface ForDraft {
  readonly looked: Looked;
  readonly known: Inventory | null;
  readonly ours: ReadonlySet<string>;
  /** Person by mail address. */
  readonly people: ReadonlyMap<string, string>;
}

async function readForDraft(options: DraftOptions): Promise<ForDraft> {
  const signIns = options.signIns === true;
  const { tenantId, clientId } = options;
  if (tenantId !== undefined) {
    if (clientId === undefined) throw new CountersignError("INPUT_INVALID", "expected --client-id, got none");
    const { clock, connectors } = openReader({ ...(options as ReaderOptions), tenantId, clientId });
    try {
      const ctx = { clock, signal: new AbortController().signal };
      // An inventory names tenants as the configuration does; there is none yet.
      const looked = { ...(await lookAt(connectors, ctx, tenantId, signIns)), tenant: options.tenant ?? tenantId };
      return { looked, known: null, ours: new Set([clientId.toLowerCase()]), people: new Map() };
    } finally {
      await connectors.close();
    }
  }
  const installation: Installation = loadInstallation(options.config);
  const known = readInventory(installation);
  const tenant = tenantOf(installation, options.tenant);
  const people = new Map(installation.config.signIn.local.map(({ email, person }) => [email.toLowerCase(), person]));
  const looked = await withConnectors(installation, (connectors, ctx) => lookAt(connectors, ctx, tenant, signIns));
  return { looked, known, ours: oursOf(installation), people };
}

function knownOf(inventory: Inventory | null) {
  const all = [...(inventory?.rows ?? []), ...(inventory?.proposed ?? [])];
  return {
    objectIds: new Set(all.flatMap((row) => ("objectId" in row && row.objectId !== undefined ? [row.objectId] : []))),
    names: new Set(all.map(({ name }) => name)),
  };
}

function ruleOf(text: string, before: readonly EnvironmentRule[]): EnvironmentRule[] {
  const at = text.lastIndexOf("=");
  const [pattern, environment] = [text.slice(0, at), text.slice(at + 1)];
  if (at < 1 || !/^[a-z0-9][a-z0-9._-]{0,62}$/.test(environment))
    throw new CountersignError(
      "INPUT_INVALID",
      `expected PATTERN=ENVIRONMENT such as *-prod=prod, got ${text.slice(0, 80)}`,
    );
  return [...before, { pattern, environment }];
}
