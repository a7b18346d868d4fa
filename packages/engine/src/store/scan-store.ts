import type { ScannedObject } from "@countersign/core";
import type { EntryData } from "@countersign/evidence";
import { z } from "zod";
import { ScanRow, scanKind } from "./rows.ts";
import { entryText, type FindingInput } from "./run-store.ts";
import { nothing, row, type Sql } from "./sql.ts";

/** A scan that this worker does. */
export interface OpenScan {
  readonly id: string;
  /** Where its listing goes on; null: at the beginning. */
  readonly cursor: unknown;
}

/** What a listing showed, and how much of it was different from before. */
export const ScanSummary = z.strictObject({
  objects: z.int(),
  credentials: z.int(),
  /** Listed, but not in the documented form: nothing was concluded about them. */
  unreadable: z.int(),
  /** Shown on two pages, since the listing shifted while it was read. */
  twice: z.int(),
  objectsChanged: z.int(),
  credentialsChanged: z.int(),
  objectsGone: z.int(),
  credentialsGone: z.int(),
});
export type ScanSummary = z.infer<typeof ScanSummary>;

/** An object of which no more is known. */
type NamedObject = Pick<ScannedObject, "objectId" | "kind">;

const Opened = z.object({ id: z.string(), cursor: z.unknown() }).nullable();
const Link = row({ collection: z.string(), link: z.string(), at: z.int() });

/** Where scans of a tenant stand. */
const Stand = row({
  /** What the last whole listing that came through was due at. */
  lastFull: z.int().nullable(),
  /** There are links from which changes can be told. */
  changesKnown: z.boolean(),
  /** When a person last asked for a scan. */
  asked: z.int().nullable(),
  since: z.int().nullable(),
  whole: z.boolean().nullable(),
  scans: z.int().nullable(),
}).transform(({ since, whole, scans, ...stand }) => ({
  ...stand,
  /** The second pass that is owed: what it is due at, whether after a whole listing, and after how many scans. */
  pass: since === null ? null : { since, whole: whole === true, scans: scans ?? 1 },
}));
export type ScanStand = z.output<typeof Stand>;
export type PassDue = NonNullable<ScanStand["pass"]>;

const Failed = row({ tenant: z.string(), kind: scanKind, at: z.int(), error: z.string() });
/** A scan that failed when it was last tried. */
export type FailedScanRow = z.output<typeof Failed>;

/** Objects, and as many credentials, that are called gone in one transaction. */
const goneMax = 5_000;

/** Scans of a tenant's directory: written into the ledger page by page; in the end, what was not shown is gone. */
export function scanStore(sql: Sql) {
  return {
    /**
     * The scan of `tenant` due at `dueAt`, for the one worker that does it; null for everybody else, and while another scan of
     * the tenant is done.
     */
    scanOpen: (scan: {
      readonly id: string;
      readonly tenant: string;
      readonly kind: ScanRow["kind"];
      readonly dueAt: number;
      readonly worker: string;
      readonly leaseMs: number;
      readonly at: number;
    }): Promise<OpenScan | null> => sql.call(Opened, "cs.scan_open", { ...scan }),

    /**
     * Writes what one page shows to be different, with the place where the listing goes on. `lagMs`: how late a replica may show
     * a change. Error: STATE_CONFLICT when another worker does it now.
     */
    scanPage: (page: {
      readonly id: string;
      readonly worker: string;
      readonly objects: readonly ScannedObject[];
      /** By id and kind of object. */
      readonly unreadable: readonly NamedObject[];
      readonly removed: readonly NamedObject[];
      readonly cursor: unknown;
      readonly lagMs: number;
      readonly at: number;
    }): Promise<void> => {
      const { objects, unreadable, removed, cursor, ...rest } = page;
      // An object that is named twice counts as it was named last.
      const named = new Map<string, Partial<ScannedObject> & NamedObject & { readonly state: string }>();
      for (const object of unreadable) named.set(object.objectId, { ...object, state: "unreadable" });
      for (const object of removed) named.set(object.objectId, { ...object, state: "removed" });
      for (const object of objects) named.set(object.objectId, { ...object, state: "listed" });
      const given = [...named.values()];
      const credentials = given.flatMap((holder) =>
        [...new Map((holder.credentials ?? []).map((one) => [one.id, one])).values()].map((one) => ({
          ...one,
          holder,
        })),
      );
      return sql.call(nothing, "cs.scan_page", {
        ...rest,
        cursor: cursor === null ? null : JSON.stringify(cursor),
        objects: given.map(({ objectId }) => objectId),
        states: given.map(({ state }) => state),
        kinds: given.map(({ kind }) => kind),
        appIds: given.map(({ appId }) => appId),
        names: given.map(({ name }) => name),
        createdAt: given.map(({ createdAt }) => createdAt),
        audiences: given.map(({ audience }) => audience),
        disabled: given.map(({ disabled }) => disabled),
        serviceRefs: given.map(({ serviceRef }) => serviceRef),
        counts: given.map(({ credentials: held = [] }) => held.length),
        holders: credentials.map(({ holder }) => holder.objectId),
        holderKinds: credentials.map(({ holder }) => holder.kind),
        holderAppIds: credentials.map(({ holder }) => holder.appId),
        holderNames: credentials.map(({ holder }) => holder.name),
        ids: credentials.map(({ id }) => id),
        credentialKinds: credentials.map(({ kind }) => kind),
        startsAt: credentials.map(({ startsAt }) => startsAt),
        expiresAt: credentials.map(({ expiresAt }) => expiresAt),
        markers: credentials.map(({ marker }) => (marker === null ? null : JSON.stringify(marker))),
      });
    },

    /** Forgets which objects were shown; the listing begins anew. */
    scanRestart: (id: string, worker: string): Promise<void> => sql.call(nothing, "cs.scan_restart", { id, worker }),

    /** Calls gone what a whole listing has not shown, or what changes say is removed; and says what the scan came to. */
    async scanConclude(id: string, worker: string, lagMs: number, at: number): Promise<ScanSummary> {
      for (;;) {
        const args = { id, worker, lagMs, rowsMax: goneMax, at };
        const summary = await sql.call(ScanSummary.nullable(), "cs.scan_conclude", args);
        if (summary !== null) return summary;
      }
    },

    /** Ends a scan with `scan.completed`; `result` null = it failed, with `error`, and may be taken up again. */
    scanEnd: (scan: {
      readonly id: string;
      readonly worker: string;
      readonly result: EntryData<"scan.completed"> | null;
      readonly error?: string;
      readonly summary: ScanSummary | null;
      readonly findings: readonly FindingInput[];
      /** Where the next look at what has changed begins. */
      readonly links: readonly { readonly collection: string; readonly link: string }[];
      readonly at: number;
    }): Promise<void> =>
      sql.call(nothing, "cs.scan_end", {
        id: scan.id,
        worker: scan.worker,
        data: scan.result === null ? null : entryText("scan.completed", scan.result),
        error: scan.result === null ? (scan.error ?? "UNEXPECTED") : null,
        summary: scan.summary === null ? null : JSON.stringify(scan.summary),
        findings: JSON.stringify(scan.findings),
        links: JSON.stringify(scan.links),
        at: scan.at,
      }),

    /** Where looks at what has changed in a tenant begin. */
    scanLinks: (tenant: string): Promise<z.output<typeof Link>[]> =>
      sql.rows(Link, "select collection, link, at from cs.scan_link where tenant = $1 order by collection", [tenant]),

    scanStand: async (tenant: string): Promise<ScanStand> => {
      const stand = await sql.first(
        Stand,
        `select (select due_at from cs.scan where tenant = $1 and kind = 'full' and state = 'done' order by due_at desc limit 1)
             as last_full,
           exists (select from cs.scan_link where tenant = $1) as changes_known, (select at from cs.scan_asked) as asked,
           d.since, d.whole, d.scans
         from (select) one left join cs.pass_due d on d.tenant = $1`,
        [tenant],
      );
      return stand ?? { lastFull: null, changesKnown: false, asked: null, pass: null };
    },

    /** Of these tenants, what failed when it was last tried, and has not come through since. */
    scansFailed: (tenants: readonly string[]): Promise<FailedScanRow[]> =>
      sql.rows(
        Failed,
        `select s.tenant, s.kind, s.finished_at as at, s.error
         from unnest($1::text[]) as t(tenant), unnest('{full,delta,details}'::text[]) as k(kind), lateral (
           select * from cs.scan where tenant = t.tenant and kind = k.kind and (state <> 'running' or error is not null)
           order by due_at desc limit 1) s
         where s.error is not null order by 1, 2`,
        [[...tenants]],
      ),

    /** When a listing or a look at changes last came through, of any tenant; null: none has. */
    lastScanDone: async (): Promise<number | null> =>
      (
        await sql.first(
          row({ at: z.int().nullable() }),
          "select max(finished_at) as at from cs.scan where state = 'done' and kind <> 'details'",
        )
      )?.at ?? null,

    scans: (limit: number): Promise<ScanRow[]> =>
      sql.rows(ScanRow, "select * from cs.scan order by due_at desc, tenant, kind limit $1", [limit]),

    /** The last whole listing of a tenant that came through; null: there was none. */
    lastFullScan: (tenant: string): Promise<ScanRow | null> =>
      sql.first(
        ScanRow,
        "select * from cs.scan where tenant = $1 and kind = 'full' and state = 'done' order by due_at desc limit 1",
        [tenant],
      ),

    /** The same of several tenants, in one statement; a tenant without any is left out. */
    lastFullScans: (tenants: readonly string[]): Promise<ScanRow[]> =>
      sql.rows(
        ScanRow,
        `select s.* from unnest($1::text[]) as t(tenant), lateral (
           select * from cs.scan where tenant = t.tenant and kind = 'full' and state = 'done' order by due_at desc limit 1
         ) s`,
        [[...tenants]],
      ),
  };
}
