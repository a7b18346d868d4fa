import { z } from "zod";
import { connectionBase, secretReference } from "../kit/schema.ts";

/** Entry of a connection (without `kind`) of kind `key-vault`: one vault and the secret names that may be written in it (I12). */
export const KeyVaultConnection = z.strictObject({
  ...connectionBase,
  tenant: z.string().min(1),
  url: z.url(),
  /** Audience of our tokens, e.g. `https://vault.azure.net`; other clouds have their own. */
  audience: z.url(),
  client: z.strictObject({ clientId: z.string().min(1).max(64), secret: secretReference }),
  /** Patterns of secret names; `*` stands for any characters. */
  names: z.array(z.string().min(1).max(127)).min(1).max(200),
  apiVersion: z
    .string()
    .regex(/^[0-9a-z.-]{1,20}$/)
    .optional(),
});
export type KeyVaultConnection = z.infer<typeof KeyVaultConnection>;

/** Names as Key Vault allows them. */
export const secretName = z.string().regex(/^[0-9a-zA-Z-]{1,127}$/);
