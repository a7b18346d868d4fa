import { CountersignError } from "@countersign/core";
import type pg from "pg";
import {
  type Connection,
  type DatabaseAddress,
  type DatabaseRole,
  openClient,
  parseDatabaseUrl,
  roles,
} from "./connect.ts";
import type { EmbeddedDatabase } from "./embedded.ts";
import { rolePassword, scramVerifier } from "./passwords.ts";

/** A connection per login. */
export type Connections = { readonly [R in DatabaseRole]: Connection };

/** Any number of processes may prepare users at once; they queue on this advisory lock. */
const usersLock = 7_306_001;
const versionMin = 160_000;

/**
 * Makes the logins as an administrator, sets the password of those in `refresh` and returns a connection for each.
 * Passwords derive from `key`; the server is only ever sent their SCRAM verifiers. Errors: DATABASE_UNAVAILABLE,
 * CONFIG_INVALID.
 */
export async function prepareUsers(
  admin: Connection,
  key: string,
  refresh: readonly DatabaseRole[] = roles,
): Promise<Connections> {
  const client = await openClient(admin, "countersign users", 30_000).catch((error: Error) => {
    throw new CountersignError(
      "DATABASE_UNAVAILABLE",
      `expected to reach the database as its administrator: ${error.message}`,
    );
  });
  try {
    await client.query("select pg_advisory_lock($1)", [usersLock]);
    const { rows } = await client.query<{ version: number; superuser: boolean }>(
      "select current_setting('server_version_num')::int as version, rolsuper as superuser from pg_roles where rolname = current_user",
    );
    const version = rows[0]?.version ?? 0;
    if (version < versionMin) {
      throw new CountersignError("CONFIG_INVALID", `expected PostgreSQL 16 or newer, got ${version}`);
    }
    await makeRoles(client, key, refresh, rows[0]?.superuser === true);
    await grantDatabase(client, admin.address.database);
  } finally {
    await client.end();
  }
  return derivedConnections(admin.address, key);
}

/** The connections of logins that an earlier {@link prepareUsers} made with the same key. */
export function derivedConnections(address: DatabaseAddress, key: string): Connections {
  const entries = roles.map((role) => [role, { address, user: role, password: rolePassword(key, role) }] as const);
  return Object.fromEntries(entries) as unknown as Connections;
}

/**
 * The one login that a process of one role was given, when `url` names it; null when it names an administrator. Another
 * role's login is refused: rights hang on the user name. Error: CONFIG_INVALID.
 */
export function ownLogin(url: string, role: DatabaseRole, ca?: string): Connection | null {
  const connection = parseDatabaseUrl(url, ca);
  if (connection.user === role) return connection;
  if ((roles as readonly string[]).includes(connection.user)) {
    throw new CountersignError("CONFIG_INVALID", `expected user ${role} in the database URL, got ${connection.user}`);
  }
  return null;
}

/** Our own database inside the embedded server, with an administrator's connection to it. */
export async function embeddedAdmin(server: EmbeddedDatabase, database = "countersign"): Promise<Connection> {
  const client = await openClient(
    { address: server.address, user: "postgres", password: server.adminPassword },
    "countersign users",
    30_000,
  );
  try {
    await client.query("select pg_advisory_lock($1)", [usersLock]);
    const { rowCount } = await client.query("select from pg_database where datname = $1", [database]);
    if (rowCount === 0) await client.query(`create database ${client.escapeIdentifier(database)}`);
  } finally {
    await client.end();
  }
  return { address: { ...server.address, database }, user: "postgres", password: server.adminPassword };
}

async function makeRoles(
  client: pg.Client,
  key: string,
  refresh: readonly DatabaseRole[],
  superuser: boolean,
): Promise<void> {
  const { rows } = await client.query<{ rolname: string }>("select rolname from pg_roles where rolname like 'cs\\_%'");
  const present = new Set(rows.map((row) => row.rolname));
  for (const role of roles.filter((name) => !present.has(name) || refresh.includes(name))) {
    const verifier = client.escapeLiteral(scramVerifier(key, role));
    await client.query(
      present.has(role)
        ? `alter role ${role} login password ${verifier}`
        : `create role ${role} login noinherit password ${verifier}`,
    );
  }
  if (!present.has("cs_log")) await client.query("create role cs_log nologin");
  // Without "inherit false" whoever migrates could write into the log just by being a member.
  await client.query("grant cs_log to cs_migrator with inherit false, set true");
  if (!superuser) await client.query("grant cs_migrator to current_user with inherit false, set true");
}

async function grantDatabase(client: pg.Client, database: string): Promise<void> {
  const name = client.escapeIdentifier(database);
  await client.query(`revoke all on database ${name} from public`);
  await client.query(`grant connect, create on database ${name} to cs_migrator`);
  // cs_log makes no object outside the schema it is given, but creating that schema in its name asks for the right.
  await client.query(`grant connect on database ${name} to ${roles.join(", ")}`);
  await client.query("revoke create on schema public from public");
}
