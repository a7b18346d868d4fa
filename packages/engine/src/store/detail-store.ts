import type { LifetimePolicy, ObjectOwners, SignInFailure } from "@countersign/core";
import { z } from "zod";
import { objectKind } from "./fleet-store.ts";
import { nothing, row, type Sql } from "./sql.ts";

/** What findings rest on. */
const part = z.enum(["owners", "policies", "uses", "failures", "callers"]);

/** How much of the details of a tenant was read, and when. */
const DetailRow = row({
  part,
  cursor: z.unknown(),
  begunAt: z.int(),
  readAt: z.int().nullable(),
  available: z.boolean(),
  /** The pass that read it last. */
  pass: z.string().nullable(),
});
export type DetailRow = z.output<typeof DetailRow>;

/** A part that the last pass has not read, or could not. */
const UnreadRow = row({
  tenant: z.string(),
  part,
  available: z.boolean(),
  readAt: z.int().nullable(),
});

const FailureRow = row({
  objectId: z.string(),
  credential: z.string().transform((id) => (id === "" ? null : id)),
  error: z.int(),
  firstAt: z.int(),
  lastAt: z.int(),
  count: z.int(),
  addresses: z.array(z.string()),
});

/** A pass that this worker does. */
export interface Pass {
  readonly id: string;
  readonly worker: string;
}

/** Details of the fleet, as the second pass of a scan reads them: owners, policies, last uses, refused sign-ins. */
export function detailStore(sql: Sql) {
  return {
    /** What was read of a tenant's details. */
    details: (tenant: string): Promise<DetailRow[]> =>
      sql.rows(DetailRow, "select * from cs.detail_reading where tenant = $1 order by part", [tenant]),

    /** Whose owners are to be read, the longest waiting first, and how many there are in all. */
    ownersDue: (
      tenant: string,
      limit: number,
    ): Promise<{ objectId: string; kind: z.output<typeof objectKind>; waiting: number; of: number }[]> =>
      sql.rows(
        row({ objectId: z.string(), kind: objectKind, waiting: z.int(), of: z.int() }),
        `select w.object_id, d.kind, (select count(*) from cs.owners_due where tenant = $1)::integer as waiting,
           (select count(*) from cs.directory_object where tenant = $1 and gone_at is null)::integer as of
         from cs.owners_due w join cs.directory_object d using (tenant, object_id)
         where w.tenant = $1 order by w.at, w.object_id limit $2`,
        [tenant, limit],
      ),

    /** Begins a whole reading of one part; or where the one that is under way goes on. */
    detailBegin: (pass: Pass, part: DetailRow["part"], at: number): Promise<unknown> =>
      sql.call(z.unknown(), "cs.detail_begin", { ...pass, part, at }),

    detailAt: (pass: Pass, part: DetailRow["part"], cursor: unknown): Promise<void> =>
      sql.call(nothing, "cs.detail_at", { ...pass, part, cursor: cursor === null ? null : JSON.stringify(cursor) }),

    /** A whole reading came through; or the tenant does not give it. */
    detailRead: (pass: Pass, part: DetailRow["part"], available: boolean): Promise<void> =>
      sql.call(nothing, "cs.detail_read", { ...pass, part, available }),

    /** Owners by id; `asked`: the objects that were asked for one by one. Returns how many were others than before. */
    ownersPut: (
      pass: Pass,
      found: readonly ObjectOwners[],
      asked: readonly string[] | null,
      at: number,
    ): Promise<number> =>
      sql.call(z.int(), "cs.owners_put", {
        ...pass,
        rows: JSON.stringify(
          found.map(({ objectId, owners }) => ({
            objectId,
            // No names: whoever wants to know who it is asks the directory.
            owners: owners.map(({ id, kind: of, enabled }) => ({ id, kind: of, enabled })),
          })),
        ),
        asked,
        at,
      }),

    /** Replaces what is known of the tenant's policies. */
    policiesPut: (pass: Pass, found: readonly LifetimePolicy[]): Promise<void> =>
      sql.call(nothing, "cs.policies_put", { ...pass, rows: JSON.stringify(found) }),

    /** Last uses by credential. Returns how many were later than before. */
    usesPut: (
      pass: Pass,
      found: readonly { readonly id: string; readonly lastUsedAt: number | null }[],
    ): Promise<number> => sql.call(z.int(), "cs.uses_put", { ...pass, rows: JSON.stringify(found) }),

    /** Refused sign-ins since a time; `whole`: there are no others. Returns the objects to be judged anew. */
    failuresPut: (pass: Pass, found: readonly SignInFailure[], since: number, whole: boolean): Promise<string[]> =>
      sql.call(z.array(z.string()), "cs.failures_put", { ...pass, rows: JSON.stringify(found), since, whole }),

    /** Refused sign-ins by the object that they are said of: the application, or what stands for one of another tenant. */
    failures: (tenant: string): Promise<z.output<typeof FailureRow>[]> =>
      sql.rows(
        FailureRow,
        `select d.object_id, f.* from cs.sign_in_failure f join lateral (select object_id from cs.directory_object
             where tenant = f.tenant and app_id = f.app_id and gone_at is null order by kind limit 1) d on true
         where f.tenant = $1`,
        [tenant],
      ),

    /** What of that which findings rest on is not known of all tenants, as of the last pass. */
    unread: (): Promise<z.output<typeof UnreadRow>[]> =>
      sql.rows(
        UnreadRow,
        `select tenant, part, available, read_at from cs.detail_reading
         where not available or read_at is null or read_at < begun_at order by tenant, part`,
        [],
      ),

    /** `error`: why it failed; null: it came through. */
    detailEnd: (
      end: Pass & { readonly error: string | null; readonly summary: unknown; readonly at: number },
    ): Promise<void> =>
      sql.call(nothing, "cs.detail_end", {
        id: end.id,
        worker: end.worker,
        error: end.error,
        summary: JSON.stringify(end.summary),
        at: end.at,
      }),
  };
}
