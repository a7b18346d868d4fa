import type { Facts } from "@countersign/core";
import { z } from "zod";
import { AttachmentRow, ControlRow, CredentialRow, PersonRow, SessionRow } from "./rows.ts";
import { nothing, type Sql } from "./sql.ts";

/** Whose credentials the executor speaks of, and when (domain milliseconds). */
export interface CredentialsOf {
  readonly tenant: string;
  readonly objectId: string;
  readonly appId: string;
  readonly application: string;
  readonly kind: CredentialRow["kind"];
  readonly at: number;
}

/** What the executor says of one credential; times in domain milliseconds. */
export interface CredentialInput {
  readonly id: string;
  readonly state: CredentialRow["state"];
  readonly run: string | null;
  readonly expiresAt: number | null;
  readonly gone: boolean;
}

/** What to list of the ledger; keyset paging by expiry, soonest first, those without expiry last. */
export interface CredentialFilter {
  readonly tenant?: string;
  readonly states?: readonly CredentialRow["state"][];
  readonly objectId?: string;
  /** The inventory's name for it, as runs have written it. */
  readonly application?: string;
  readonly run?: string;
  readonly expiresBefore?: number;
  readonly withGone?: boolean;
  readonly after?: Pick<CredentialRow, "expiresAt" | "tenant" | "objectId" | "id">;
  readonly limit: number;
}

const forever = Number.MAX_SAFE_INTEGER;

/** Ledger, people, attachments, sessions, freeze. */
export function recordStore(sql: Sql) {
  return {
    /** Says what became of credentials of one application, each named once. */
    credentialsSet: (of: CredentialsOf, credentials: readonly CredentialInput[]): Promise<void> =>
      sql.call(nothing, "cs.credentials_set", { ...of, credentials: JSON.stringify(credentials) }),

    /** A page of the ledger. */
    credentials(filter: CredentialFilter): Promise<CredentialRow[]> {
      const values: unknown[] = [];
      const where = filter.withGone === true ? ["true"] : ["gone_at is null"];
      const add = (value: unknown, condition: (place: string) => string) => {
        if (value === undefined) return;
        values.push(value);
        where.push(condition(`$${values.length}`));
      };
      add(filter.tenant, (p) => `tenant = ${p}`);
      add(filter.states, (p) => `state = any (${p})`);
      // Said in so many words, an index that holds no others is of use.
      if (filter.states?.includes("foreign") === false) where.push("state <> 'foreign'");
      add(filter.objectId, (p) => `object_id = ${p}`);
      add(filter.application, (p) => `application = ${p}`);
      add(filter.run, (p) => `run_id = ${p}`);
      add(filter.expiresBefore, (p) => `expires_at < ${p}`);
      if (filter.after !== undefined) {
        const { expiresAt, tenant, objectId, id } = filter.after;
        values.push(expiresAt ?? forever, tenant, objectId, id);
        const places = [3, 2, 1, 0].map((back) => `$${values.length - back}`).join(", ");
        where.push(`(coalesce(expires_at, ${forever}), tenant, object_id, id) > (${places})`);
      }
      values.push(Math.min(filter.limit, 1_000));
      return sql.rows(
        CredentialRow,
        `select * from cs.credential where ${where.join(" and ")}
         order by coalesce(expires_at, ${forever}), tenant, object_id, id limit $${values.length}`,
        values,
      );
    },

    /** Live credentials per state. */
    async credentialCounts(tenant?: string): Promise<Partial<Record<CredentialRow["state"], number>>> {
      const row = z.object({ state: z.string(), count: z.int() });
      const text =
        "select state, count(*) as count from cs.credential where gone_at is null and ($1::text is null or tenant = $1) group by state";
      return Object.fromEntries(
        (await sql.rows(row, text, [tenant ?? null])).map(({ state, count }) => [state, count]),
      );
    },

    personPut: (person: Omit<PersonRow, "erasedAt">): Promise<void> =>
      sql.call(nothing, "cs.person_put", { ...person }),

    /** Forgets who a person is and ends their sessions; the opaque id stays. */
    personErase: (id: string, at: number): Promise<void> => sql.call(nothing, "cs.person_erase", { id, at }),

    person: (id: string): Promise<PersonRow | null> =>
      sql.first(PersonRow, "select * from cs.person where id = $1", [id]),

    personOf: (iss: string, sub: string): Promise<PersonRow | null> =>
      sql.first(PersonRow, "select * from cs.person where iss = $1 and sub = $2", [iss, sub]),

    /** Stores bytes under their digest, which it returns. */
    attachmentPut: (bytes: Uint8Array, kind: string, at: number): Promise<string> =>
      sql.call(z.string(), "cs.attachment_put", { bytes, kind, at }),

    attachment: (digest: string): Promise<AttachmentRow | null> =>
      sql.first(AttachmentRow, "select * from cs.attachment where digest = $1", [digest]),

    attachmentErase: (digest: string, by: string, reasonDigest: string | null, at: number): Promise<void> =>
      sql.call(nothing, "cs.attachment_erase", { digest, by, reasonDigest, at }),

    /** `hash`: SHA-256 of the token; the token itself is never stored. */
    sessionPut: (hash: Uint8Array, person: string, data: Facts, at: number, expiresAt: number): Promise<void> =>
      sql.call(nothing, "cs.session_put", { hash, person, data: JSON.stringify(data), at, expiresAt }),

    session: (hash: Uint8Array, now: number): Promise<SessionRow | null> =>
      sql.first(
        SessionRow,
        "select person, data, created_at, expires_at from cs.session where hash = $1 and expires_at > $2",
        [hash, now],
      ),

    /** Ends one session, or all of a person. */
    sessionDelete: (of: { readonly hash: Uint8Array } | { readonly person: string }): Promise<number> =>
      sql.call(z.int(), "cs.session_delete", { hash: null, person: null, ...of }),

    /** Asks the scanner to scan now. */
    scanAsk: (at: number): Promise<void> => sql.call(nothing, "cs.scan_ask", { at }),

    /** Scope `all` or `tenant:<name>`: no new effects there; rollback goes on. */
    freeze: (scope: string, frozen: boolean, person: string, at: number): Promise<void> =>
      sql.call(nothing, "cs.freeze", { scope, frozen, person, at }),

    /** The scopes that are frozen now. */
    frozen: (): Promise<ControlRow[]> => sql.rows(ControlRow, "select * from cs.control where frozen order by scope"),
  };
}
