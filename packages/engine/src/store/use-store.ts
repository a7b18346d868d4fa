import type { CallerFound, EntryFound, UsesSeen } from "@countersign/core";
import { z } from "zod";
import type { Pass } from "./detail-store.ts";
import type { LedgerTarget } from "./ledger-store.ts";
import { nothing, row, type Sql } from "./sql.ts";

const CallersDue = row({ appId: z.string(), readAt: z.int().nullable() });
const Application = row({
  objectId: z.string(),
  appId: z.string(),
  name: z.string(),
  credentials: z.array(z.object({ id: z.string() })),
});
const VaultReading = row({ connection: z.string(), readAt: z.int(), available: z.boolean() });
const Entry = row({
  tenant: z.string(),
  objectId: z.string(),
  connection: z.string(),
  name: z.string(),
  because: z.string(),
});
const Caller = row({ tenant: z.string(), objectId: z.string(), address: z.string(), lastAt: z.int() });

const Seen = row({
  entries: z.array(z.object({ connection: z.string(), name: z.string(), because: z.string() })),
  callers: z.array(z.object({ address: z.string(), lastAt: z.int() })),
  signInsRead: z.boolean(),
  vaultsRead: z.boolean(),
});
/** Addresses of one application; those that signed in last come first. */
const callersMax = 1_000;

/** Who uses an application, as far as it was seen. */
export type UsesFound = Pick<UsesSeen, "entries" | "callers">;

/** Who uses an application, as sign-in logs and vaults show it: declared or not. */
export function useStore(sql: Sql) {
  return {
    /** Of these applications those whose sign-ins were not read since then, the longest waiting first. */
    callersDue: (
      tenant: string,
      appIds: readonly string[],
      since: number,
      limit: number,
    ): Promise<z.output<typeof CallersDue>[]> =>
      sql.rows(
        CallersDue,
        `select a.app_id, r.read_at from unnest($2::text[]) as a(app_id)
           left join cs.callers_read r on r.tenant = $1 and r.app_id = a.app_id
         where r.read_at is null or r.read_at < $3 order by r.read_at nulls first, a.app_id limit $4`,
        [tenant, appIds, since, limit],
      ),

    /** Who signed in with an application until `at`; what was last seen before `since` is forgotten. */
    callersPut: (pass: Pass, appId: string, found: readonly CallerFound[], since: number, at: number): Promise<void> =>
      sql.call(nothing, "cs.callers_put", { ...pass, appId, rows: JSON.stringify(found), since, at }),

    /** Applications of a tenant after one, by id, with the ids of what they hold. */
    applicationsAfter: (tenant: string, after: string, limit: number): Promise<z.output<typeof Application>[]> =>
      sql.rows(
        Application,
        `select d.object_id, d.app_id, d.name, coalesce((select json_agg(json_build_object('id', c.id) order by c.id) from cs.credential c
             where c.tenant = d.tenant and c.object_id = d.object_id and c.gone_at is null and c.kind <> 'role'), '[]') as credentials
         from cs.directory_object d
         where d.tenant = $1 and d.object_id > $2 and d.kind = 'application' and d.gone_at is null order by d.object_id limit $3`,
        [tenant, after, limit],
      ),

    /** Which entries of these vaults point at these applications, and that no others of them do. */
    entriesPut: (
      tenant: string,
      objects: readonly string[],
      connections: readonly string[],
      found: readonly (EntryFound & { readonly objectId: string })[],
    ): Promise<void> =>
      sql.call(nothing, "cs.entries_put", { tenant, objects, connections, rows: JSON.stringify(found) }),

    /** All vaults of the configuration were looked into; `available` null: it did not answer. */
    vaultsRead: (
      vaults: readonly { readonly connection: string; readonly available: boolean | null }[],
      at: number,
    ): Promise<void> => sql.call(nothing, "cs.vaults_read", { rows: JSON.stringify(vaults), at }),

    vaultReadings: (): Promise<z.output<typeof VaultReading>[]> =>
      sql.rows(VaultReading, "select connection, read_at, available from cs.vault_reading order by connection"),

    /** Where one application was seen in use; null: nobody has looked. */
    usesSeen: async ({ tenant, objectId }: LedgerTarget): Promise<UsesSeen | null> => {
      const [seen] = await sql.rows(
        Seen,
        `select coalesce((select json_agg(json_build_object('connection', connection, 'name', name, 'because', because) order by connection, name)
             from cs.entry_found where tenant = $1 and object_id = $2), '[]') as entries,
           coalesce((select json_agg(c) from (select c.address, c.last_at as "lastAt" from cs.directory_object d
               join cs.caller_found c using (tenant, app_id) where d.tenant = $1 and d.object_id = $2
               order by c.last_at desc, c.address limit $3) as c), '[]') as callers,
           exists (select from cs.directory_object d join cs.callers_read using (tenant, app_id)
             where d.tenant = $1 and d.object_id = $2) as sign_ins_read,
           exists (select from cs.vault_reading where available) as vaults_read`,
        [tenant, objectId, callersMax],
      );
      return seen === undefined || !(seen.signInsRead || seen.vaultsRead) ? null : seen;
    },

    /** Who uses these objects, by tenant and id; callers the last first. */
    usesFound: async (targets: readonly LedgerTarget[]): Promise<ReadonlyMap<string, UsesFound>> => {
      const of = [targets.map(({ tenant }) => tenant), targets.map(({ objectId }) => objectId)];
      const wanted = "unnest($1::text[], $2::text[]) as t(tenant, object_id)";
      const [entries, callers] = await Promise.all([
        sql.rows(
          Entry,
          `select e.* from ${wanted} join cs.entry_found e using (tenant, object_id) order by connection, name`,
          of,
        ),
        sql.rows(
          Caller,
          `select t.tenant, t.object_id, c.address, c.last_at from ${wanted} join cs.directory_object d using (tenant, object_id)
             join cs.caller_found c on c.tenant = d.tenant and c.app_id = d.app_id order by c.last_at desc, c.address`,
          of,
        ),
      ]);
      const found = new Map<string, { entries: EntryFound[]; callers: CallerFound[] }>();
      for (const { tenant, objectId } of targets) found.set(`${tenant} ${objectId}`, { entries: [], callers: [] });
      for (const { tenant, objectId, ...entry } of entries) found.get(`${tenant} ${objectId}`)?.entries.push(entry);
      for (const { tenant, objectId, ...caller } of callers) found.get(`${tenant} ${objectId}`)?.callers.push(caller);
      return found;
    },
  };
}
