import { z } from "zod";
import { nothing, type Sql } from "./sql.ts";

/** Acceptances of findings of the fleet: asked by one person, confirmed by a second one, over at a date. */
export function acceptanceStore(sql: Sql) {
  return {
    /**
     * Asks that these findings be accepted as they are seen. Returns the acceptances in their order. Errors: NOT_FOUND,
     * STATE_CONFLICT (not so any more, or asked for already).
     */
    acceptanceAsk: (ask: {
      readonly findings: readonly number[];
      readonly until: number;
      readonly person: string;
      readonly reason: Uint8Array;
      readonly at: number;
    }): Promise<number[]> => sql.call(z.array(z.int()), "cs.acceptance_ask", { ...ask }),

    /** A second person accepts them. Errors: NOT_FOUND, STATE_CONFLICT (over, or something else is seen), FORBIDDEN. */
    acceptanceConfirm: (word: AcceptanceWord): Promise<void> => sql.call(nothing, "cs.acceptance_confirm", { ...word }),

    /** Takes them back. Errors: NOT_FOUND, STATE_CONFLICT (over). */
    acceptanceWithdraw: (word: AcceptanceWord): Promise<void> =>
      sql.call(nothing, "cs.acceptance_withdraw", { ...word }),

    /** Ends those whose date has passed, with an entry each; returns how many. */
    acceptancesExpire: (at: number): Promise<number> => sql.call(z.int(), "cs.acceptances_expire", { at }),

    /** When the next one is over; null: none is open. */
    acceptanceNextEnd: async (): Promise<number | null> =>
      (
        await sql.first(
          z.object({ at: z.int().nullable() }),
          "select min(until_at) as at from cs.acceptance where ended_at is null",
        )
      )?.at ?? null,

    /** Who asked for these. */
    acceptancesAskedBy: async (ids: readonly number[]): Promise<string[]> =>
      (
        await sql.rows(
          z.object({ asked_by: z.string() }),
          "select distinct asked_by from cs.acceptance where id = any ($1)",
          [ids],
        )
      ).map((found) => found.asked_by),
  };
}

/** What a person says about acceptances. */
export interface AcceptanceWord {
  readonly acceptances: readonly number[];
  readonly person: string;
  readonly at: number;
}
