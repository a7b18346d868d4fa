import type { CheckpointRef } from "@countersign/evidence";
import { z } from "zod";
import { canonicalText } from "./run-store.ts";
import type { Sql } from "./sql.ts";

/** What a person says who lets work go on over a restored log. */
export interface RestoredWord {
  /** Opaque id. */
  readonly person: string;
  readonly reason: Uint8Array;
  /** What the person was shown, byte for byte. */
  readonly report: Uint8Array;
  /** How far this host had seen the log. */
  readonly seen: CheckpointRef;
  /** The last checkpoint that the restored database holds. */
  readonly signed: CheckpointRef;
  /** Credentials outside that carry our marker and stand in no journal line. */
  readonly unknown: number;
  readonly at: number;
}

const Rested = z.strictObject({ held: z.int(), withdrawn: z.int() });
const runsMax = 1_000;

/** What follows the restore of an older backup. */
export function restoreStore(sql: Sql) {
  return {
    /**
     * Writes `log.restored` and puts every open run to rest: withdrawn before its first effect, held after it. One
     * transaction; whoever holds a run loses it.
     */
    logRestored: (word: RestoredWord): Promise<z.output<typeof Rested>> =>
      sql.call(Rested, "cs.log_restored", {
        ...word,
        seen: canonicalText({ ...word.seen }),
        signed: canonicalText({ ...word.signed }),
      }),

    /** Whether entries of the log were lost after this run began: its journal may say less than what was done. */
    async restoredSince(run: string): Promise<boolean> {
      const text = `select exists (select from journal.log_entry where type = 'log.restored'
        and idx > (select idx from journal.log_entry where run_id = $1 and run_seq = 0)) as since`;
      return (await sql.first(z.object({ since: z.boolean() }), text, [run]))?.since === true;
    },

    /** The nonces that the journal of these runs holds. At most 1,000 runs. */
    async noncesOf(runs: readonly string[]): Promise<string[]> {
      const text = "select nonce from cs.step where run_id = any ($1) and direction = 'do'";
      const found = await sql.rows(z.object({ nonce: z.string() }), text, [runs.slice(0, runsMax)]);
      return found.map(({ nonce }) => nonce);
    },
  };
}
