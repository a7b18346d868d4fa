import { z } from "zod";
import { Time } from "./common.ts";

/** A period, of which everything is wanted: from an instant on, until before another. */
export const PopulationRequest = z
  .strictObject({
    from: Time,
    to: Time,
    /** The auditor's own seed, and how many of each list to draw. */
    sample: z
      .strictObject({ seed: z.string().regex(/^[\x21-\x7e]{1,64}$/), size: z.int().min(1).max(10_000) })
      .nullable(),
  })
  .refine(({ from, to }) => Date.parse(from) < Date.parse(to), "expected a period that ends after it begins")
  .refine(({ from, to }) => Date.parse(to) - Date.parse(from) <= 4_000 * 86_400_000, "expected at most 4000 days");

const count = z.int().nonnegative();

/** What people are shown of population.json; what is in it as a whole: docs/evidence-format.md. */
export const PeriodSummary = z.object({
  at: Time,
  from: Time,
  to: Time,
  counts: z.object({
    breakGlass: count,
    changes: count,
    explained: count,
    ours: count,
    outOfBand: count,
    runs: count,
    unknown: count,
  }),
  gaps: z.array(z.object({ tenant: z.string(), from: Time, to: Time, why: z.string() })),
  log: z.object({ origin: z.string(), size: count, start: count }),
  sample: z.object({ seed: z.string(), size: count, changes: z.array(count), runs: z.array(count) }).nullable(),
  tenants: z.array(
    z.object({
      name: z.string(),
      queries: z.array(z.string()),
      reads: count,
      daysWithout: z.array(z.string()),
      unreadable: count,
      late: count,
    }),
  ),
});
export type PeriodSummary = z.infer<typeof PeriodSummary>;
