import { z } from "zod";
import { CredentialRow, credentialKinds, credentialStates } from "./rows.ts";
import { containing, row, type Sql } from "./sql.ts";

/** How soon a credential expires, from a domain instant; each excludes the ones before it. */
export const expiries = ["expired", "7-days", "30-days", "90-days", "later", "never"] as const;
export type Expiry = (typeof expiries)[number];

/** What of the ledger to show. */
export interface LedgerFilter {
  /** Part of an application's name, or a whole id; case does not count in names. */
  readonly search?: string | undefined;
  /** `retired`: gone outside. Without a state: everything that is there. */
  readonly state?: CredentialRow["state"] | "retired" | undefined;
  readonly kind?: CredentialRow["kind"] | undefined;
  readonly tenant?: string | undefined;
  readonly expiry?: Expiry | undefined;
  /** Whether the inventory lists what holds it. */
  readonly managed?: boolean | undefined;
}

/** What a filter is read against. */
export interface LedgerView {
  readonly filter: LedgerFilter;
  /** Domain milliseconds, for {@link Expiry}. */
  readonly now: number;
  /** Directory objects that the inventory lists. Database roles are in the ledger only because it lists them. */
  readonly managed: readonly LedgerTarget[];
}

/** A directory object, by tenant and id. */
export interface LedgerTarget {
  readonly tenant: string;
  readonly objectId: string;
}

/** How many credentials have the same words in every column that can be filtered by. */
const LedgerCount = row({
  state: z.enum([...credentialStates, "retired"]),
  kind: z.enum(credentialKinds),
  tenant: z.string(),
  expiry: z.enum(expiries),
  managed: z.boolean(),
  count: z.int(),
});
export type LedgerCount = z.output<typeof LedgerCount>;

/** Live secrets and certificates that expire in one week, counted from an instant; week 0 begins there. */
const ExpiryWeek = row({ week: z.int(), tenant: z.string(), objectId: z.string().nullable(), count: z.int() });
export type ExpiryWeek = z.output<typeof ExpiryWeek>;

const forever = Number.MAX_SAFE_INTEGER;
const dayMs = 86_400_000;
/** The ledger's order, and its index. */
const ending = `coalesce(expires_at, ${forever})`;

/** Where each expiry begins (not included) and ends (included), from now; a credential without an end ends `forever`. */
const expirySpans: Readonly<Record<Expiry, readonly [from: string, to: string]>> = {
  expired: ["-1", "$1::bigint"],
  "7-days": ["$1::bigint", `$1::bigint + ${7 * dayMs}`],
  "30-days": [`$1::bigint + ${7 * dayMs}`, `$1::bigint + ${30 * dayMs}`],
  "90-days": [`$1::bigint + ${30 * dayMs}`, `$1::bigint + ${90 * dayMs}`],
  later: [`$1::bigint + ${90 * dayMs}`, `${forever - 1}`],
  never: [`${forever - 1}`, `${forever}`],
};

/** A credential in the words that can be filtered by: `$1` now, `$2` and `$3` tenants and objects of the inventory. */
const worded = (from: string) => `
  select c.*,
    case when gone_at is null then state else 'retired' end as shown_state,
    case ${expiries.map((expiry) => `when ${ending} <= ${expirySpans[expiry][1]} then '${expiry}'`).join(" ")} end as expiry,
    kind = 'role' or (tenant, object_id) in (select * from unnest($2::text[], $3::text[])) as managed
  from ${from} c`;

/** What a search finds is found once: in the order of expiry most of the ledger would be read for a few rows. */
const searched = ({ filter }: LedgerView, place: string, like: string) =>
  filter.search === undefined
    ? { before: "", from: "cs.credential" }
    : {
        before: `with found as materialized (select * from cs.credential
          where id = ${place} or object_id = ${place} or app_id = ${place} or folded like lower(${like}))`,
        from: "found",
      };

/** The ledger as people look at it: 100,000 applications and more, so everything is filtered, counted and paged in the database. */
export function ledgerStore(sql: Sql) {
  return {
    /** A page, what expires soonest first and what never expires last. */
    ledger(
      view: LedgerView,
      page: {
        readonly after?: Pick<CredentialRow, "expiresAt" | "tenant" | "objectId" | "id">;
        readonly limit: number;
      },
    ): Promise<CredentialRow[]> {
      const { before, from, where, values } = conditions(view, "all");
      if (page.after !== undefined) {
        const { expiresAt, tenant, objectId, id } = page.after;
        values.push(expiresAt ?? forever, tenant, objectId, id);
        const places = [3, 2, 1, 0].map((back) => `$${values.length - back}`).join(", ");
        where.push(`(${ending}, tenant, object_id, id) > (${places})`);
      }
      values.push(page.limit);
      return sql.rows(
        CredentialRow,
        `${before} select * from (${worded(from)}) as w where ${where.join(" and ")}
         order by ${ending}, tenant, object_id, id limit $${values.length}`,
        values,
      );
    },

    /** Counts of what the search finds, in one pass: total and facets are sums of these. Other filters do not narrow it. */
    ledgerCounts(view: LedgerView): Promise<LedgerCount[]> {
      const { before, from, where, values } = conditions(view, "search");
      return sql.rows(
        LedgerCount,
        `${before} select shown_state as state, kind, tenant, expiry, managed, count(*) as count from (${worded(from)}) as w
         where ${where.join(" and ")} group by 1, 2, 3, 4, 5`,
        values,
      );
    },

    /** The next instant after `now` at which time alone changes one of those counts; null: none does. */
    async ledgerTurn(now: number): Promise<number | null> {
      const turn = await sql.first(
        row({ at: z.int().nullable() }),
        `select min(next.at - s.ms) as at from unnest($2::bigint[]) as s(ms), lateral (
           select ${ending} as at from cs.credential
           where ${ending} > $1::bigint + s.ms and ${ending} < ${forever}
           order by ${ending}, tenant, object_id, id limit 1) as next`,
        [now, [0, 7 * dayMs, 30 * dayMs, 90 * dayMs]],
      );
      return turn?.at ?? null;
    },

    /** Credentials of the objects given, and of every database role. */
    credentialsOf(targets: readonly LedgerTarget[], withGone: boolean): Promise<CredentialRow[]> {
      return sql.rows(
        CredentialRow,
        `select c.* from unnest($1::text[], $2::text[]) as t(tenant, object_id) join cs.credential c using (tenant, object_id)
           where c.kind <> 'role' and ($3 or c.gone_at is null)
         union all select * from cs.credential where kind = 'role' and ($3 or gone_at is null)`,
        [targets.map(({ tenant }) => tenant), targets.map(({ objectId }) => objectId), withGone],
      );
    },

    /** What expires in the weeks after `now`: by object for those of the inventory, in one sum (no object) for all others. */
    expiryWeeks(view: Pick<LedgerView, "now" | "managed">, weeks: number): Promise<ExpiryWeek[]> {
      const values = [view.now, view.managed.map(({ tenant }) => tenant), view.managed.map((one) => one.objectId)];
      return sql.rows(
        ExpiryWeek,
        `select ((expires_at - $1::bigint) / ${7 * dayMs})::integer as week, tenant,
           case when managed then object_id end as object_id, count(*) as count
         from (${worded("cs.credential")}) as w
         where gone_at is null and kind <> 'role' and expires_at > $1::bigint and expires_at <= $1::bigint + ${7 * dayMs} * $4::bigint
         group by 1, 2, 3`,
        [...values, weeks],
      );
    },
  };
}

/** `search`: only what narrows the counts too; a retired credential is out of sight unless it is asked for. */
function conditions(view: LedgerView, which: "all" | "search") {
  const { filter, now, managed } = view;
  const values: unknown[] = [now, managed.map(({ tenant }) => tenant), managed.map(({ objectId }) => objectId)];
  const where = [filter.state === "retired" ? "gone_at is not null" : "gone_at is null"];
  const add = (value: unknown, condition: (place: string) => string) => {
    if (value === undefined) return;
    values.push(value);
    where.push(condition(`$${values.length}`));
  };
  if (filter.search !== undefined) values.push(filter.search, containing(filter.search));
  const { before, from } = searched(view, `$${values.length - 1}`, `$${values.length}`);
  if (which === "search") return { before, from, where, values };
  add(filter.state, (p) => `shown_state = ${p}`);
  add(filter.kind, (p) => `kind = ${p}`);
  add(filter.tenant, (p) => `tenant = ${p}`);
  add(filter.managed, (p) => `managed = ${p}`);
  if (filter.expiry !== undefined) {
    const [after, until] = expirySpans[filter.expiry];
    where.push(`${ending} > ${after} and ${ending} <= ${until}`);
  }
  return { before, from, where, values };
}
