import { CountersignError, type Facts } from "@countersign/core";
import type pg from "pg";
import { z } from "zod";
import type { Leave } from "../kit/leave.ts";
import { roleName } from "./schema.ts";
import { verifierForm } from "./scram.ts";
import type { Server } from "./server.ts";

const Identity = z.object({ system_identifier: z.string().regex(/^[0-9]{1,20}$/), database: z.string() });

/** Immutable identity of the server: made at initdb, carried through restarts and restores (I11). */
export async function readIdentity(client: pg.Client): Promise<Facts> {
  const answer = await client.query(
    "select system_identifier::text, current_database()::text as database from pg_control_system()",
  );
  const parsed = Identity.safeParse(answer.rows[0]);
  if (!parsed.success)
    throw new CountersignError("OUTSIDE_MALFORMED", "expected a system identifier, got another answer");
  return { database: parsed.data.database, systemIdentifier: parsed.data.system_identifier };
}

const RoleRow = z.object({
  rolname: z.string(),
  rolcanlogin: z.boolean(),
  validuntil: z.number().nullable(),
  comment: z.string().nullable(),
});

/** What the catalogue says of a role. */
export interface Role {
  readonly name: string;
  readonly canLogin: boolean;
  /** Milliseconds since the epoch; null for no end. */
  readonly validUntil: number | null;
  /** First line of the comment: our marker, when there is one. */
  readonly marker: string | null;
  /** What others wrote in the comment. */
  readonly note: string;
}

/** Reads roles by name; a role that does not exist is left out. */
export async function readRoles(client: pg.Client, names: readonly string[]): Promise<Role[]> {
  const answer = await client.query(
    `select rolname, rolcanlogin,
            case when isfinite(rolvaliduntil) then (extract(epoch from rolvaliduntil) * 1000)::float8 end as validuntil,
            shobj_description(oid, 'pg_authid') as comment
       from pg_roles where rolname = any($1) order by rolname`,
    [names],
  );
  return answer.rows.map((row) => {
    const { rolname, rolcanlogin, validuntil, comment } = RoleRow.parse(row);
    const [first = "", ...rest] = (comment ?? "").split("\n");
    const marked = first.startsWith("cs:");
    return {
      name: rolname,
      canLogin: rolcanlogin,
      validUntil: validuntil,
      marker: marked ? first : null,
      note: marked ? rest.join("\n") : (comment ?? ""),
    };
  });
}

/** Reads one role. Throws OUTSIDE_NOT_FOUND. */
export async function readRole(client: pg.Client, name: string): Promise<Role> {
  const [role] = await readRoles(client, [name]);
  if (role === undefined)
    throw new CountersignError("OUTSIDE_NOT_FOUND", `expected role ${name} to exist, got none`, { call: "postgres" });
  return role;
}

/** What is to become of a role; DDL takes no bound values, so every part is checked against a strict form first. */
export interface RoleChange {
  readonly role: string;
  readonly login: boolean;
  /** SCRAM verifier; absent leaves the password. */
  readonly verifier?: string;
  /** Our marker; a comment that others wrote stays below it. */
  readonly marker: string;
  readonly note: string;
}

/** Changes role and marker in one transaction, so that neither exists without the other (I3). The effect leaves with COMMIT. */
export async function changeRole(
  leave: Leave,
  client: pg.Client,
  expected: Facts | undefined,
  change: (client: pg.Client) => Promise<RoleChange>,
): Promise<void> {
  await client.query("begin");
  const found = await readIdentity(client);
  if (
    expected !== undefined &&
    (found.systemIdentifier !== expected.systemIdentifier || found.database !== expected.database)
  ) {
    await client.query("rollback");
    throw new CountersignError("IDENTITY_MISMATCH", "expected the database of the plan, got another server", {
      expected: String(expected.systemIdentifier),
      found: String(found.systemIdentifier),
    });
  }
  const next = await change(client);
  const name = quoted(next.role);
  if (next.verifier !== undefined && !verifierForm.test(next.verifier))
    throw new TypeError("expected a SCRAM-SHA-256 verifier");
  const password = next.verifier === undefined ? "" : ` password '${next.verifier}' valid until 'infinity'`;
  await client.query(`alter role ${name} ${next.login ? "login" : "nologin"}${password}`);
  await client.query(
    `comment on role ${name} is ${literal(next.note === "" ? next.marker : `${next.marker}\n${next.note}`)}`,
  );
  await leave.effectSent?.();
  leave.signal.throwIfAborted();
  leave.assertAlive?.();
  // From here on it may stand, whatever fails after it: the sessions of the role are ended in statements of their own.
  leave.effectMayStand?.();
  try {
    await client.query("commit");
  } catch {
    // Everything before COMMIT is undone by the server when a session breaks; COMMIT itself may have arrived.
    throw new CountersignError(
      "OUTSIDE_UNKNOWN",
      "expected to know whether the transaction was committed, got no certain answer",
      { call: "role.alter" },
    );
  }
}

/** Ends every session of a role; returns how many there were. */
export async function endSessions(client: pg.Client, role: string): Promise<number> {
  const answer = await client.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where usename = $1 and pid <> pg_backend_pid()",
    [role],
  );
  return answer.rowCount ?? 0;
}

/** Client addresses of a role's sessions now; null for a local socket or where the rotator may not see them. */
export async function sessionsOf(client: pg.Client, role: string): Promise<(string | null)[]> {
  const answer = await client.query(
    "select host(client_addr) as address from pg_stat_activity where usename = $1 and pid <> pg_backend_pid()",
    [role],
  );
  return answer.rows.map((row: { address: unknown }) => (typeof row.address === "string" ? row.address : null));
}

/** A role name as an identifier in a statement. */
function quoted(name: string): string {
  if (!roleName.safeParse(name).success)
    throw new CountersignError("SCOPE_REFUSED", "expected a role name of letters, digits and _, got another");
  return `"${name}"`;
}

/** A text as a literal, independent of `standard_conforming_strings`. */
function literal(text: string): string {
  return `E'${text.replaceAll("\\", "\\\\").replaceAll("'", "''").replaceAll("\0", "")}'`;
}

/** Reads back which server answers. */
export async function identifyServer(client: pg.Client, server: Server): Promise<Facts> {
  const identity = await readIdentity(client);
  if (identity.database !== server.connection.database)
    throw new CountersignError("IDENTITY_MISMATCH", "expected the configured database, got another one");
  return identity;
}
