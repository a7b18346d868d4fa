import { type GrantedPermission, isCode, type ReadContext } from "@countersign/core";
import { z } from "zod";
import { graphCall, graphPages, type Tenant } from "./graph.ts";
import { printedId } from "./schema.ts";
import { page } from "./shapes.ts";

const Assignment = z.object({
  appRoleId: printedId,
  resourceId: printedId,
  resourceDisplayName: z.string().max(1_000).nullish(),
});
const AssignmentPage = page(Assignment);
const Resource = z.object({
  appId: printedId,
  appRoles: z.array(z.object({ id: printedId, value: z.string().max(250).nullish() })).max(5_000),
});

const call = { method: "GET", retry: "safe", effect: false, as: "reader", priority: "low", expect: [200] } as const;
/** APIs of which one client holds permissions; of more nothing is said. */
const resourcesMax = 50;

/**
 * Application permissions that a client of the tenant holds (Graph docs, "List appRoleAssignments granted to a service
 * principal": Application.Read.All is enough), by the names that each API gives its own. Null: they are not to be had.
 */
export async function grantedTo(
  ctx: ReadContext,
  tenant: Tenant,
  clientId: string,
): Promise<readonly GrantedPermission[] | null> {
  try {
    const assigned: z.infer<typeof Assignment>[] = [];
    const path = `/v1.0/servicePrincipals(appId='${encodeURIComponent(clientId)}')/appRoleAssignments`;
    for await (const body of graphPages(ctx, tenant, { ...call, name: "granted.list", path, answer: AssignmentPage }))
      assigned.push(...body.value);
    const apis = new Map<string, Api>();
    for (const { resourceId } of assigned)
      if (!apis.has(resourceId)) {
        // What was not read is not missing.
        if (apis.size === resourcesMax) return null;
        apis.set(resourceId, await apiOf(ctx, tenant, resourceId));
      }
    return assigned.flatMap(({ appRoleId, resourceId, resourceDisplayName }) => {
      const api = apis.get(resourceId);
      const resource = resourceDisplayName ?? resourceId;
      return api === undefined
        ? []
        : [{ resource, resourceAppId: api.appId, permission: api.names.get(appRoleId) ?? appRoleId }];
    });
  } catch (error) {
    if (isCode(error, "OUTSIDE_FORBIDDEN", "OUTSIDE_NOT_FOUND", "OUTSIDE_INVALID")) return null;
    throw error;
  }
}

/** An API: its client id, and what it calls the permissions that it offers, by their ids. */
interface Api {
  readonly appId: string;
  readonly names: ReadonlyMap<string, string>;
}

async function apiOf(ctx: ReadContext, tenant: Tenant, resourceId: string): Promise<Api> {
  const { body } = await graphCall(ctx, tenant, {
    ...call,
    name: "granted.resource",
    path: `/v1.0/servicePrincipals/${encodeURIComponent(resourceId)}`,
    query: { $select: "appId,appRoles" },
    answer: Resource,
  });
  return { appId: body.appId, names: new Map(body.appRoles.map(({ id, value }) => [id, value ?? id])) };
}
