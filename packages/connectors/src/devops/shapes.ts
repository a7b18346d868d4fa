import { z } from "zod";
import { vendorTime } from "../kit/time.ts";

/** A variable as it is answered; whatever else stands there is sent back as it was read. */
const Variable = z.looseObject({ value: z.string().nullish(), isSecret: z.boolean().nullish() });

const ProjectReference = z.looseObject({
  projectReference: z.looseObject({ id: z.string().min(1).max(64), name: z.string().min(1).max(64) }),
});

/** A variable group (Azure DevOps REST 7.1, Variablegroups - Get). */
export const VariableGroup = z.object({
  id: z.int(),
  type: z.string().max(64),
  name: z.string().max(256),
  description: z.string().nullish(),
  createdOn: vendorTime,
  modifiedOn: vendorTime,
  modifiedBy: z.object({ id: z.string().min(1).max(128) }),
  variables: z.record(z.string(), Variable),
  variableGroupProjectReferences: z.array(ProjectReference).min(1).max(500),
  providerData: z.json().optional(),
});
export type VariableGroup = z.infer<typeof VariableGroup>;

/** Who our credential is to the organization. */
export const ConnectionData = z.object({ authenticatedUser: z.object({ id: z.string().min(1).max(128) }) });

/** A page of the audit log (Auditing - Query). */
export const AuditLog = z.object({
  decoratedAuditLogEntries: z.array(
    z.object({
      actionId: z.string().max(200),
      timestamp: vendorTime,
      actorUserId: z.string().max(128).nullish(),
      data: z.looseObject({ VariableGroupName: z.string().nullish() }).nullish(),
    }),
  ),
  hasMore: z.boolean().nullish(),
});

export const DevopsError = z.object({ typeKey: z.string() });
