import { readBearer } from "../graph/access.ts";
import type { Incoming } from "../http/exchange.ts";
import { principalByAppId } from "../tenant/lookup.ts";
import type { World } from "../world.ts";
import type { DevopsGrant, DevopsOrganization } from "./model.ts";

/** Azure DevOps as a resource of Entra ID (Azure DevOps docs, service principals and managed identities). */
const AUDIENCE = "499b84ac-1321-427f-aa17-267ca6975798";

/** Who calls, and what that caller may do; null for somebody the organization does not know. */
export interface DevopsCaller {
  appId: string;
  /** Object id, as groups and the audit log name a writer. */
  objectId: string;
  grants: DevopsGrant[];
}

/** Reads an Entra token or a personal access token (Basic, any user name). */
export function readCaller(world: World, organization: DevopsOrganization, incoming: Incoming): DevopsCaller | null {
  const claims = readBearer(world, incoming);
  if (claims !== null && claims.aud === AUDIENCE && claims.exp * 1000 > world.clock.nowMs) {
    return callerOf(world, organization, claims.appid);
  }
  const basic = /^Basic (.+)$/i.exec(incoming.headers.authorization ?? "");
  if (basic === null) return null;
  const pat = Buffer.from(String(basic[1]), "base64")
    .toString("utf8")
    .replace(/^[^:]*:/, "");
  const grant = organization.grants.find((item) => item.pat !== null && item.pat === pat);
  return grant === undefined ? null : callerOf(world, organization, grant.appId);
}

function callerOf(world: World, organization: DevopsOrganization, appId: string): DevopsCaller | null {
  const grants = organization.grants.filter((item) => item.appId === appId);
  if (grants.length === 0) return null;
  return { appId, objectId: principalByAppId(world.tenant, appId)?.id ?? appId, grants };
}

/** Whether the caller may read or write the groups of one of these projects. */
export function allows(caller: DevopsCaller, projects: readonly string[], write: boolean): boolean {
  return caller.grants.some(
    (grant) =>
      (grant.project === "*" || projects.includes(grant.project)) && (!write || grant.role === "administrator"),
  );
}
