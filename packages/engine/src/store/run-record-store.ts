import { z } from "zod";
import { RunRecordRow } from "./rows.ts";
import { nothing, type Sql } from "./sql.ts";

/** Signed summaries of runs, and who waits for one. */
export function runRecordStore(sql: Sql) {
  return {
    /** The newest signed summary of a run. */
    runRecord: (run: string): Promise<RunRecordRow | null> =>
      sql.first(RunRecordRow, "select size, envelope from cs.run_record where run_id = $1", [run]),

    /** Asks the executor for one over everything the log holds now; returns how many entries that is. Error: NOT_FOUND. */
    recordAsk: (run: string): Promise<number> => sql.call(z.int(), "cs.record_ask", { run }),

    /** Runs whose summary somebody waits for. */
    recordsAsked: async (limit: number): Promise<string[]> =>
      (
        await sql.rows(z.object({ run_id: z.string() }), "select run_id from cs.record_ask order by run_id limit $1", [
          limit,
        ])
      ).map((found) => found.run_id),

    /** Stores a summary made at log size `size`. */
    recordPut: (run: string, size: number, envelope: Uint8Array): Promise<void> =>
      sql.call(nothing, "cs.record_put", { run, size, envelope }),
  };
}
