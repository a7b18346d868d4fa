import { getCACertificates } from "node:tls";
import { CountersignError, type SecretValue } from "@countersign/core";
import pg from "pg";
import { matchesAny } from "../kit/glob.ts";
import type { Leave } from "../kit/leave.ts";
import { type Observe, observed, reachOf } from "../kit/reach.ts";
import { type PostgresConnection, roleName } from "./schema.ts";

/** One database server ready to be called. */
export interface Server {
  readonly connection: PostgresConnection;
  readonly password: () => Promise<SecretValue>;
  readonly callDeadlineMs: number;
  /** Certificate authorities (PEM) trusted for it besides the system's; empty for the system's alone. */
  readonly ca: readonly string[];
  readonly observe?: Observe | undefined;
}

/** Finds a server by its connection name. Throws CONFIG_INVALID. */
export type Servers = (connection: string) => Server;

/** Who logs in. */
export interface Login {
  readonly user: string;
  readonly password: SecretValue;
}

/** Refuses a role outside the connection's scope (I12) or of a form we do not quote. */
export function assertRole(server: Server, role: string): void {
  if (!roleName.safeParse(role).success || !matchesAny(role, server.connection.roles)) {
    throw new CountersignError(
      "SCOPE_REFUSED",
      `expected a role in the scope of connection ${server.connection.name}, got another one`,
    );
  }
}

/** The rotator's own login. */
export async function rotator(server: Server): Promise<Login> {
  return { user: server.connection.user, password: await server.password() };
}

/** A session, closed when `use` is through. One per piece of work: none is held across a wait. */
export function withSession<T>(
  leave: Leave,
  server: Server,
  login: Login,
  use: (client: pg.Client, passwordAsked: boolean) => Promise<T>,
): Promise<T> {
  // That a role which is rotated is refused says nothing about the server.
  const observe = login.user === server.connection.user ? server.observe : undefined;
  return observed(observe, reachOf(server.connection) ?? "", () => session(leave, server, login, use));
}

async function session<T>(
  leave: Leave,
  server: Server,
  login: Login,
  use: (client: pg.Client, passwordAsked: boolean) => Promise<T>,
): Promise<T> {
  leave.signal.throwIfAborted();
  leave.assertAlive?.();
  const { connection, callDeadlineMs } = server;
  let passwordAsked = false;
  const client = new pg.Client({
    host: connection.host,
    port: connection.port,
    database: connection.database,
    user: login.user,
    // The driver asks for it only when the server does: that is how we learn whether the server wants one at all.
    password: () => {
      passwordAsked = true;
      return login.password.reveal();
    },
    ssl:
      connection.tls.mode === "disable"
        ? false
        : {
            rejectUnauthorized: true,
            ...(server.ca.length === 0 ? {} : { ca: [...getCACertificates("default"), ...server.ca] }),
          },
    connectionTimeoutMillis: callDeadlineMs,
    query_timeout: callDeadlineMs,
    // The server ends what a stalled executor left open: its locks must not outlive its lease for long.
    statement_timeout: callDeadlineMs,
    lock_timeout: callDeadlineMs,
    idle_in_transaction_session_timeout: callDeadlineMs,
    application_name: "countersign",
  });
  // A connection that breaks while idle emits `error`; the query under way, if any, is rejected as well.
  client.on("error", () => undefined);
  const abort = () => void client.end().catch(() => undefined);
  leave.signal.addEventListener("abort", abort, { once: true });
  try {
    await client.connect();
    return await use(client, passwordAsked);
  } catch (error) {
    throw leave.signal.aborted && !(error instanceof CountersignError) ? leave.signal.reason : serverError(error);
  } finally {
    leave.signal.removeEventListener("abort", abort);
    await client.end().catch(() => undefined);
  }
}

/** Turns an error of the driver into one of ours; keeps the SQLSTATE or errno and nothing of the text. */
export function serverError(error: unknown): CountersignError {
  if (error instanceof CountersignError) return error;
  const raw = (error as { code?: unknown } | null)?.code;
  const code = typeof raw === "string" && /^[A-Z0-9_]{2,40}$/.test(raw) ? raw : null;
  const facts = { call: "postgres", code, status: null, refused: true, retryAfterMs: null };
  if (code === "28P01" || code === "28000")
    return new CountersignError("OUTSIDE_AUTH", "expected the server to accept the login, got a refusal", facts);
  if (code === "42501")
    return new CountersignError("OUTSIDE_FORBIDDEN", "expected the rotator to be allowed this, got a refusal", facts);
  if (code === "42704" || code === "3D000")
    return new CountersignError("OUTSIDE_NOT_FOUND", "expected the role or database to exist, got none", facts);
  if (code === "40001" || code === "55P03" || code === "40P01" || code === "XX000") {
    return new CountersignError("OUTSIDE_CONFLICT", "expected no concurrent change, got one", facts);
  }
  if (code !== null && /^(22|23|42)/.test(code))
    return new CountersignError("OUTSIDE_INVALID", "expected the server to accept the statement, got a refusal", facts);
  return new CountersignError("OUTSIDE_UNAVAILABLE", "expected the server to answer, got none", facts);
}
