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
  appRoles: z.array(z.object({ id: printedId, value: z.string().max(250).nullish() })).max(5_000),
});

const call = { method: "GET", retry: "safe", effect: false, as: "reader", priority: "low", expect: [200] } as const;
/** APIs of which one client holds permissions. */
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
    const names = new Map<string, string>();
    for (const id of [...new Set(assigned.map(({ resourceId }) => resourceId))].slice(0, resourcesMax))
      for (const [role, name] of await rolesOf(ctx, tenant, id)) names.set(`${id} ${role}`, name);
    return assigned.map(({ appRoleId, resourceId, resourceDisplayName }) => ({
      resource: resourceDisplayName ?? resourceId,
      permission: names.get(`${resourceId} ${appRoleId}`) ?? appRoleId,
    }));
  } catch (error) {
    if (isCode(error, "OUTSIDE_FORBIDDEN", "OUTSIDE_NOT_FOUND", "OUTSIDE_INVALID")) return null;
    throw error;
  }
}

/** What an API calls the permissions that it offers, by their ids. */
async function rolesOf(ctx: ReadContext, tenant: Tenant, resourceId: string): Promise<Map<string, string>> {
  const { body } = await graphCall(ctx, tenant, {
    ...call,
    name: "granted.resource",
    path: `/v1.0/servicePrincipals/${encodeURIComponent(resourceId)}`,
    query: { $select: "appRoles" },
    answer: Resource,
  });
  return new Map(body.appRoles.map(({ id, value }) => [id, value ?? id]));
}
