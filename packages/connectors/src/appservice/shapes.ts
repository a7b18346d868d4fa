import { z } from "zod";
import { vendorTime } from "../kit/time.ts";

/** An app or slot (Web Apps - Get). */
export const Site = z.object({
  id: z.string().min(1).max(1_024),
  identity: z.object({ principalId: z.string().max(64).nullish() }).nullish(),
  properties: z.object({ defaultHostName: z.string().min(1).max(260) }),
});

/** All settings of an app with their values (Web Apps - List Application Settings). */
export const Settings = z.object({ properties: z.record(z.string(), z.string()) });

/** Names of settings that stay with their slot (Web Apps - List Slot Configuration Names). They belong to the app. */
export const SlotConfigNames = z.object({
  properties: z.object({ appSettingNames: z.array(z.string()).nullish() }),
});

/** One Key Vault reference (Web Apps - Get App Setting Key Vault Reference). */
export const Reference = z.object({
  properties: z.object({
    reference: z.string().max(2_048).nullish(),
    status: z.string().max(64).nullish(),
    secretVersion: z.string().max(64).nullish(),
    activeVersion: z.string().max(64).nullish(),
  }),
});
export type Reference = z.infer<typeof Reference>["properties"];

/** Events of the activity log (Activity Logs - List). */
export const ActivityLog = z.object({
  value: z.array(
    z.object({
      eventTimestamp: vendorTime,
      operationName: z.object({ value: z.string().max(200) }),
      claims: z.record(z.string(), z.string()).nullish(),
    }),
  ),
});

/** Client id of the program that caused an event, lower case; null for a person, or where the log does not say. */
export const causedBy = (event: z.infer<typeof ActivityLog>["value"][number]) =>
  event.claims?.appid?.toLowerCase() ?? null;

/** Azure Resource Manager and App Service word their errors differently. */
export const ArmError = z.union([
  z.object({ error: z.object({ code: z.string() }) }).transform(({ error }) => error.code),
  z.object({ Code: z.string() }).transform(({ Code }) => Code),
]);
