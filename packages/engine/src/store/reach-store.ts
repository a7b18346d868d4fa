import { z } from "zod";
import { nothing, row, type Sql } from "./sql.ts";

const time = z.coerce.number().int();

/** How an address answered one login, in domain time. */
export const ReachRow = row({
  role: z.string(),
  address: z.string(),
  answeredAt: time.nullable(),
  failedAt: time.nullable(),
  /** Of the first failure since it last answered; null: it answers. */
  failingSince: time.nullable(),
  /** Of the last failure. */
  code: z.string().nullable(),
});
export type ReachRow = z.output<typeof ReachRow>;

const addressesMax = 4_000;

/** How systems outside last answered. */
export function reachStore(sql: Sql) {
  return {
    /** Takes what this login saw since it last said so; null in a field: nothing new. Error: LIMIT_EXCEEDED. */
    reached: (seen: readonly Omit<ReachRow, "role">[]): Promise<void> =>
      sql.call(nothing, "cs.reached", { seen: JSON.stringify(seen) }),

    reaches: (): Promise<ReachRow[]> =>
      sql.rows(ReachRow, `select * from cs.reach order by address, role limit ${addressesMax}`),
  };
}
