import { acceptanceStates, auditReasonCodes, type FleetCode, fleetCodesByUrgency } from "@countersign/core";
import { z } from "zod";
import { credentialStates } from "./rows.ts";
import { containing, nothing, row, type Sql } from "./sql.ts";

/** What a finding says. */
export const findingCode = z.enum(fleetCodesByUrgency as [FleetCode, ...FleetCode[]]);
/** What an object of a directory is. */
export const objectKind = z.enum(["application", "service-principal"]);
const acceptance = z.enum(acceptanceStates);

/** A directory object with everything that is known of it. */
const FleetRow = row({
  objectId: z.string(),
  kind: objectKind,
  appId: z.string(),
  name: z.string(),
  gone: z.boolean(),
  owners: z.array(z.object({ enabled: z.boolean().nullable() })).nullable(),
  tenantLifetimeSecondsMax: z.int().nullable(),
  /** When the report of last uses was read; null: it was not. */
  usesReadAt: z.int().nullable(),
  credentials: z.array(
    z.object({
      id: z.string(),
      kind: z.enum(["client-secret", "certificate"]),
      state: z.enum(credentialStates),
      startsAt: z.int().nullable(),
      expiresAt: z.int().nullable(),
      lastUsedAt: z.int().nullable(),
    }),
  ),
  changes: z.array(
    z.object({
      credential: z.string(),
      act: z.enum(["added", "removed", "unreadable"]),
      at: z.int(),
      because: z.enum(auditReasonCodes),
    }),
  ),
  /** Of all of the above but the time of the report. */
  digest: z.string(),
  /** Digest of what was last said of it and why; empty: nothing was yet. */
  was: z.string(),
}).transform(({ usesReadAt, credentials, ...object }) => ({
  ...object,
  credentials: credentials.map(({ lastUsedAt, ...credential }) => ({
    ...credential,
    use: usesReadAt === null ? null : { readAt: usesReadAt, lastUsedAt },
  })),
}));
export type FleetRow = z.output<typeof FleetRow>;

/** A finding of the fleet as it is kept. */
const FleetFindingRow = row({
  id: z.int(),
  tenant: z.string(),
  /** Empty: of the tenant as a whole. */
  objectId: z.string(),
  /** Empty: of the object as a whole. */
  credential: z.string(),
  code: findingCode,
  kind: objectKind.nullable(),
  appId: z.string(),
  name: z.string(),
  folded: z.string(),
  /** Row of the inventory; null: not listed. */
  rowName: z.string().nullable(),
  environment: z.string().nullable(),
  observed: z.string(),
  required: z.string(),
  rank: z.int(),
  firstSeen: z.int(),
  lastSeen: z.int(),
  clearedAt: z.int().nullable(),
  /** What its newest acceptance means for it, and that acceptance; null: there never was one. */
  acceptance,
  acceptanceId: z.int().nullable(),
  askedBy: z.string().nullable(),
  askedAt: z.int().nullable(),
  reasonDigest: z.string().nullable(),
  untilAt: z.int().nullable(),
  confirmedBy: z.string().nullable(),
  confirmedAt: z.int().nullable(),
});
export type FleetFindingRow = z.output<typeof FleetFindingRow>;

/** What is to be said of an object now. */
export interface FindingSaid {
  readonly objectId: string;
  readonly credential: string | null;
  readonly code: FleetCode;
  readonly kind: FleetRow["kind"] | null;
  readonly appId: string;
  readonly name: string;
  readonly row: string | null;
  readonly environment: string | null;
  readonly observed: string;
  readonly required: string;
}

/** What findings of an object rest on. */
export interface Judged {
  readonly objectId: string;
  /** What stood there when it was looked at, as in {@link FleetRow}. */
  readonly was: string;
  readonly digest: string;
  /** Digest of what is asked of it. */
  readonly terms: string;
  /** When time alone changes them; null: it does not. */
  readonly turnsAt: number | null;
}

/** What of the findings to show. */
export interface FleetFilter {
  /** Part of an application's name, or a whole id; case does not count in names. */
  readonly search?: string | undefined;
  /** In place of a search, what it has found. */
  readonly found?: readonly number[] | null | undefined;
  readonly code?: FleetCode | undefined;
  readonly tenant?: string | undefined;
  readonly environment?: string | undefined;
  /** Whether the inventory lists what it is said of. */
  readonly listed?: boolean | undefined;
  readonly objectId?: string | undefined;
  /** What was said once and is not any more, instead of what is. */
  readonly cleared?: boolean | undefined;
  /** Only what an acceptance quiets, or not; or what waits for a second person, or was accepted until a date that has passed. */
  readonly acceptance?: "counting" | "accepted" | "asked" | "expired" | undefined;
}

const FleetCount = row({
  tenant: z.string(),
  code: findingCode,
  environment: z.string(),
  listed: z.boolean(),
  acceptance,
  count: z.coerce.number().int(),
});
export type FleetCount = z.output<typeof FleetCount>;

const Put = z.object({
  opened: z.int(),
  cleared: z.int(),
  /** Objects that somebody else has judged since they were looked at: nothing was written of them. */
  stale: z.array(z.string()),
});

/** Findings that are looked up one by one; of more than these all are read in order. */
const foundMax = 2_000;

/**
 * Objects as they are judged. Everything else is looked up for each by its id: a page of a large fleet must not depend on what
 * the database believes of the size of a table that was filled a moment ago. Without `offset 0` it would be looked up again for
 * the digest.
 */
const objects = (where: string) => `
  select d.*, encode(sha256(convert_to(json_build_array(d.kind, d.app_id, d.name, d.gone, d.owners, d.tenant_lifetime_seconds_max,
      d.uses_read_at is not null, d.credentials, d.changes)::text, 'UTF8')), 'hex') as digest
  from (select d.object_id, d.kind, d.app_id, d.name, d.gone_at is not null as gone,
    (select o.owners from cs.object_owners o where o.tenant = d.tenant and o.object_id = d.object_id) as owners,
    (select p.secret_seconds_max from cs.object_policy p
      where p.tenant = d.tenant and p.kind = d.kind and p.object_id in (d.object_id, '')
        and coalesce(d.created_at, 1546300800000) >= p.created_from
      order by p.object_id desc limit 1) as tenant_lifetime_seconds_max,
    (select r.read_at from cs.detail_reading r where r.tenant = $1 and r.part = 'uses' and r.available) as uses_read_at,
    coalesce((select json_agg(json_build_object('id', c.id, 'kind', c.kind, 'state', c.state, 'startsAt', c.starts_at,
        'expiresAt', c.expires_at, 'lastUsedAt',
        (select u.last_used_at from cs.credential_use u where u.tenant = c.tenant and u.id = c.id)) order by c.id)
      from cs.credential c
      where c.tenant = d.tenant and c.object_id = d.object_id and c.gone_at is null and c.kind <> 'role'), '[]') as credentials,
    coalesce((select json_agg(json_build_object('credential', a.credential, 'act', a.act, 'at', a.at, 'because', a.because)
        order by a.at, a.entry)
      from cs.audit_change a where a.tenant = d.tenant and a.object_id = d.object_id and a.verdict = 'out-of-band'
        and a.explained_at is null and cs.audit_stands(a)), '[]') as changes,
    coalesce(j.was, '') as was, j.turns_at
  from cs.directory_object d left join lateral (select j.digest || j.terms as was, j.turns_at from cs.fleet_judged j
    where j.tenant = d.tenant and j.object_id = d.object_id offset 0) j on true
  where d.tenant = $1 and ${where} offset 0) d`;

/** The newest acceptance of a finding `f`, as `a`. */
export const accepted = `left join lateral (select a.* from cs.acceptance a
    where (a.tenant, a.object_id, a.credential, a.code) = (f.tenant, f.object_id, f.credential, f.code)
    order by a.id desc limit 1) a on true`;
/** What it means for the finding at the time that stands at a place. */
export const acceptanceAt = (place: string) => `cs.acceptance_state(a.*, f.observed, ${place}::bigint)`;

/** The fleet as it is judged, and what is said of it. */
export function fleetStore(sql: Sql) {
  return {
    /** The last of so many objects after one, by id; null: there are no more than these. */
    fleetUntil: async (tenant: string, after: string, count: number): Promise<string | null> =>
      (
        await sql.first(
          row({ objectId: z.string() }),
          "select object_id from cs.directory_object where tenant = $1 and object_id > $2 order by object_id offset $3 limit 1",
          [tenant, after, count - 1],
        )
      )?.objectId ?? null,

    /**
     * Objects between two ids of which something else may be said than when they were judged: what they are, what is asked of
     * them, or the time. `terms`: what is asked of each, by its id, and of all others. `anew`: all of them.
     */
    fleetTurned: (
      tenant: string,
      between: { readonly after: string; readonly until: string | null },
      terms: { readonly of: string; readonly others: string },
      now: number,
      anew: boolean,
    ): Promise<FleetRow[]> =>
      sql.rows(
        FleetRow,
        `select * from (${objects("d.object_id > $2 and ($3::text is null or d.object_id <= $3)")} offset 0) d
         where $7 or d.was <> d.digest || coalesce($4::jsonb ->> d.object_id, $5) or d.turns_at <= $6
         order by d.object_id`,
        [tenant, between.after, between.until, terms.of, terms.others, now, anew],
      ),

    /** These objects, as far as the directory ever had them. */
    fleetOf: (tenant: string, ids: readonly string[]): Promise<FleetRow[]> =>
      sql.rows(FleetRow, objects("d.object_id = any ($2)"), [tenant, ids]),

    /** Which of these the directory has. */
    fleetThere: async (tenant: string, ids: readonly string[]): Promise<string[]> =>
      (
        await sql.rows(
          row({ objectId: z.string() }),
          "select object_id from cs.directory_object where tenant = $1 and object_id = any ($2) and gone_at is null",
          [tenant, ids],
        )
      ).map(({ objectId }) => objectId),

    /** Rows of the inventory in this tenant of which a run is open. */
    openTargets: async (tenant: string): Promise<string[]> =>
      (
        await sql.rows(
          row({ targetKey: z.string() }),
          "select target_key from cs.run where tenant = $1 and not cs.is_final(state)",
          [tenant],
        )
      ).map(({ targetKey }) => targetKey),

    /** Objects of which something is said although the directory never had them: rows of an inventory of once. */
    findingsElsewhere: async (tenant: string): Promise<string[]> =>
      (
        await sql.rows(
          row({ objectId: z.string() }),
          // Nothing else is said of what the directory never had; by its code they are found in an index.
          `select f.object_id from cs.fleet_finding f where f.tenant = $1 and f.cleared_at is null and f.code = 'listed-but-gone'
             and not exists (select from cs.directory_object d where d.tenant = f.tenant and d.object_id = f.object_id)`,
          [tenant],
        )
      ).map(({ objectId }) => objectId),

    /** Says this of these objects and nothing else, and keeps what it rests on. Objects may be many, what is said of them as well. */
    findingsPut: (
      tenant: string,
      ids: readonly string[],
      said: readonly FindingSaid[],
      at: number,
      judged: readonly Judged[] = [],
    ): Promise<z.output<typeof Put>> =>
      sql.call(Put, "cs.findings_put", {
        tenant,
        objects: ids,
        findings: JSON.stringify(said.map((one) => ({ ...one, rank: fleetCodesByUrgency.indexOf(one.code) }))),
        judged: JSON.stringify(judged),
        at,
      }),

    /** All of a tenant was looked at; `written`: findings that were opened or cleared. */
    fleetLooked: (tenant: string, written: number, at: number): Promise<void> =>
      sql.call(nothing, "cs.fleet_looked", { tenant, written, at }),

    fleetLookedAt: async (tenant: string): Promise<number | null> =>
      (await sql.first(row({ at: z.int() }), "select at from cs.fleet_look where tenant = $1", [tenant]))?.at ?? null,

    /**
     * What a search finds, for {@link FleetFilter.found}; null: there is no search, or more than can be named. Names stand in
     * an index; in the order of a list most of all rows would be read for a few.
     */
    async findingsFound({ search, cleared }: FleetFilter): Promise<number[] | null> {
      if (search === undefined) return null;
      const { where, values } = conditions({ search, cleared }, "search");
      const found = await sql.rows(
        row({ id: z.int() }),
        `select f.id from cs.fleet_finding f where ${where.join(" and ")} limit ${foundMax + 1}`,
        values,
      );
      return found.length > foundMax ? null : found.map(({ id }) => id);
    },

    /** A page of what is said, the most urgent first; of what was said once, in the order in which it began. */
    fleetFindings(
      filter: FleetFilter,
      page: {
        readonly after?: Pick<FleetFindingRow, "rank" | "folded" | "id">;
        readonly limit: number;
        /** When acceptances are judged by. */
        readonly now: number;
      },
    ): Promise<FleetFindingRow[]> {
      const { where, values } = conditions(filter, "all");
      const acceptanceNow = acceptanceAt(`$${values.push(page.now)}`);
      if (filter.acceptance !== undefined) {
        where.push(
          filter.acceptance === "counting"
            ? `${acceptanceNow} <> 'accepted'`
            : `${acceptanceNow} = $${values.push(filter.acceptance)}`,
        );
        // Those that were ever asked for are few among all.
        if (filter.acceptance !== "counting") where.push("a.id is not null");
      }
      // Findings of one code have one rank, which the database cannot know: said so, an index gives the order.
      const order = filter.code === undefined ? (["rank", "folded", "id"] as const) : (["folded", "id"] as const);
      const columns = order.map((column) => `f.${column}`).join(", ");
      if (page.after !== undefined) {
        const { after } = page;
        const places = order.map((column) => `$${values.push(after[column])}`).join(", ");
        where.push(`(${columns}) > (${places})`);
      }
      values.push(page.limit);
      return sql.rows(
        FleetFindingRow,
        `select f.*, coalesce(f.last_seen, greatest(f.first_seen, l.at), f.first_seen) as last_seen, ${acceptanceNow} as acceptance,
           a.id as acceptance_id, a.asked_by, a.asked_at, a.reason_digest, a.until_at, a.confirmed_by, a.confirmed_at
         from cs.fleet_finding f left join cs.fleet_look l on l.tenant = f.tenant ${accepted}
         where ${where.join(" and ")} order by ${columns} limit $${values.length}`,
        values,
      );
    },

    /**
     * How many there are by every word that can be chosen and by what acceptances mean for them now; with a search or of
     * cleared ones they are counted anew.
     */
    fleetFindingCounts(filter: FleetFilter, now: number): Promise<FleetCount[]> {
      const { where, values } = conditions(filter, "search");
      const counted = (kept: string) => `select f.tenant, f.code, coalesce(f.environment, '') as environment,
          f.row_name is not null as listed, ${acceptanceAt(`$${values.push(now)}`)} as acceptance, count(*)::bigint as count
        from cs.fleet_finding f ${accepted} where ${where.join(" and ")} ${kept} group by 1, 2, 3, 4, 5`;
      if (filter.search !== undefined || filter.objectId !== undefined || filter.cleared === true)
        return sql.rows(FleetCount, counted(""), values);
      // All are kept count of; only those of which an acceptance says something are looked at.
      const touched = counted(`and exists (select from cs.acceptance e
        where (e.tenant, e.object_id, e.credential, e.code) = (f.tenant, f.object_id, f.credential, f.code))`);
      return sql.rows(
        FleetCount,
        `with touched as materialized (${touched}), said as (select * from touched where acceptance <> 'none')
         select k.tenant, k.code, k.environment, k.listed, 'none' as acceptance, k.count - coalesce(sum(s.count), 0) as count
           from cs.finding_count k left join said s using (tenant, code, environment, listed)
           group by k.tenant, k.code, k.environment, k.listed, k.count having k.count > coalesce(sum(s.count), 0)
         union all select tenant, code, environment, listed, acceptance, count from said`,
        values,
      );
    },

    /** Tenants that have not been listed as a whole for too long. */
    lateTenants: async (): Promise<string[]> =>
      (
        await sql.rows(
          row({ tenant: z.string() }),
          "select tenant from cs.fleet_finding where code = 'scan-late' and cleared_at is null order by tenant",
        )
      ).map(({ tenant }) => tenant),
  };
}

/** The directory's own form of ids (Graph: a GUID). */
const isId = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

/** `search`: only what narrows the counts too. */
function conditions(filter: FleetFilter, which: "all" | "search") {
  const values: unknown[] = [];
  const where = [filter.cleared === true ? "f.cleared_at is not null" : "f.cleared_at is null"];
  const add = (value: unknown, condition: (place: string) => string) => {
    if (value === undefined) return;
    values.push(value);
    where.push(condition(`$${values.length}`));
  };
  if (filter.found != null) add(filter.found, (p) => `f.id = any (${p})`);
  else if (filter.search !== undefined && isId.test(filter.search))
    add(filter.search, (p) => `(f.object_id = ${p} or f.credential = ${p} or f.app_id = ${p})`);
  else if (filter.search !== undefined) add(containing(filter.search), (p) => `f.folded like lower(${p})`);
  add(filter.objectId, (p) => `f.object_id = ${p}`);
  if (which === "search") return { where, values };
  add(filter.code, (p) => `f.code = ${p}`);
  add(filter.tenant, (p) => `f.tenant = ${p}`);
  add(filter.environment, (p) => `coalesce(f.environment, '') = ${p}`);
  add(filter.listed, (p) => `(f.row_name is not null) = ${p}`);
  return { where, values };
}
