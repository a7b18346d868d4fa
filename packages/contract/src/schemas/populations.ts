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
