import { createHash } from "node:crypto";
import type { Incoming, Operation } from "../http/exchange.ts";
import type { ServicePrincipal } from "../tenant/model.ts";
import type { World } from "../world.ts";
import { graphOperation } from "./call.ts";
import { findHolder, type HolderKind, notFound, READ_ONE } from "./holders.ts";
import { page, readQuery } from "./odata.ts";

const PRINCIPAL: HolderKind = { collection: "servicePrincipals", noun: "servicePrincipal" };
const GRAPH_APP_ID = "00000003-0000-0000-c000-000000000000";
const GRAPH_NAME = "Microsoft Graph";
const PAGE_SIZE = 100;

/** An id that is the same for the same text. */
function idOf(text: string): string {
  const hex = createHash("sha256").update(text).digest("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    "-",
  );
}

const roleId = (role: string) => idOf(`graph role ${role}`);

/** Whether this is the service principal of Graph itself, which listings of this tenant leave out. */
export function isGraph(world: World, key: string): boolean {
  return key === idOf(`graph ${world.tenant.id}`) || key === `(appId='${GRAPH_APP_ID}')`;
}

/** GET the service principal of Graph: whose application permissions have which names. */
export function getGraph(world: World, incoming: Incoming): Operation {
  const id = idOf(`graph ${world.tenant.id}`);
  return graphOperation(world, incoming, {
    op: "servicePrincipal.get",
    roles: READ_ONE,
    target: { objectId: id, appId: GRAPH_APP_ID },
    run() {
      const names = [...new Set(world.tenant.servicePrincipals.flatMap(({ roles }) => roles))].sort();
      const appRoles = names.map((value) => ({
        allowedMemberTypes: ["Application"],
        description: value,
        displayName: value,
        id: roleId(value),
        isEnabled: true,
        origin: "Application",
        value,
      }));
      const body = {
        "@odata.context": `${incoming.origin}/v1.0/$metadata#servicePrincipals/$entity`,
        id,
        appId: GRAPH_APP_ID,
        displayName: GRAPH_NAME,
        appRoles,
      };
      return { reply: { status: 200, body }, effect: false };
    },
  });
}

/** GET which application permissions a service principal holds: those that its tokens carry. */
export function listGranted(world: World, incoming: Incoming, key: string): Operation {
  const holder = findHolder(world, PRINCIPAL, key) as ServicePrincipal | null;
  return graphOperation(world, incoming, {
    op: "servicePrincipal.appRoleAssignments",
    roles: READ_ONE,
    holder,
    target: { objectId: holder?.id ?? key, appId: holder?.appId ?? null },
    run(call) {
      if (holder === null) return notFound(call, key);
      const { skip, top } = readQuery(incoming, PAGE_SIZE);
      const context = `v1.0/$metadata#servicePrincipals('${holder.id}')/appRoleAssignments`;
      const body = page(incoming, context, holder.roles, skip, top ?? PAGE_SIZE, (role) => ({
        id: idOf(`assignment ${holder.id} ${role}`),
        deletedDateTime: null,
        appRoleId: roleId(role),
        createdDateTime: "2026-01-01T00:00:00Z",
        principalDisplayName: holder.displayName,
        principalId: holder.id,
        principalType: "ServicePrincipal",
        resourceDisplayName: GRAPH_NAME,
        resourceId: idOf(`graph ${world.tenant.id}`),
      }));
      return { reply: { status: 200, body }, effect: false };
    },
  });
}
