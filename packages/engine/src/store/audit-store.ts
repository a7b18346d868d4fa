import type { AuditChange, AuditFacts, AuditJudgement, AuditVerdict } from "@countersign/core";
import { auditReasonCodes, auditVerdicts } from "@countersign/core";
import type { EntryData } from "@countersign/evidence";
import { z } from "zod";
import { entryText } from "./run-store.ts";
import { nothing, row, type Sql } from "./sql.ts";

const time = z.int().nonnegative();
const directions = z.enum(["do", "undo", "discard"]);

/** A change of a credential, with whose doing it was. */
export const AuditChangeRow = row({
  tenant: z.string(),
  entry: z.string(),
  /** Empty: the directory does not say which. */
  credential: z.string(),
  act: z.enum(["added", "removed", "unreadable"]),
  at: time,
  readAt: time,
  objectId: z.string(),
  holder: z.enum(["application", "service-principal"]),
  kind: z.enum(["client-secret", "certificate", "other"]),
  activity: z.string(),
  correlation: z.string().nullable(),
  actorKind: z.enum(["person", "application", "unnamed"]),
  actor: z.string().nullable(),
  marker: z.object({ run: z.string(), attempt: z.int(), nonce: z.string() }).nullable(),
  verdict: z.enum(auditVerdicts),
  because: z.enum(auditReasonCodes),
  runId: z.string().nullable(),
  step: z.string().nullable(),
  direction: directions.nullable(),
  attempt: z.int().nullable(),
  explainedBy: z.string().nullable(),
  explainedAt: time.nullable(),
  /** Digest of what was said. */
  explanation: z.string().nullable(),
  /** Index in the log of the `audit.read` that counted it; null: none has yet. */
  readIn: z.int().nullable(),
});
export type AuditChangeRow = z.output<typeof AuditChangeRow>;

const Added = row({
  entry: z.string(),
  at: time,
  objectId: z.string(),
  holder: z.string(),
  kinds: z.array(z.string()),
  credentials: z.array(z.string()),
  because: z.string(),
  actorKind: z.string(),
  actor: z.string().nullable(),
});
/** What one entry of the directory says was added out of band to one application. */
export type AddedOutOfBand = z.output<typeof Added>;

/** A change in the list of all, with what the directory calls the object; null: no scan has seen it. */
const ListedChangeRow = z.intersection(AuditChangeRow, row({ name: z.string().nullable(), stands: z.boolean() }));
export type ListedChangeRow = z.output<typeof ListedChangeRow>;

/** What of the changes to list. */
export interface ChangeFilter {
  readonly tenant?: string | undefined;
  readonly verdict?: AuditVerdict | undefined;
  /** Its application, by object id. */
  readonly objectId?: string | undefined;
  /** A whole id: of an object, a credential, or of who did it. */
  readonly id?: string | undefined;
  /** Those that happened then or later. */
  readonly since?: number | undefined;
  /** Those that stand: done by no run, explained by nobody, and perhaps still there. */
  readonly standing?: boolean | undefined;
}

/** The place of a change in the list. */
export type ChangePlace = Pick<AuditChangeRow, "at" | "tenant" | "entry" | "credential" | "act">;

const ChangeCount = row({
  tenant: z.string(),
  verdict: z.enum(auditVerdicts),
  standing: z.boolean(),
  count: z.coerce.number().int(),
});
/** How many changes of each kind fit what is filtered by besides these words. */
export type ChangeCount = z.output<typeof ChangeCount>;

const Attempt = z.object({
  run: z.string(),
  step: z.string(),
  direction: directions,
  attempt: z.int(),
  intentAt: time,
  outcome: z.enum(["done", "failed", "unknown"]).nullable(),
  objectId: z.string().nullable(),
  breakGlass: z.boolean(),
});
const FactsRow = z
  .object({ audit_facts: z.object({ made: Attempt.nullable(), removals: z.array(Attempt) }) })
  .transform((found): AuditFacts => found.audit_facts);

const Opened = z
  .object({
    from: time,
    to: time,
    link: z.string().nullable(),
    /** Read of it before it was taken up. */
    entries: z.int(),
    unreadable: z.int(),
  })
  .nullable();
/** A span that is being read. */
export type AuditOpened = NonNullable<z.output<typeof Opened>>;

const Span = row({ settled: z.boolean(), fromAt: time, toAt: time });
const Source = row({
  tenant: z.string(),
  readAt: time.nullable(),
  deepAt: time.nullable(),
  refusedAt: time.nullable(),
});
export type AuditSource = z.output<typeof Source>;

/** A change that was judged, and what people are to be told of it; null: nothing. */
export interface JudgedChange extends AuditJudgement {
  readonly change: AuditChange;
  readonly notice: {
    readonly kind: string;
    readonly channel: string;
    readonly key: string;
    readonly payload: Readonly<Record<string, string | readonly string[]>>;
  } | null;
}

const judged = ({ change, verdict, because, by, notice }: JudgedChange) => ({
  entry: change.entry,
  credential: change.credential ?? "",
  act: change.act,
  verdict,
  because,
  run: by?.run ?? null,
  step: by?.step ?? null,
  direction: by?.direction ?? null,
  attempt: by?.attempt ?? null,
  notice,
});

/** What the directory's own audit log says of credentials, and which spans of it were read. */
export function auditStore(sql: Sql) {
  return {
    /** What our journal knows of each of these changes, in their order. */
    auditFacts: (changes: readonly Pick<AuditChange, "credential" | "marker">[]): Promise<AuditFacts[]> => {
      const asked = changes.map(({ credential, marker }) => ({ credential, nonce: marker?.nonce ?? null }));
      return sql.rows(FactsRow, "select audit_facts from cs.audit_facts(p_credentials => $1)", [JSON.stringify(asked)]);
    },

    /** Takes up the span that a dead worker has left, or opens this one; null: another worker reads this tenant's log. */
    auditOpen: (span: {
      readonly tenant: string;
      readonly from: number;
      readonly to: number;
      readonly worker: string;
      readonly leaseMs: number;
      readonly at: number;
    }): Promise<AuditOpened | null> => sql.call(Opened, "cs.audit_open", { ...span }),

    /** Writes a page's changes, each once, and where the next page is. Returns the new ones, as `<entry> <credential> <act>`. */
    auditPage: (page: {
      readonly tenant: string;
      readonly worker: string;
      readonly changes: readonly JudgedChange[];
      readonly seen: number;
      readonly unreadable: number;
      readonly link: string | null;
      readonly at: number;
    }): Promise<string[]> => {
      const changes = page.changes.map((one) => ({
        ...judged(one),
        at: one.change.at,
        objectId: one.change.objectId,
        holder: one.change.holder,
        kind: one.change.kind,
        activity: one.change.activity,
        correlation: one.change.correlation,
        actorKind: one.change.actor.kind,
        actor: one.change.actor.id,
        marker: one.change.marker,
      }));
      return sql.call(z.array(z.string()), "cs.audit_page", { ...page, changes: JSON.stringify(changes) });
    },

    /** How many changes of each verdict no look has counted yet. */
    auditUncounted: async (tenant: string): Promise<Record<AuditVerdict, number>> => {
      const counts = await sql.rows(
        row({ verdict: z.enum(auditVerdicts), count: z.coerce.number().int() }),
        "select verdict, count(*) as count from cs.audit_change where tenant = $1 and read_in is null group by verdict",
        [tenant],
      );
      const of = (verdict: AuditVerdict) => counts.find((one) => one.verdict === verdict)?.count ?? 0;
      return {
        ours: of("ours"),
        "break-glass": of("break-glass"),
        "out-of-band": of("out-of-band"),
        unknown: of("unknown"),
      };
    },

    /** Changes that the looks from one entry of the log until before another have counted. Null: more than the limit. */
    auditCounted: async (from: number, before: number, limit: number): Promise<AuditChangeRow[] | null> => {
      const text = "select * from cs.audit_change where read_in >= $1 and read_in < $2 limit $3";
      const found = await sql.rows(AuditChangeRow, text, [from, before, limit + 1]);
      return found.length > limit ? null : found;
    },

    /** Writes down that the list of a period was given to somebody; returns the entry's index. */
    populationExport: (data: EntryData<"population.exported">, at: number): Promise<number> =>
      sql.call(z.int(), "cs.population_export", { data: entryText("population.exported", data), at }),

    /** Begins the open span anew. */
    auditRestart: (tenant: string, worker: string, at: number): Promise<void> =>
      sql.call(nothing, "cs.audit_restart", { tenant, worker, at }),

    /** Ends the open span; `read` false: the directory does not give us its log. `entry` null: nothing is written down. */
    auditEnd: (end: {
      readonly tenant: string;
      readonly worker: string;
      readonly read: boolean;
      readonly deep: boolean;
      readonly lateMs: number;
      readonly entry: EntryData<"audit.read"> | null;
      readonly at: number;
    }): Promise<void> => {
      const { entry, ...rest } = end;
      return sql.call(nothing, "cs.audit_end", {
        ...rest,
        data: entry === null ? null : entryText("audit.read", entry),
      });
    },

    /** Judges again what was unknown. */
    auditRejudge: (tenant: string, changes: readonly JudgedChange[], at: number): Promise<void> =>
      sql.call(nothing, "cs.audit_rejudge", { tenant, changes: JSON.stringify(changes.map(judged)), at }),

    /** Changes of a tenant that could not be told so far, read since `readSince`. */
    auditUnknown: (tenant: string, readSince: number, limit: number): Promise<AuditChangeRow[]> =>
      sql.rows(
        AuditChangeRow,
        "select * from cs.audit_change where tenant = $1 and verdict = 'unknown' and read_at >= $2 order by read_at limit $3",
        [tenant, readSince, limit],
      ),

    /** What was added out of band, read since then, explained by nobody, and taken as an event by nobody; the oldest first. */
    auditAdded: (tenant: string, hook: string, since: number, limit: number): Promise<AddedOutOfBand[]> =>
      sql.rows(
        Added,
        `select entry, min(at) as at, object_id, min(holder) as holder, jsonb_agg(distinct kind) as kinds,
           jsonb_agg(distinct credential) as credentials, min(because) as because, min(actor_kind) as actor_kind, min(actor) as actor
         from cs.audit_change a where tenant = $1 and verdict = 'out-of-band' and act = 'added' and explained_at is null
           and read_at >= $3 and not exists (select from cs.hook_event h where h.hook = $2 and h.id = a.entry || ' ' || a.object_id)
         group by entry, object_id order by min(read_at), entry, object_id limit $4`,
        [tenant, hook, since, limit],
      ),

    /** A page of the changes, the newest first. */
    changeList(
      filter: ChangeFilter,
      page: { readonly after?: ChangePlace; readonly limit: number },
    ): Promise<ListedChangeRow[]> {
      const { where, values } = conditions(filter, "all");
      if (page.after !== undefined) {
        const { at, tenant, entry, credential, act } = page.after;
        const places = [at, tenant, entry, credential, act].map((value) => `$${values.push(value)}`);
        where.push(`(a.at, a.tenant, a.entry, a.credential, a.act) < (${places.join(", ")})`);
      }
      values.push(page.limit);
      return sql.rows(
        ListedChangeRow,
        `select a.*, d.name, cs.audit_stands(a) as stands
         from cs.audit_change a left join cs.directory_object d on d.tenant = a.tenant and d.object_id = a.object_id
         where ${where.join(" and ")}
         order by a.at desc, a.tenant desc, a.entry desc, a.credential desc, a.act desc limit $${values.length}`,
        values,
      );
    },

    /** How many there are by every word that can be chosen. */
    changeCounts(filter: ChangeFilter): Promise<ChangeCount[]> {
      const { where, values } = conditions(filter, "search");
      return sql.rows(
        ChangeCount,
        `select tenant, verdict, cs.audit_stands(a) as standing, count(*) as count
         from cs.audit_change a where ${where.join(" and ")} group by 1, 2, 3`,
        values,
      );
    },

    /** One change; null: none of this name was read. */
    change: (of: Omit<ChangePlace, "at">): Promise<AuditChangeRow | null> =>
      sql.first(
        AuditChangeRow,
        "select * from cs.audit_change where (tenant, entry, credential, act) = ($1, $2, $3, $4)",
        [of.tenant, of.entry, of.credential, of.act],
      ),

    /** A person says what a change was that no run had done. Errors: NOT_FOUND, STATE_CONFLICT (explained before, or a run's). */
    changeExplain: (
      of: Omit<ChangePlace, "at"> & { readonly person: string; readonly reason: Uint8Array; readonly at: number },
    ): Promise<void> => sql.call(nothing, "cs.audit_explain", { ...of }),

    /** Changes of a period, oldest first; `tenant` null: of all. */
    auditChanges: (period: {
      readonly tenant: string | null;
      readonly from: number;
      readonly to: number;
      readonly limit: number;
    }): Promise<AuditChangeRow[]> =>
      sql.rows(
        AuditChangeRow,
        `select * from cs.audit_change where ($1::text is null or tenant = $1) and at between $2 and $3
         order by at, tenant, entry, credential, act limit $4`,
        [period.tenant, period.from, period.to, period.limit],
      ),

    /** Spans of a tenant's log that were read, oldest first. */
    auditSpans: (tenant: string): Promise<z.output<typeof Span>[]> =>
      sql.rows(Span, "select settled, from_at, to_at from cs.audit_span where tenant = $1 order by settled, from_at", [
        tenant,
      ]),

    /** How the log of each tenant answers. */
    auditSources: (): Promise<AuditSource[]> => sql.rows(Source, "select * from cs.audit_source order by tenant"),
  };
}

/** `search`: only what narrows the counts too. */
function conditions(filter: ChangeFilter, which: "all" | "search") {
  const values: unknown[] = [];
  const where = ["true"];
  const add = (value: unknown, condition: (place: string) => string) => {
    if (value === undefined) return;
    values.push(value);
    where.push(condition(`$${values.length}`));
  };
  add(filter.objectId, (p) => `a.object_id = ${p}`);
  add(filter.id, (p) => `(a.object_id = ${p} or a.credential = lower(${p}) or a.actor = ${p})`);
  add(filter.since, (p) => `a.at >= ${p}`);
  if (which === "search") return { where, values };
  add(filter.tenant, (p) => `a.tenant = ${p}`);
  add(filter.verdict, (p) => `a.verdict = ${p}`);
  if (filter.standing === true)
    where.push("a.verdict = 'out-of-band' and a.explained_at is null and cs.audit_stands(a)");
  if (filter.standing === false) where.push("not cs.audit_stands(a)");
  return { where, values };
}
