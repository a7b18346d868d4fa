import { lintPolicy } from "@countersign/core";
import { openStore } from "@countersign/engine";
import {
  accept,
  groundOf,
  init,
  loadInstallation,
  openDatabase,
  readInventory,
  readPolicy,
  readTrust,
} from "@countersign/server";
import type { Command } from "commander";
import { exit, printJson, say } from "../output.ts";

interface Common {
  readonly config: string;
  readonly json?: boolean;
}

/** `init`, `doctor`, `policy activate`, `inventory accept`: acts on the executor's host. */
export function addInstallation(program: Command): void {
  program
    .command("init")
    .description("make keys, trust file and genesis entry for this configuration")
    .option("--config <file>", "configuration", "countersign.yaml")
    .option("--origin <name>", "name of the evidence log, such as a domain of yours", "countersign.local/log")
    .option("--json", "print one JSON object")
    .action(async (options: Common & { origin: string }) => {
      const made = await init(options.config, options.origin);
      if (options.json === true) printJson(made);
      else
        say(
          `made ${made.trust} (${made.trustDigest})\nGive a copy of it to your auditor now: bundles are verified with it and never carry it.`,
        );
    });

  program
    .command("doctor")
    .description("check configuration, documents, trust, database logins and log")
    .option("--config <file>", "configuration", "countersign.yaml")
    .option("--json", "print one JSON object")
    .action(async (options: Common) => {
      process.exitCode = await doctor(options);
    });

  const policy = program.command("policy").description("the policy of this installation");
  policy
    .command("activate")
    .description("make the policy file as it stands now the active one (executor's host only)")
    .option("--config <file>", "configuration", "countersign.yaml")
    .option("--json", "print one JSON object")
    .action((options: Common) => accepted(options, "policy"));
  const inventory = program.command("inventory").description("the inventory of this installation");
  inventory
    .command("accept")
    .description("accept the inventory file as it stands now (executor's host only)")
    .option("--config <file>", "configuration", "countersign.yaml")
    .option("--json", "print one JSON object")
    .action((options: Common) => accepted(options, "inventory"));
}

async function accepted(options: Common, what: "policy" | "inventory"): Promise<void> {
  const result = await accept(options.config, what);
  if (options.json === true) printJson(result);
  else say(`${what} ${result.digest} is accepted`);
}

interface Row {
  readonly check: string;
  readonly ok: boolean;
  readonly says: string;
}

async function doctor(options: Common): Promise<number> {
  const rows: Row[] = [];
  const look = async (check: string, act: () => string | Promise<string>) => {
    try {
      rows.push({ check, ok: true, says: await act() });
    } catch (error) {
      rows.push({ check, ok: false, says: error instanceof Error ? error.message : "failed" });
    }
  };
  const installation = loadInstallation(options.config);
  const ground = groundOf(installation);
  await look("policy", () => {
    const { policy, digest } = readPolicy(installation);
    const problems = lintPolicy(policy);
    const text = problems.map((problem) => `${problem.environment}: ${problem.sentence}`).join("; ");
    if (problems.some((problem) => problem.result === "block")) throw new Error(text);
    return text === "" ? digest : `${digest}; to consider: ${text}`;
  });
  await look("inventory", () => `${readInventory(installation).rows.length} applications`);
  await look("trust", () => `${readTrust(installation.state).people.length} people enrolled`);
  await look("policy is active", () => ground.policy().digest);
  await look("inventory is accepted", () => ground.inventory().digest);
  await look("secrets", () => `${readSecrets(installation)} references read`);
  await look("database", async () => {
    const database = await openDatabase(installation);
    const said: string[] = [];
    for (const role of ["cs_api", "cs_scanner", "cs_executor", "cs_notifier"] as const) {
      const store = openStore({ role, connection: database.connections[role], connectionsMax: 1 });
      try {
        said.push(`${role} as ${await store.sessionUser()}`);
      } finally {
        await store.close();
      }
    }
    await database.release();
    return said.join(", ");
  });
  await look("channels", () => channelsOf(installation));
  if (options.json === true) printJson({ ok: rows.every((row) => row.ok), checks: rows });
  else for (const row of rows) say(`${row.ok ? "ok  " : "FAIL"} ${row.check}: ${row.says}`);
  return rows.every((row) => row.ok) ? exit.ok : exit.failed;
}

/** How the channels fare; a dead one is a failure, since people rely on being told. */
async function channelsOf(installation: ReturnType<typeof loadInstallation>): Promise<string> {
  const database = await openDatabase(installation);
  const store = openStore({ role: "cs_api", connection: database.connections.cs_api, connectionsMax: 1 });
  try {
    const channels = await store.channels();
    const dead = channels.filter(({ reportedAt }) => reportedAt !== null);
    if (dead.length > 0)
      throw new Error(
        `nothing arrives over ${dead.map(({ name, lastCode }) => `${name} (${lastCode ?? ""})`).join(", ")}`,
      );
    const count = installation.config.notify.length + installation.config.tickets.length;
    return count === 0
      ? "none configured; to consider: nobody is told of anything"
      : `${count} configured, none known to be dead`;
  } finally {
    await store.close();
    await database.release();
  }
}

function readSecrets({ config, secret }: ReturnType<typeof loadInstallation>): number {
  const references = [
    ...config.tenants.flatMap((tenant) => [tenant.reader.secret, tenant.writer.secret]),
    ...config.notify.map((channel) => (channel.kind === "webhook" ? channel.secret : channel.url)),
    ...config.tickets.map((system) => (system.kind === "jira" ? system.token : system.password)),
    ...config.signIn.local.map((person) => person.password),
  ];
  for (const reference of references) secret(reference);
  return references.length;
}
