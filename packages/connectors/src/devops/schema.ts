import { z } from "zod";
import { connectionBase, secretReference } from "../kit/schema.ts";

/** Entry of a connection (without `kind`) of kind `devops`: one organization and the variables that may be written (I12). */
export const DevopsConnection = z.strictObject({
  ...connectionBase,
  /** `https://dev.azure.com/<organization>`. */
  url: z.url(),
  tenant: z.string().min(1),
  /** A service principal that was added to the organization, or a personal access token. */
  client: z.strictObject({ clientId: z.string().min(1).max(64), secret: secretReference }).optional(),
  pat: secretReference.optional(),
  /** Patterns `project/group number/variable`; `*` stands for any characters except `/`. */
  names: z.array(z.string().min(1).max(300)).min(1).max(200),
  /** Address of the organization's audit log, `https://auditservice.dev.azure.com/<organization>`; null: not watched. */
  audit: z.url().nullable(),
});
export type DevopsConnection = z.infer<typeof DevopsConnection>;

/** Where a variable stands, as plans name it. */
export const variableTarget = {
  project: z.string().min(1).max(64),
  group: z.int().min(1),
  variable: z.string().min(1).max(127),
};
