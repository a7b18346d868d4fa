import type { SignedWord } from "./break-glass-store.ts";
import { CloseWordRow } from "./rows.ts";
import { nothing, type Sql } from "./sql.ts";

const rowsMax = 1_000;

/** What people signed about closing a held run as it stands. */
export function closeStore(sql: Sql) {
  return {
    /**
     * One person asks, or a second one of security confirms the last word asked. Errors: NOT_FOUND, STATE_CONFLICT (not
     * held, another plan, nothing asked over this list), FORBIDDEN (the first person again, or not security).
     */
    closeSay: (
      word: SignedWord & {
        readonly kind: CloseWordRow["kind"];
        readonly planDigest: string;
        readonly remains: Uint8Array;
      },
    ): Promise<void> => sql.call(nothing, "cs.close_say", { ...word }),

    /** Every word of a run, oldest first. */
    closeWords: (run: string): Promise<CloseWordRow[]> =>
      sql.rows(
        CloseWordRow,
        `select w.*, s.bytes as statement, e.bytes as envelope from cs.close_word w
           join cs.attachment s on s.digest = w.statement_digest join cs.attachment e on e.digest = w.evidence_digest
         where w.run_id = $1 order by w.id limit ${rowsMax}`,
        [run],
      ),
  };
}
