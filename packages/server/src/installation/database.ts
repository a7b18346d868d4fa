import {
  type Connections,
  databaseKey,
  embeddedAdmin,
  migrate,
  parseDatabaseUrl,
  prepareUsers,
  startEmbedded,
} from "@countersign/engine";
import type { Installation } from "./load.ts";

/** The database with a login for each role, migrated. */
export interface Database {
  readonly connections: Connections;
  /** Ends the embedded server; an external one goes on. */
  stop(): Promise<void>;
  /** Leaves things as they were found: a server that somebody else runs goes on. For short commands. */
  release(): Promise<void>;
}

/**
 * Opens the embedded PostgreSQL, or the one that `database.url` (a secret reference) or `DATABASE_URL` names; makes the
 * logins and brings the schema up to date. Errors: DATABASE_UNAVAILABLE, CONFIG_INVALID.
 */
export async function openDatabase(installation: Installation): Promise<Database> {
  const { config, state } = installation;
  const key = await databaseKey(state);
  const url = "url" in config.database ? installation.secret(config.database.url).reveal() : process.env.DATABASE_URL;
  if (url !== undefined && url !== "") {
    const connections = await prepareUsers(parseDatabaseUrl(url, installation.ca.join("\n")), key);
    await migrate(connections.cs_migrator);
    return { connections, async stop() {}, async release() {} };
  }
  const server = await startEmbedded({ stateFolder: state });
  const connections = await prepareUsers(await embeddedAdmin(server), key);
  await migrate(connections.cs_migrator);
  const release = async () => (server.started ? server.stop() : server.detach());
  return { connections, stop: () => server.stop(), release };
}
