import type { Facts } from "@countersign/core";
import { z } from "zod";
import { acceptanceAt, accepted, findingCode } from "./fleet-store.ts";
import type { LedgerTarget } from "./ledger-store.ts";
import { credentialKinds } from "./rows.ts";
import { row, type Sql } from "./sql.ts";

const Expiring = row({
  tenant: z.string(),
  objectId: z.string(),
  id: z.string(),
  kind: z.enum(credentialKinds),
  expiresAt: z.int(),
  /** The shortest time before its end of which its owners were told; null: of none. */
  toldSeconds: z.int().nullable(),
});
/** A live credential that ends, and that no run has taken over. */
export type Expiring = z.output<typeof Expiring>;

/** A credential that owners are to be told of, for the time before its end that has just passed. */
export interface ExpiryItem extends Pick<Expiring, "tenant" | "objectId" | "id" | "expiresAt"> {
  readonly thresholdSeconds: number;
  /** How it stands in the notice. */
  readonly item: Facts;
}

const StandingFinding = row({
  tenant: z.string(),
  objectId: z.string(),
  /** Empty: of the object as a whole. */
  credential: z.string(),
  code: findingCode,
  observed: z.string(),
  required: z.string(),
  firstSeen: z.int(),
});
const Unreachable = row({ person: z.string() });
/** What scans say of an object, and nobody has accepted. */
export type StandingFinding = z.output<typeof StandingFinding>;

/** Domain time at which the last scan ended (`at`). */
export const lastScanEndOf = "select max(finished_at) as at from cs.scan where state = 'done'";

/** What owners are told before it is late. */
export function ownerNoticeStore(sql: Sql) {
  return {
    /**
     * Live credentials of these objects that end after `now` and not after `until`, the soonest first. Left out is what an
     * open run is about: the one its plan replaces, or has made; before there is a plan, all of its application.
     */
    expiring: (targets: readonly LedgerTarget[], now: number, until: number, limit: number): Promise<Expiring[]> =>
      sql.rows(
        Expiring,
        `select c.tenant, c.object_id, c.id, c.kind, c.expires_at,
           (select min(threshold_seconds) from cs.expiry_told e
             where (e.tenant, e.object_id, e.id, e.expires_at) = (c.tenant, c.object_id, c.id, c.expires_at)) as told_seconds
         from unnest($1::text[], $2::text[]) as t(tenant, object_id) join cs.credential c using (tenant, object_id)
         where c.kind <> 'role' and c.gone_at is null and c.expires_at > $3 and c.expires_at <= $4
           and not exists (
             select from cs.run r left join cs.plan p on p.digest = r.plan_digest
             where not cs.is_final(r.state) and r.tenant = c.tenant and r.target ->> 'objectId' = c.object_id
               and (p.digest is null or r.id = c.run_id or cs.replaced_by(p.body) = c.id))
         order by c.expires_at, c.tenant, c.object_id, c.id limit $5`,
        [targets.map(({ tenant }) => tenant), targets.map(({ objectId }) => objectId), now, until, limit],
      ),

    /** What stands of these objects and counts, the most urgent and oldest first; that something expires is told apart. */
    standing: (targets: readonly LedgerTarget[], now: number, limit: number): Promise<StandingFinding[]> =>
      sql.rows(
        StandingFinding,
        `select f.tenant, f.object_id, f.credential, f.code, f.observed, f.required, f.first_seen
         from unnest($1::text[], $2::text[]) as t(tenant, object_id) join cs.fleet_finding f using (tenant, object_id) ${accepted}
         where f.cleared_at is null and f.code <> 'expiring' and ${acceptanceAt("$3")} <> 'accepted'
         order by f.rank, f.first_seen, f.id limit $4`,
        [targets.map(({ tenant }) => tenant), targets.map(({ objectId }) => objectId), now, limit],
      ),

    /** People whose last mail their server has refused, and to whom none came through since. */
    unreachable: async (): Promise<string[]> => {
      const found = await sql.rows(
        Unreachable,
        `select distinct d.recipient as person from cs.delivery d where d.code = 'recipient-refused' and d.state = 'failed'
           and d.recipient like 'p\\_%' and not exists (select from cs.delivery s
             where s.recipient = d.recipient and s.state = 'sent' and s.id > d.id)
         order by 1`,
        [],
      );
      return found.map(({ person }) => person);
    },

    /** Tells owners of credentials, each once for its time; returns how many were not told before. */
    expiryTell: (told: {
      readonly credentials: readonly ExpiryItem[];
      readonly payload: Facts;
      readonly itemsMax: number;
      readonly at: number;
    }): Promise<number> =>
      sql.call(z.int(), "cs.expiry_tell", {
        ...told,
        credentials: JSON.stringify(told.credentials),
        payload: JSON.stringify(told.payload),
      }),

    /** Domain time at which the last scan ended; null: there was none. */
    async lastScanEnd(): Promise<number | null> {
      return (await sql.first(z.object({ at: z.int().nullable() }), lastScanEndOf))?.at ?? null;
    },

    /** The last of the weekly times that is over; null: there was none. */
    async lastWeekly(): Promise<number | null> {
      const text = "select max(instant) as at from cs.weekly_told where person = ''";
      return (await sql.first(z.object({ at: z.int().nullable() }), text))?.at ?? null;
    },

    /** Writes to an owner (`payload` null: there is nothing to say); false when that was done for this time. Person empty: all were. */
    weeklyTell: (instant: number, person: string, payload: Facts | null, at: number): Promise<boolean> =>
      sql.call(z.boolean(), "cs.weekly_tell", {
        instant,
        person,
        payload: payload === null ? null : JSON.stringify(payload),
        at,
      }),
  };
}
