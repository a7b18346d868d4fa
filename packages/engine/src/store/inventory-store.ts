import { z } from "zod";
import { row, type Sql } from "./sql.ts";

/** What somebody has to do about a row of the inventory, by what the ledger shows; the most urgent first. */
const matters = ["gone", "other-application", "not-owned", "not-declared", "owners-not-read", "not-looked"] as const;
export type InventoryMatter = (typeof matters)[number];
const matter = z.enum(matters);

/** A row of the inventory as it is compared with the ledger. */
export interface ComparedRow {
  readonly name: string;
  readonly tenant: string;
  readonly environment: string;
  readonly objectId: string;
  readonly appId: string;
  /** Entries and addresses that it declares, as `declaredBy` says them. */
  readonly declared: readonly string[];
}

/** Client ids of the writers, by tenant. */
export type Writers = ReadonlyMap<string, string>;

const Compared = row({
  /** Place of the row among those given, from 1 on. */
  n: z.int(),
  matters: z.array(matter),
  /** Of the directory: what it calls it, which application it is, and since when it has it no more. */
  name: z.string().nullable(),
  appId: z.string().nullable(),
  goneAt: z.int().nullable(),
  /** When who owns it was last read to be what it is. */
  ownersReadAt: z.int().nullable(),
});
export type Compared = z.output<typeof Compared>;

const MatterCount = row({
  tenant: z.string(),
  environment: z.string(),
  matters: z.array(matter),
  count: z.int(),
});
export type MatterCount = z.output<typeof MatterCount>;

const Standing = row({
  tenant: z.string(),
  /** The writer's service principal, which is what owns; null: the directory has none, or none was listed. */
  writer: z.string().nullable(),
  listedAt: z.int().nullable(),
  ownersReadAt: z.int().nullable(),
  /** Since when all sign-ins were read, as the pass that began then says. */
  callersReadAt: z.int().nullable(),
  callersAvailable: z.boolean().nullable(),
});
export type Standing = z.output<typeof Standing>;

/** Service principals of the writers: `$6` tenants, `$7` client ids. */
const writers = `select w.tenant, (select d.object_id from cs.directory_object d where d.tenant = w.tenant and d.app_id = w.client_id
     and d.kind = 'service-principal' and d.gone_at is null limit 1) as object_id
   from unnest($6::text[], $7::text[]) as w(tenant, client_id)`;

/**
 * Rows `$1` to `$5`, each with its matters, in one pass that looks each of them up by its key. What a row declares comes with it, a
 * line for each: beside the rows it would be looked through for each of them.
 */
const compared = `
  listed as materialized (
    select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) with ordinality
      as l(tenant, object_id, app_id, environment, declared, n)),
  writer as materialized (${writers}),
  beside as materialized (
    select l.n from listed l join cs.caller_found c on c.tenant = l.tenant and c.app_id = l.app_id
      where c.address <> all (string_to_array(l.declared, E'\\n'))
    union
    select l.n from listed l join cs.entry_found e on e.tenant = l.tenant and e.object_id = l.object_id
      where e.connection || '/' || lower(e.name) <> all (string_to_array(l.declared, E'\\n'))),
  facts as (
    select l.n, l.tenant, l.environment, d.name, d.app_id, d.gone_at, o.read_at as owners_read_at,
      k.at is not null as looked, d.object_id is not null and d.gone_at is null as there, d.app_id = l.app_id as same,
      o.owners is not null as owners_read,
      coalesce(o.owners @> jsonb_build_array(jsonb_build_object('id', w.object_id)), false) as owned,
      l.n in (select n from beside) as used
    from listed l left join cs.directory_object d using (tenant, object_id) left join cs.object_owners o using (tenant, object_id)
      left join cs.fleet_look k using (tenant) left join writer w using (tenant)),
  compared as (
    select n, tenant, environment, name, app_id, gone_at, owners_read_at, array_remove(array[
      case when looked and not there then 'gone' end,
      case when there and not same then 'other-application' end,
      case when there and same and owners_read and not owned then 'not-owned' end,
      case when there and same and used then 'not-declared' end,
      case when there and same and not owners_read then 'owners-not-read' end,
      case when not looked then 'not-looked' end], null) as matters
    from facts)`;

/** The inventory beside the ledger: what is listed and is not so, or cannot be rotated, or is used by somebody whom nobody declared. */
export function inventoryStore(sql: Sql) {
  return {
    /** The first of these rows that have this matter, `any` or `none`; undefined: of all. */
    inventoryCompared: (
      rows: readonly ComparedRow[],
      writersOf: Writers,
      page: { readonly matter: InventoryMatter | "any" | "none" | undefined; readonly limit: number },
    ): Promise<Compared[]> => {
      const values = [...valuesOf(rows, writersOf), page.limit];
      const isWhole = page.matter === undefined || page.matter === "any" || page.matter === "none";
      const fits = isWhole
        ? { any: "where matters <> '{}'", none: "where matters = '{}'", all: "" }[page.matter ?? "all"]
        : `where $${values.push(page.matter)} = any (matters)`;
      return sql.rows(
        Compared,
        `with ${compared} select n, matters, name, app_id, gone_at, owners_read_at from compared ${fits} order by n limit $8`,
        values,
      );
    },

    /** How many of these rows have the same matters, by tenant and environment. */
    inventoryCounts: (rows: readonly ComparedRow[], writersOf: Writers): Promise<MatterCount[]> =>
      sql.rows(
        MatterCount,
        `with ${compared} select tenant, environment, matters, count(*)::integer as count from compared group by 1, 2, 3`,
        valuesOf(rows, writersOf),
      ),

    /** What of each tenant a comparison rests on. */
    inventoryStandings: (writersOf: Writers): Promise<Standing[]> =>
      sql.rows(
        Standing,
        `with writer as (${writers.replaceAll("$6", "$1").replaceAll("$7", "$2")})
         select w.tenant, w.object_id as writer,
           (select finished_at from cs.scan s where s.tenant = w.tenant and s.kind = 'full' and s.state = 'done'
             order by due_at desc limit 1) as listed_at,
           (select read_at from cs.detail_reading r where r.tenant = w.tenant and r.part = 'owners') as owners_read_at,
           c.read_at as callers_read_at, c.available as callers_available
         from writer w left join cs.detail_reading c on c.tenant = w.tenant and c.part = 'callers' order by w.tenant`,
        [[...writersOf.keys()], [...writersOf.values()]],
      ),
  };
}

function valuesOf(rows: readonly ComparedRow[], writersOf: Writers): unknown[] {
  return [
    rows.map(({ tenant }) => tenant),
    rows.map(({ objectId }) => objectId),
    rows.map(({ appId }) => appId),
    rows.map(({ environment }) => environment),
    rows.map(({ declared }) => declared.join("\n")),
    [...writersOf.keys()],
    [...writersOf.values()],
  ];
}
