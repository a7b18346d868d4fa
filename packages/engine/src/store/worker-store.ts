import { z } from "zod";
import { ClaimedRun, WorkerRow } from "./rows.ts";
import { nothing, row, type Sql, statement } from "./sql.ts";

/** A process of the product as it introduces itself. */
export interface WorkerIdentity {
  /** UUID, new for each process. */
  readonly id: string;
  readonly role: string;
  readonly host: string;
  readonly bootId: string;
  readonly pid: number;
  /** Start time of the process as the host states it: with the pid it names one process. */
  readonly pidStarted: string;
}

/** How long silence means nothing, in real milliseconds. */
export interface Lease {
  readonly leaseMs: number;
  /** Longest outside call: somebody silent may still have one under way. */
  readonly callDeadlineMs: number;
}

/** What to claim. */
export interface ClaimInput extends Lease {
  readonly worker: string;
  /** Domain milliseconds. */
  readonly now: number;
  /** Workers seen to be dead: same host, process gone or another boot. */
  readonly provenDead: readonly string[];
  readonly limit: number;
  /** Most runs of one tenant in workers' hands at a time. */
  readonly tenantMax: number;
  /** Only this run. */
  readonly run?: string;
}

const Other = row({ id: z.string(), host: z.string(), bootId: z.string(), pid: z.int(), pidStarted: z.string() });
const Survey = z.object({
  /** Other workers whose death is not known. */
  others: z.array(Other),
  /** Runs that stand under this worker's name. */
  held: z.array(z.object({ id: z.string(), fence: z.int() })),
  /** Whether a break-glass use waits for its review. */
  unreviewed: z.boolean(),
});
export type Survey = z.output<typeof Survey>;

const Waits = z.object({ due: z.int().nullable(), unresolved: z.boolean(), unreviewed: z.boolean() });
/** What waits for a time; see {@link workerStore}. */
export type Waits = z.output<typeof Waits>;

const unreviewed = `exists (select from cs.break_glass b where not exists (
  select from cs.break_glass_review v where v.run_id = b.run_id and v.result = 'accepted'))`;
const nextDueOf = "select min(not_before) from cs.run where worker is null and not_before is not null";

/** What each sweep asks, and each instant of a clock that is followed. */
const asks = {
  survey: statement(`select
    (select coalesce(jsonb_agg(w), '[]') from cs.worker w where w.id <> $1
      and (w.gone_at is null or exists (select from cs.run r where r.worker = w.id))
      and w.gone_as is distinct from 'proven' and w.gone_as is distinct from 'stopped') as others,
    (select coalesce(jsonb_agg(jsonb_build_object('id', r.id, 'fence', r.fence)), '[]') from cs.run r
      where r.worker = $1) as held,
    ${unreviewed} as unreviewed`),
  waits: statement(`select (${nextDueOf}) as due,
    exists (select from cs.step where outcome is not null and resolved_at is null) as unresolved,
    ${unreviewed} as unreviewed`),
};

/** Claims and leases. `beats` goes over a connection of its own: a beat must not wait behind anything. */
export function workerStore(sql: Sql, beats: Sql) {
  return {
    workerStart: (worker: WorkerIdentity): Promise<void> => beats.call(nothing, "cs.worker_start", { ...worker }),

    /** False: this worker was given up for dead (or was late). It must stop; nothing revives it. */
    beat: (id: string, leaseMs: number): Promise<boolean> => beats.call(z.boolean(), "cs.beat", { id, leaseMs }),

    /** Says good-bye: whatever it still holds is free to take at once. */
    workerStop: (id: string): Promise<void> => beats.call(nothing, "cs.worker_stop", { id }),

    /** Records proof of death, whenever it comes. */
    workerProvenDead: (ids: readonly string[]): Promise<void> =>
      sql.call(nothing, "cs.worker_proven_dead", { ids: [...ids] }),

    /** The login that the database sees: what this process may do hangs on it. */
    async sessionUser(): Promise<string> {
      const user = z.object({ who: z.string() });
      return (await sql.first(user, "select session_user::text as who"))?.who ?? "";
    },

    /** What a sweep has to know before it offers runs. */
    async survey(worker: string): Promise<Survey> {
      return (await sql.first(Survey, asks.survey, [worker])) ?? { others: [], held: [], unreviewed: false };
    },

    /** Workers that hold runs or are not gone. */
    workers: (): Promise<WorkerRow[]> =>
      sql.rows(
        WorkerRow,
        "select * from cs.worker w where gone_at is null or exists (select from cs.run r where r.worker = w.id) order by started_at",
      ),

    worker: (id: string): Promise<WorkerRow | null> =>
      sql.first(WorkerRow, "select * from cs.worker where id = $1", [id]),

    /**
     * Takes due runs and runs left by dead workers, fairly over tenants; each comes with a new fence. Runs of a holder that
     * is silent beyond lease and call deadline are taken too; `provenDead` says which kind it was.
     * Errors: LEASE_LOST when the claiming worker is itself not alive.
     */
    claim: (input: ClaimInput): Promise<ClaimedRun[]> =>
      sql.callRows(ClaimedRun, "cs.claim", {
        worker: input.worker,
        now: input.now,
        leaseMs: input.leaseMs,
        callDeadlineMs: input.callDeadlineMs,
        proven: [...input.provenDead],
        limit: input.limit,
        tenantMax: input.tenantMax,
        run: input.run ?? null,
      }),

    /** Ids of runs that somebody should claim; changes nothing. */
    async dueRuns(
      input: Lease & {
        readonly worker: string;
        readonly now: number;
        readonly provenDead: readonly string[];
        readonly limit: number;
      },
    ): Promise<string[]> {
      const dueRun = z.object({ due_runs: z.string() });
      const rows = await sql.callRows(dueRun, "cs.due_runs", {
        me: input.worker,
        now: input.now,
        leaseMs: input.leaseMs,
        callDeadlineMs: input.callDeadlineMs,
        proven: [...input.provenDead],
        limit: input.limit,
      });
      return rows.map((found) => found.due_runs);
    },

    /** The database's clock, ms since the epoch: only to compare it with ours. */
    async databaseNow(): Promise<number> {
      const time = z.object({ now: z.date() });
      return (await sql.first(time, "select clock_timestamp() as now"))?.now.getTime() ?? 0;
    },

    /** The earliest domain time at which a free run is due; null when none waits for a time. */
    async nextDue(): Promise<number | null> {
      const time = z.object({ due: z.int().nullable() });
      return (await sql.first(time, `select (${nextDueOf}) as due`))?.due ?? null;
    },

    /**
     * What waits for a time: the earliest at which a free run is due, whether a creation or its removal is unresolved, and whether a
     * break-glass use is not reviewed.
     */
    async waits(): Promise<Waits> {
      return (await sql.first(Waits, asks.waits)) ?? { due: null, unresolved: false, unreviewed: false };
    },
  };
}
