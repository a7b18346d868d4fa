/** Custody (ARCHITECTURE.md): which role may hold which secret. What a role does not hold it cannot lose. */
import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { type Config, CountersignError } from "@countersign/core";
import type { Installation } from "./load.ts";
import type { Role } from "./roles.ts";
import { stateFiles } from "./state.ts";

type Holder = Exclude<Role, "all">;

interface Held {
  readonly reference: string;
  readonly holders: readonly Holder[];
}

/** Every secret reference of a configuration, with the roles that may resolve it. */
export function heldReferences(config: Config): readonly Held[] {
  const by = (found: unknown, ...holders: readonly Holder[]): readonly Held[] =>
    referencesIn(found).map((reference) => ({ reference, holders }));
  return [
    // The executor reads the directory for itself: nobody else's word opens a gate (I4).
    ...config.tenants.flatMap((tenant) => [
      ...by(tenant.reader, "scanner", "executor"),
      ...by(tenant.writer, "executor"),
    ]),
    ...config.connections.flatMap((connection) => by(connection.settings, "executor")),
    // Pulling and accepting an inventory is done on the executor's host.
    ...by(config.inventory.from, "executor"),
    ...by([config.notify, config.tickets], "notifier"),
    ...by([config.signIn.local, config.webhooks], "api"),
  ];
}

/** Files of the state folder that only these roles may read; `database.key` belongs to the embedded database. */
const heldFiles: readonly { readonly file: string; readonly holders: readonly Holder[] }[] = [
  { file: stateFiles.log, holders: ["executor"] },
  { file: stateFiles.run, holders: ["executor"] },
  { file: stateFiles.session, holders: ["api"] },
  { file: stateFiles.database, holders: [] },
];

/** The references of a configuration that a role holds; some stand in it twice. */
export function referencesOf(config: Config, role: Role): readonly string[] {
  const mine = heldReferences(config).filter(({ holders }) => role === "all" || holders.includes(role));
  return [...new Set(mine.map(({ reference }) => reference))];
}

/** An installation that resolves only what its role may hold; anything else is FORBIDDEN before it is read. */
export function confinedTo(installation: Installation, role: Role): Installation {
  if (role === "all") return installation;
  const mine = new Set(referencesOf(installation.config, role));
  return {
    ...installation,
    secret(reference) {
      if (!mine.has(reference))
        throw new CountersignError("FORBIDDEN", `expected a secret that the ${role} may hold, got ${reference}`);
      return installation.secret(reference);
    },
  };
}

/** What this process could read though only another role may: names, never values. Empty for `all`, which may read all. */
export function strangersIn(installation: Installation, role: Role): readonly string[] {
  if (role === "all") return [];
  const mine = new Set(referencesOf(installation.config, role));
  const references = heldReferences(installation.config)
    .map(({ reference }) => reference)
    .filter((reference) => !mine.has(reference) && resolves(installation, reference));
  const files = heldFiles
    .filter(({ holders }) => !holders.includes(role))
    .map(({ file }) => join(installation.state, file))
    .filter(readable);
  return [...new Set([...references, ...files])];
}

/** Whether each role is a process of its own with rights of its own, and if not, why. */
export function separationOf(
  installation: Installation,
  role: Role,
  ownLogin: boolean,
): { readonly separation: "none" | "roles"; readonly because: string | null } {
  const none = (because: string) => ({ separation: "none" as const, because });
  if (role === "all") return none("all roles in one process");
  if (!ownLogin) return none("the database URL is an administrator's");
  const strangers = strangersIn(installation, role);
  return strangers.length === 0
    ? { separation: "roles", because: null }
    : none(`the ${role} can read ${strangers.join(", ")}`);
}

/** Strings of the form of a secret reference, anywhere in a part of the configuration. */
function referencesIn(value: unknown): readonly string[] {
  if (typeof value === "string") return /^(?:file|env):/.test(value) ? [value] : [];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(referencesIn) : [];
}

function resolves(installation: Installation, reference: string): boolean {
  try {
    installation.secret(reference);
    return true;
  } catch {
    return false;
  }
}

function readable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
