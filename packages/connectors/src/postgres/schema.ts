import { z } from "zod";
import { connectionBase, secretReference } from "../kit/schema.ts";

/** Role names that we quote and send; anything stranger is refused rather than escaped. */
export const roleName = z.string().regex(/^[a-z_][a-z0-9_]{0,62}$/);

/** Entry of a connection (without `kind`) of kind `postgres`: one database, the rotator's login, and the roles it may touch (I12). */
export const PostgresConnection = z.strictObject({
  ...connectionBase,
  host: z.string().min(1).max(255),
  port: z.int().min(1).max(65_535),
  database: z.string().min(1).max(63),
  user: z.string().min(1).max(63),
  password: secretReference,
  tls: z.discriminatedUnion("mode", [
    z.strictObject({ mode: z.literal("verify-full") }),
    z.strictObject({ mode: z.literal("disable") }),
  ]),
  /** Patterns of role names. */
  roles: z.array(z.string().min(1).max(63)).min(1).max(100),
});
export type PostgresConnection = z.infer<typeof PostgresConnection>;
