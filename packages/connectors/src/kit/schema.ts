import { z } from "zod";

/** Where a secret is found: `file:` (mode 0600) or `env:`. Configuration never holds the secret itself. */
export const secretReference = z
  .string()
  .max(500)
  .regex(
    /^(file|env):.+$/,
    "expected a secret reference (file:<path> or env:<NAME>); a secret itself may not stand here",
  );

/** What every connection scope says (I12): its name in the configuration and the environment it belongs to. */
export const connectionBase = {
  name: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/),
  environment: z.string().min(1).max(40),
  prod: z.boolean(),
};

/** A step id inside the plan. */
export const stepId = z.string().min(1).max(100);

/** The system of record's entry as plans name it. */
export const recordReference = z.strictObject({ connection: z.string().min(1), name: z.string().min(1) });
