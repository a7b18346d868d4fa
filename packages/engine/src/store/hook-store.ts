import { z } from "zod";
import { canonicalText, type RunRequest } from "./run-store.ts";
import { row, type Sql } from "./sql.ts";

const outcomes = ["proposed", "open", "known", "ignored", "unlisted", "ambiguous", "rule-failed"] as const;

/** What became of an event. `open`: a run of the application was under way already; `known`: another event had told of it. */
export type HookOutcome = (typeof outcomes)[number];

export const HookEventRow = row({
  hook: z.string(),
  id: z.string(),
  type: z.string(),
  key: z.int(),
  outcome: z.enum(outcomes),
  rule: z.int().nullable(),
  runId: z.string().nullable(),
  at: z.int(),
});
export type HookEventRow = z.output<typeof HookEventRow>;

const HookCount = row({ hook: z.string(), outcome: z.enum(outcomes), count: z.int() });
type HookCount = z.output<typeof HookCount>;

const Taken = z.object({ new: z.boolean(), outcome: z.enum(outcomes), run: z.string().nullable() });

/** Events of webhooks: each is taken once. */
export function hookStore(sql: Sql) {
  return {
    /** Takes an event and files its request, in one transaction. `new` false: it came before, and this is what became of it. */
    hookTake: (event: {
      readonly hook: string;
      readonly id: string;
      readonly type: string;
      readonly key: number;
      readonly outcome: Exclude<HookOutcome, "open" | "known">;
      readonly rule: number | null;
      /** Tenant, application and the directory's entry of what it tells of; null: not known. */
      readonly change: string | null;
      readonly request: RunRequest | null;
      readonly at: number;
      /** How long an event is remembered. */
      readonly keepMs: number;
    }): Promise<z.output<typeof Taken>> => {
      const { request, ...rest } = event;
      const run = request === null ? null : JSON.stringify({ ...request, target: canonicalText(request.target) });
      return sql.call(Taken, "cs.hook_take", { ...rest, run, reason: request?.reason ?? null });
    },

    /** The newest events of all hooks. */
    hookEvents: (limit: number): Promise<HookEventRow[]> =>
      sql.rows(HookEventRow, "select * from cs.hook_event order by at desc, hook, id limit $1", [limit]),

    /** How many events of each outcome each hook took since an instant. */
    hookCounts: (since: number): Promise<HookCount[]> =>
      sql.rows(
        HookCount,
        "select hook, outcome, count(*)::int as count from cs.hook_event where at >= $1 group by hook, outcome",
        [since],
      ),
  };
}
