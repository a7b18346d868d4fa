import { z } from "zod";
import { LockRow, RunRow, StepRow } from "./rows.ts";
import { row, type Sql } from "./sql.ts";

const bytes = z.instanceof(Uint8Array);

/** Everything that is stored about one run, as of one instant. */
export const StoredHistory = row({
  run: RunRow,
  /** Bytes under the run's plan digest. */
  plan: bytes.nullable(),
  steps: z.array(StepRow),
  locks: z.array(LockRow),
  entries: z.array(bytes),
  entryIndexes: z.array(z.coerce.number().int()),
  /** Real time since the holder was gone or last beat, ms; null: nobody holds it. */
  holderSilentMs: z.coerce.number().nullable(),
});
export type StoredHistory = z.output<typeof StoredHistory>;

/** Runs whose history is asked for at once: each may hold thousands of entries. */
const runsMax = 100;

/** Histories of runs, for the invariants. One statement reads a run: log, journal and row are of one instant. */
export function historyStore(sql: Sql) {
  return {
    histories: (runs: readonly string[]): Promise<StoredHistory[]> =>
      sql.rows(
        StoredHistory,
        `select to_jsonb(r) as run, p.body as plan,
            coalesce((select jsonb_agg(to_jsonb(s) order by s.seq) from cs.step s where s.run_id = r.id), '[]') as steps,
            coalesce((select jsonb_agg(to_jsonb(l) order by l.key) from cs.run_lock l where l.run_id = r.id), '[]') as locks,
            array(select e.entry from journal.log_entry e where e.run_id = r.id order by e.run_seq) as entries,
            array(select e.idx from journal.log_entry e where e.run_id = r.id order by e.run_seq) as entry_indexes,
            (extract(epoch from clock_timestamp() - least(w.beat_at, coalesce(w.gone_at, w.beat_at))) * 1000)::bigint as holder_silent_ms
          from cs.run r
            left join cs.plan p on p.digest = r.plan_digest
            left join cs.worker w on w.id = r.worker
          where r.id = any ($1) order by r.created_at, r.id`,
        [runs.slice(0, runsMax)],
      ),

    /** Ids of runs that are open, or that moved at or after an instant; keyset paging by id. */
    async runsToCheck(filter: {
      readonly since: number;
      readonly after: string;
      readonly limit: number;
    }): Promise<string[]> {
      const id = z.object({ id: z.string() });
      const found = await sql.rows(
        id,
        `select id from cs.run where id > $2 and (updated_at >= $1 or not cs.is_final(state)) order by id limit $3`,
        [filter.since, filter.after, Math.min(filter.limit, runsMax)],
      );
      return found.map((one) => one.id);
    },
  };
}
