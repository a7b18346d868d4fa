import { lintPolicy } from "@countersign/core";
import { openStore } from "@countersign/engine";
import {
  accept,
  type Database,
  groundOf,
  type Installation,
  type InstallationChecked,
  init,
  judgeInstallation,
  loadInstallation,
  openDatabase,
  prepareDatabase,
  type Role,
  readInventory,
  readPolicy,
  readTrust,
  referencesOf,
  roles,
  separationOf,
} from "@countersign/server";
import { type Command, InvalidArgumentError, Option } from "commander";
import { exit, print, printJson } from "../output.ts";
import { type AfterRestoreOptions, afterRestore } from "./after-restore.ts";

interface Common {
  readonly config: string;
  readonly json?: boolean;
}

/** `init`, `doctor`, `database prepare`: acts on the host it runs on. */
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
        print(
          `made ${made.trust} (${made.trustDigest})\nGive a copy of it to your auditor now: bundles are verified with it and never carry it.`,
        );
    });

  program
    .command("doctor")
    .description("check configuration, documents, trust, database logins and log")
    .option("--config <file>", "configuration", "countersign.yaml")
    .addOption(new Option("--role <role>", "the role whose process runs on this host").choices(roles).default("all"))
    .option("--invariants", "also judge open and recent runs by every invariant (docs/operating/invariants.md)")
    .option("--since-days <days>", "with --invariants: how far back runs count as recent", daysOf, 7)
    .option("--no-outside", "with --invariants: read the database only, and nothing of the tenant")
    .option("--after-restore", "instead: what an older backup lacks (docs/operating/backup-and-restore.md)")
    .option("--accept <digest>", "with --after-restore: the digest of what was read; lets work go on")
    .option("--person <id>", "with --accept: who decides, as the trust file names them")
    .option("--reason <text>", "with --accept: why; it goes into the evidence")
    .option("--json", "print one JSON object")
    .action(async (options: DoctorOptions & AfterRestoreOptions) => {
      process.exitCode = await (options.afterRestore === true ? afterRestore(options) : doctor(options));
    });

  program
    .command("database")
    .description("the database of this installation")
    .command("prepare")
    .description("make the logins of the roles and bring the schema up to date, as the database's administrator")
    .option("--config <file>", "configuration", "countersign.yaml")
    .requiredOption("--admin-url <reference>", "file:PATH or env:NAME of an administrator's database URL")
    .option("--out <folder>", "give each login a new password and write its URL into a file of this folder")
    .option("--json", "print one JSON object")
    .action(async (options: Common & { adminUrl: string; out?: string }) => {
      const installation = loadInstallation(options.config);
      const url = installation.secret(options.adminUrl).reveal();
      const files = await prepareDatabase(installation, url, options.out ?? null);
      if (options.json === true) printJson({ files });
      else if (files.length === 0) print("the schema is that of this build");
      else print(`made ${files.join(", ")}\nEach goes to the host of its role and to no other.`);
    });
}

/** Accepts a document as it stands, and says so. */
export async function accepted(options: Common, what: "policy" | "inventory"): Promise<void> {
  const result = await accept(options.config, what);
  if (options.json === true) printJson(result);
  else print(`${what} ${result.digest} is accepted`);
}

interface DoctorOptions extends Common {
  readonly role: Role;
  readonly invariants?: boolean;
  readonly sinceDays: number;
  readonly outside: boolean;
}

const sinceDaysMax = 3_660;

function daysOf(text: string): number {
  const days = Number(text);
  if (!Number.isSafeInteger(days) || days < 1 || days > sinceDaysMax)
    throw new InvalidArgumentError(`expected 1 to ${sinceDaysMax} days, got ${text}`);
  return days;
}

interface Row {
  readonly check: string;
  readonly ok: boolean;
  readonly says: string;
}

async function doctor(options: DoctorOptions): Promise<number> {
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
  await look("own addresses", () => ownAddressesSay(installation));
  await look("trust", () => `${readTrust(installation.state).people.length} people enrolled`);
  await look("policy is active", () => ground.policy().digest);
  await look("inventory is accepted", () => ground.inventory().digest);
  await look("secrets", () => {
    const references = referencesOf(installation.config, options.role);
    for (const reference of references) installation.secret(reference);
    return `${references.length} references read`;
  });
  let database: Database | null = null;
  await look("database", async () => {
    database = await openDatabase(installation, options.role);
    const said: string[] = [];
    for (const role of database.logins) {
      const store = openStore({ role, connection: database.connection(role), connectionsMax: 1 });
      try {
        said.push(`${role} as ${await store.sessionUser()}`);
      } finally {
        await store.close();
      }
    }
    return said.join(", ");
  });
  await look("separation", () => {
    const { separation, because } = separationOf(installation, options.role, database?.ownLogin === true);
    if (options.role !== "all" && because !== null) throw new Error(`none: ${because}`);
    return because === null ? separation : `${separation}: ${because}`;
  });
  await look("channels", () =>
    database?.logins.includes("cs_api") === true
      ? channelsOf(installation, database)
      : "shown where the api runs, which may read them",
  );
  await look("scans", () =>
    database?.logins.includes("cs_api") === true
      ? scansOf(installation, database)
      : "shown where the api runs, which may read them",
  );
  let checked: InstallationChecked | null = null;
  if (options.invariants === true)
    await look("invariants", async () => {
      if (database === null) throw new Error("expected the database, which could not be opened");
      checked = await judgeInstallation(installation, database, options);
      return invariantsSay(checked);
    });
  await (database as Database | null)?.release();
  if (options.json === true)
    printJson({
      ok: rows.every((row) => row.ok),
      checks: rows,
      ...(options.invariants === true ? { invariants: checked } : {}),
    });
  else for (const row of rows) print(`${row.ok ? "ok  " : "FAIL"} ${row.check}: ${row.says}`);
  return rows.every((row) => row.ok) ? exit.ok : exit.failed;
}

/** Tenants whose sign-in log cannot tell us from others by address. */
function ownAddressesSay({ config }: Installation): string {
  const without = config.tenants.filter(({ ownAddresses = [] }) => ownAddresses.length === 0).map(({ name }) => name);
  if (without.length === 0) return "named for every tenant";
  return `to consider: not named for ${without.join(", ")} (ownAddresses), so sign-ins by which we prove a value look like uses of it`;
}

/** What was judged. Throws, with a line for each, when an invariant is broken. */
function invariantsSay({ runs, violations, lookedAt, unread }: InstallationChecked): string {
  const judged = `${runs} runs judged, ${lookedAt} applications looked at outside`;
  const notSeen = unread.map(({ application, code }) => `${application} (${code})`);
  const seen = notSeen.length === 0 ? judged : `${judged}, not seen: ${notSeen.join(", ")}`;
  if (violations.length === 0) return seen;
  const lines = violations.map(({ invariant, run, sentence }) => `${invariant} ${run ?? "-"}: ${sentence}`);
  throw new Error(`${seen}; broken:\n${lines.join("\n")}`);
}

/** When each tenant was last listed as a whole; one for which that is too long ago is a failure. */
async function scansOf(installation: Installation, database: Database): Promise<string> {
  const store = openStore({ role: "cs_api", connection: database.connection("cs_api"), connectionsMax: 1 });
  try {
    const late = await store.lateTenants();
    const said: string[] = [];
    for (const { name } of installation.config.tenants) {
      const last = (await store.lastFullScan(name))?.finishedAt ?? null;
      const text = last === null ? "not listed yet" : `listed ${new Date(last).toISOString()}`;
      said.push(`${name} ${text}${late.includes(name) ? ", which is too long ago" : ""}`);
    }
    if (late.length > 0) throw new Error(said.join(", "));
    return said.join(", ");
  } finally {
    await store.close();
  }
}

/** How the channels fare; a dead one is a failure, since people rely on being told. */
async function channelsOf(installation: Installation, database: Database): Promise<string> {
  const store = openStore({ role: "cs_api", connection: database.connection("cs_api"), connectionsMax: 1 });
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
  }
}
