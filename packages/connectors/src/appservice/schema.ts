import { z } from "zod";
import { connectionBase, secretReference } from "../kit/schema.ts";

/** Entry of a connection (without `kind`) of kind `app-service`: one subscription and the settings that may be written (I12). */
export const AppServiceConnection = z.strictObject({
  ...connectionBase,
  tenant: z.string().min(1),
  subscription: z.guid(),
  /** Azure Resource Manager, `https://management.azure.com`; other clouds have their own. */
  url: z.url(),
  /** Audience of our tokens. */
  audience: z.url(),
  client: z.strictObject({ clientId: z.string().min(1).max(64), secret: secretReference }),
  /** Patterns `resource group/app/setting` or `resource group/app/slot/setting`; `*` stands for any characters except `/`. */
  names: z.array(z.string().min(1).max(300)).min(1).max(200),
  /** Whether the activity log is asked for writes of others that ours replaced; each step then waits for the log. */
  watch: z.boolean(),
});
export type AppServiceConnection = z.infer<typeof AppServiceConnection>;

/** Where a setting stands, as plans name it. */
export const settingTarget = {
  resourceGroup: z.string().min(1).max(90),
  site: z.string().min(1).max(60),
  slot: z.string().min(1).max(59).optional(),
  setting: z.string().min(1).max(127),
};
