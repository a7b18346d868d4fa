import { z } from "zod";

/** May the person who asks do something, and if not, why. */
export const Permission = z.object({ allowed: z.boolean(), why: z.string().nullable() });
