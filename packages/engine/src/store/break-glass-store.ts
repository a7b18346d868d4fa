import { z } from "zod";
import { BreakGlassRow, ReviewRow } from "./rows.ts";
import { nothing, type Sql } from "./sql.ts";

/** What a person signed about a break-glass use. */
export interface SignedWord {
  readonly run: string;
  readonly person: string;
  readonly role: string;
  readonly level: BreakGlassRow["level"];
  readonly statement: Uint8Array;
  readonly envelope: Uint8Array;
  readonly at: number;
}

const rowsMax = 1_000;

const uses = `select b.*, s.bytes as statement, e.bytes as envelope, cs.bytes as confirmed_statement_bytes,
    ce.bytes as confirmed_envelope_bytes
  from cs.break_glass b
    join cs.attachment s on s.digest = b.statement_digest join cs.attachment e on e.digest = b.evidence_digest
    left join cs.attachment cs on cs.digest = b.confirmed_statement
    left join cs.attachment ce on ce.digest = b.confirmed_evidence`;
const unaccepted =
  "not exists (select from cs.break_glass_review r where r.run_id = b.run_id and r.result = 'accepted')";

/** Break-glass uses: who started alone, who confirmed, who reviewed. */
export function breakGlassStore(sql: Sql) {
  return {
    /**
     * One person alone lets the run start. Errors: STATE_CONFLICT (it does not wait for approval, another plan), FORBIDDEN
     * (the plan does not name this person).
     */
    breakGlassGrant: (word: SignedWord & { readonly planDigest: string; readonly notBefore: number }): Promise<void> =>
      sql.call(nothing, "cs.break_glass_grant", { ...word }),

    /** A second person confirms. Errors: NOT_FOUND, STATE_CONFLICT (confirmed already, or closed), FORBIDDEN. */
    breakGlassConfirm: (word: SignedWord): Promise<void> => sql.call(nothing, "cs.break_glass_confirm", { ...word }),

    /** Somebody else has looked at it. Errors: NOT_FOUND, STATE_CONFLICT (accepted already), FORBIDDEN. */
    breakGlassReview: (word: SignedWord & { readonly result: ReviewRow["result"] }): Promise<void> =>
      sql.call(nothing, "cs.break_glass_review", { ...word }),

    /** The use with which a run began; null: nobody broke the glass. */
    breakGlass: (run: string): Promise<BreakGlassRow | null> =>
      sql.first(BreakGlassRow, `${uses} where b.run_id = $1`, [run]),

    /** Uses, the newest first: all, of one application, or only those that wait for a review. */
    breakGlassUses: (of: { readonly targetKey?: string; readonly waiting?: boolean }): Promise<BreakGlassRow[]> =>
      sql.rows(
        BreakGlassRow,
        `${uses} where ($1::text is null or b.target_key = $1) and (not $2 or ${unaccepted}) order by b.at desc limit ${rowsMax}`,
        [of.targetKey ?? null, of.waiting ?? false],
      ),

    /** What was said of a use afterwards, oldest first. */
    breakGlassReviews: (run: string): Promise<ReviewRow[]> =>
      sql.rows(
        ReviewRow,
        `select r.*, s.bytes as statement, e.bytes as envelope from cs.break_glass_review r
           join cs.attachment s on s.digest = r.statement_digest join cs.attachment e on e.digest = r.evidence_digest
         where r.run_id = $1 order by r.id`,
        [run],
      ),

    /** The first use of an application that no review has accepted, by its run; null: none. */
    unreviewed: (targetKey: string): Promise<string | null> =>
      sql.call(z.string().nullable(), "cs.unreviewed", { targetKey }),

    /** Has a run looked at now, when nobody holds it. */
    wake: (run: string, at: number): Promise<void> => sql.call(nothing, "cs.wake", { run, at }),
  };
}
