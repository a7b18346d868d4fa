import type { ScannedObject } from "@countersign/core";
import type { EntryData } from "@countersign/evidence";
import { z } from "zod";
import { ScanRow } from "./rows.ts";
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

const Opened = z.object({ id: z.string(), cursor: z.unknown() }).nullable();
const Link = row({ collection: z.string(), link: z.string(), at: z.int() });

/** Scans of a tenant's directory: staged page by page, then merged into the ledger. */
export function scanStore(sql: Sql) {
  return {
    /** The scan of `tenant` due at `dueAt`, for the one worker that does it; null for everybody else. */
    scanOpen: (scan: {
      readonly id: string;
      readonly tenant: string;
      readonly kind: ScanRow["kind"];
      readonly dueAt: number;
      readonly worker: string;
      readonly leaseMs: number;
      readonly at: number;
    }): Promise<OpenScan | null> => sql.call(Opened, "cs.scan_open", { ...scan }),

    /** Stages one page with the place where the listing goes on. Error: STATE_CONFLICT when another worker does it now. */
    scanPage: (page: {
      readonly id: string;
      readonly worker: string;
      readonly page: number;
      readonly objects: readonly ScannedObject[];
      /** By id and kind of object. */
      readonly unreadable: readonly { readonly objectId: string; readonly kind: ScannedObject["kind"] }[];
      readonly removed: readonly { readonly objectId: string; readonly kind: ScannedObject["kind"] }[];
      readonly cursor: unknown;
    }): Promise<void> => {
      const { objects, unreadable, removed, cursor, ...rest } = page;
      return sql.call(nothing, "cs.scan_page", {
        ...rest,
        objects: JSON.stringify([
          ...objects.map(({ credentials: _, ...object }) => ({ ...object, state: "listed" })),
          ...unreadable.map((object) => ({ ...object, state: "unreadable" })),
          ...removed.map((object) => ({ ...object, state: "removed" })),
        ]),
        credentials: JSON.stringify(
          objects.flatMap(({ objectId, credentials }) => credentials.map((one) => ({ objectId, ...one }))),
        ),
        cursor: cursor === null ? null : JSON.stringify(cursor),
      });
    },

    /** Throws away what was staged; the listing begins anew. */
    scanRestart: (id: string, worker: string): Promise<void> => sql.call(nothing, "cs.scan_restart", { id, worker }),

    /** Writes what the staged listing shows to be different. `lagMs`: how late a replica may show a change. */
    scanMerge: (id: string, worker: string, lagMs: number, at: number): Promise<ScanSummary> =>
      sql.call(ScanSummary, "cs.scan_merge", { id, worker, lagMs, at }),

    /** Ends a scan with `scan.completed`; `result` null = it failed and may be taken up again. */
    scanEnd: (scan: {
      readonly id: string;
      readonly worker: string;
      readonly result: EntryData<"scan.completed"> | null;
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
        summary: scan.summary === null ? null : JSON.stringify(scan.summary),
        findings: JSON.stringify(scan.findings),
        links: JSON.stringify(scan.links),
        at: scan.at,
      }),

    /** Where looks at what has changed in a tenant begin. */
    scanLinks: (tenant: string): Promise<z.output<typeof Link>[]> =>
      sql.rows(Link, "select collection, link, at from cs.scan_link where tenant = $1 order by collection", [tenant]),

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
