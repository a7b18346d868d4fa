import { CountersignError } from "@countersign/core";
import pg from "pg";

/** The logins of the product; each process uses its own and no other. */
export const roles = ["cs_migrator", "cs_api", "cs_scanner", "cs_executor", "cs_notifier"] as const;
export type DatabaseRole = (typeof roles)[number];

/** Where a database is. `host` is a name, an address, or the folder of a unix socket. */
export interface DatabaseAddress {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  /** null: no TLS (unix socket, loopback). Else the server's certificate is checked, against `ca` when given. */
  readonly tls: { readonly ca?: string; readonly serverName?: string } | null;
}

/** One login at one database. The password stays inside pg's client. */
export interface Connection {
  readonly address: DatabaseAddress;
  readonly user: string;
  readonly password: string;
}

const parseBigint = (text: string): number => {
  const value = Number(text);
  if (!Number.isSafeInteger(value))
    throw new RangeError(`expected a safe integer from the database, got ${text.length} digits`);
  return value;
};

const defaultTypes = pg.types;
/** 64-bit integers arrive as numbers, checked: our counters and millisecond times are far below 2^53. */
const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: "text" | "binary") =>
    oid === defaultTypes.builtins.INT8 && format !== "binary"
      ? parseBigint
      : defaultTypes.getTypeParser(oid, format as "text")) as typeof defaultTypes.getTypeParser,
};

/** pg's options for a connection, also for the queue's own pool. */
export function clientConfig(
  connection: Connection,
  applicationName: string,
  statementTimeoutMs: number,
): pg.ClientConfig {
  const { address } = connection;
  return {
    host: address.host,
    port: address.port,
    database: address.database,
    user: connection.user,
    password: connection.password,
    ssl:
      address.tls === null
        ? false
        : {
            rejectUnauthorized: true,
            ...(address.tls.ca === undefined ? {} : { ca: address.tls.ca }),
            ...(address.tls.serverName === undefined ? {} : { servername: address.tls.serverName }),
          },
    application_name: applicationName,
    statement_timeout: statementTimeoutMs,
    idle_in_transaction_session_timeout: statementTimeoutMs,
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    types,
  };
}

/** A client without an error listener would end the process when its server goes away; the next query tells anyway. */
export function silenceClient<T extends pg.Client | pg.PoolClient>(client: T): T {
  client.on("error", () => undefined);
  return client;
}

/** A small pool for one login. `max` connections, each statement ended after `statementTimeoutMs`. */
export function openPool(
  connection: Connection,
  options: { readonly applicationName: string; readonly max?: number; readonly statementTimeoutMs?: number },
): pg.Pool {
  const pool = new pg.Pool({
    ...clientConfig(connection, options.applicationName, options.statementTimeoutMs ?? 10_000),
    max: options.max ?? 8,
    idleTimeoutMillis: 30_000,
    allowExitOnIdle: true,
  });
  pool.on("connect", silenceClient);
  pool.on("error", () => undefined);
  return pool;
}

/** One client outside any pool, connected: for LISTEN, locks and beats. */
export async function openClient(
  connection: Connection,
  applicationName: string,
  statementTimeoutMs = 0,
): Promise<pg.Client> {
  const client = silenceClient(new pg.Client(clientConfig(connection, applicationName, statementTimeoutMs)));
  await client.connect();
  return client;
}

/** The URL that {@link parseDatabaseUrl} reads as this connection; its certificate authority stands elsewhere. */
export function formatDatabaseUrl({ address, user, password }: Connection): string {
  const socket = address.host.startsWith("/");
  const url = new URL(`postgres://${socket ? "localhost" : address.host}:${address.port}/`);
  url.username = encodeURIComponent(user);
  url.password = encodeURIComponent(password);
  url.pathname = `/${encodeURIComponent(address.database)}`;
  if (socket) url.searchParams.set("host", address.host);
  url.searchParams.set("sslmode", address.tls === null ? "disable" : "verify-full");
  return url.href;
}

/**
 * Parses a `postgres://user:password@host:port/database?host=/socket&sslmode=…` URL.
 * `sslmode`: `disable`, or `verify-full` (the default except for sockets and loopback). Errors: CONFIG_INVALID.
 */
export function parseDatabaseUrl(text: string, ca?: string): Connection {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new CountersignError("CONFIG_INVALID", "expected a database URL, got text that is none");
  }
  const host = url.searchParams.get("host") ?? decodeURIComponent(url.hostname);
  const database = decodeURIComponent(url.pathname.slice(1));
  const known = new Set(["host", "sslmode"]);
  const extra = [...url.searchParams.keys()].find((key) => !known.has(key));
  if (!["postgres:", "postgresql:"].includes(url.protocol) || host === "" || database === "" || url.username === "") {
    throw new CountersignError(
      "CONFIG_INVALID",
      "expected postgres://user@host/database, got a URL that lacks one of them",
    );
  }
  if (extra !== undefined)
    throw new CountersignError("CONFIG_INVALID", `expected host or sslmode in the URL, got ${extra}`);
  const isLocal = host.startsWith("/") || ["localhost", "127.0.0.1", "[::1]"].includes(host);
  const mode = url.searchParams.get("sslmode") ?? (isLocal ? "disable" : "verify-full");
  if (mode !== "verify-full" && !(mode === "disable" && isLocal)) {
    throw new CountersignError(
      "CONFIG_INVALID",
      `expected sslmode verify-full, got ${mode} for a host that is not local`,
    );
  }
  return {
    address: {
      host,
      port: url.port === "" ? 5432 : Number(url.port),
      database,
      tls: mode === "disable" ? null : ca === undefined ? {} : { ca },
    },
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
  };
}
