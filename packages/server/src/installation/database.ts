import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CountersignError } from "@countersign/core";
import {
  type Connection,
  type Connections,
  checkMigrated,
  databaseKey,
  embeddedAdmin,
  formatDatabaseUrl,
  migrate,
  ownLogin,
  parseDatabaseUrl,
  prepareUsers,
  type StoreRole,
  startEmbedded,
} from "@countersign/engine";
import type { Installation } from "./load.ts";
import { logins, type Role, roles } from "./roles.ts";

/** The database as one process may use it, migrated. */
export interface Database {
  /** Whether this process was given the login of its role and no other. */
  readonly ownLogin: boolean;
  /** The logins this process has. */
  readonly logins: readonly StoreRole[];
  /** FORBIDDEN for a login that this process was not given. */
  connection(login: StoreRole): Connection;
  /** Ends the embedded server; an external one goes on. */
  stop(): Promise<void>;
  /** Leaves things as they were found: a server that somebody else runs goes on. For short commands. */
  release(): Promise<void>;
}

/**
 * Opens the embedded PostgreSQL, or the one that `database.url` (a secret reference) or `DATABASE_URL` names. With the URL
 * of its role's own login a process uses that and changes nothing; with an administrator's it makes the logins and brings
 * the schema up to date. Errors: DATABASE_UNAVAILABLE, CONFIG_INVALID.
 */
export async function openDatabase(installation: Installation, role: Role): Promise<Database> {
  const { config, state } = installation;
  const url = "url" in config.database ? installation.secret(config.database.url).reveal() : process.env.DATABASE_URL;
  if (url !== undefined && url !== "") {
    const ca = installation.ca.join("\n");
    const own = ownLogin(url, logins[role], ca);
    if (own !== null) {
      await checkMigrated(own);
      return { ...only(logins[role], own), async stop() {}, async release() {} };
    }
    const connections = await prepareUsers(parseDatabaseUrl(url, ca), await databaseKey(state));
    await migrate(connections.cs_migrator);
    return { ...all(connections), async stop() {}, async release() {} };
  }
  const server = await startEmbedded({ stateFolder: state });
  const connections = await prepareUsers(await embeddedAdmin(server), await databaseKey(state));
  await migrate(connections.cs_migrator);
  const release = async () => (server.started ? server.stop() : server.detach());
  return { ...all(connections), stop: () => server.stop(), release };
}

function all(connections: Connections): Pick<Database, "ownLogin" | "logins" | "connection"> {
  return {
    ownLogin: false,
    logins: ["cs_api", "cs_scanner", "cs_executor", "cs_notifier"],
    connection: (login) => connections[login],
  };
}

function only(mine: StoreRole, own: Connection): Pick<Database, "ownLogin" | "logins" | "connection"> {
  return {
    ownLogin: true,
    logins: [mine],
    connection(login) {
      if (login === mine) return own;
      throw new CountersignError("FORBIDDEN", `expected the login ${mine}, which this process was given, got ${login}`);
    },
  };
}

/**
 * What the database's administrator does once, and at each upgrade: makes the logins, brings the schema up to date. With
 * `folder` every login gets a new password and its URL, in a file of mode 0600 named after its role; without, only the
 * schema changes and the processes go on. Returns the files.
 */
export async function prepareDatabase(
  installation: Installation,
  adminUrl: string,
  folder: string | null,
): Promise<readonly string[]> {
  const admin = parseDatabaseUrl(adminUrl, installation.ca.join("\n"));
  const key = randomBytes(32).toString("hex");
  const connections = await prepareUsers(admin, key, folder === null ? ["cs_migrator"] : undefined);
  await migrate(connections.cs_migrator);
  if (folder === null) return [];
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return roles
    .filter((role) => role !== "all")
    .map((role) => {
      const file = join(folder, `${role}.database`);
      writeFileSync(file, `${formatDatabaseUrl(connections[logins[role]])}\n`, { mode: 0o600 });
      return file;
    });
}
