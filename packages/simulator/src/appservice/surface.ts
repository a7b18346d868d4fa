import type { TokenClaims } from "../entra/token-keys.ts";
import { readBearer } from "../graph/access.ts";
import type { Incoming, Operation, Outcome, Surface } from "../http/exchange.ts";
import type { World } from "../world.ts";
import { listActivity } from "./activity.ts";
import { armFailure, refuseArm } from "./errors.ts";
import type { AppSite } from "./model.ts";
import * as operations from "./operations.ts";

const AUDIENCES = new Set([
  "https://management.azure.com",
  "https://management.azure.com/",
  "https://management.core.windows.net/",
]);

/** One call to Azure Resource Manager on its way through a route. */
export interface ArmCall {
  world: World;
  incoming: Incoming;
  site: AppSite;
  /** Resource id of the app or slot. */
  resourceId: string;
  /** Object id and client id of the caller. */
  caller: string;
  appId: string;
  /** Last part of the path where a single reference is asked for. */
  item: string | null;
}

interface Route {
  op: string;
  write: boolean;
  /** `reader` may read; the list of settings needs more, since it shows values. */
  role: "contributor" | "reader";
  run(call: ArmCall): Outcome;
}

const route = (op: string, role: Route["role"], run: Route["run"], write = false): Route => ({ op, write, role, run });

const ROUTES: Record<string, Route> = {
  "GET ": route("site.get", "reader", operations.getSite),
  "POST /config/appsettings/list": route("appSettings.list", "contributor", operations.listSettings),
  "PUT /config/appsettings": route("appSettings.update", "contributor", operations.updateSettings, true),
  "GET /config/slotconfignames": route("slotConfigNames.get", "reader", operations.getSlotConfigNames),
  "GET /config/configreferences/appsettings": route("references.list", "reader", operations.listReferences),
  "POST /config/configreferences/appsettings/refresh": route(
    "references.refresh",
    "contributor",
    operations.refresh,
    true,
  ),
};

/** App Service under Azure Resource Manager: apps, slots, their settings and references. */
export function createArmSurface(world: World): Surface {
  return {
    name: "arm",
    resolve: (incoming) => resolve(world, incoming),
    fail: (request) => armFailure(request),
  };
}

function resolve(world: World, incoming: Incoming): Operation {
  const claims = readBearer(world, incoming);
  const log = /^\/subscriptions\/([^/]+)\/providers\/microsoft\.insights\/eventtypes\/management\/values$/i.exec(
    incoming.path,
  );
  if (log !== null && incoming.method === "GET") {
    return {
      op: "activityLog.list",
      write: false,
      caller: claims?.appid ?? null,
      target: { subscription: String(log[1]) },
      carryOut: () => refuseToken(world, claims) ?? listActivity(world, incoming, String(log[1])),
    };
  }
  const match =
    /^(\/subscriptions\/([^/]+)\/resourceGroups\/([^/]+)\/providers\/Microsoft\.Web\/sites\/([^/]+)(?:\/slots\/([^/]+))?)(\/.*)?$/i.exec(
      incoming.path,
    );
  const [, resourceId = "", subscription = "", group = "", name = "", slot, rest = ""] = match ?? [];
  const one = /^(\/config\/configreferences\/appsettings)\/([^/]+)$/i.exec(rest);
  const single = one !== null && one[2]?.toLowerCase() !== "refresh";
  const found: Route | undefined = single
    ? incoming.method === "GET"
      ? route("references.get", "reader", operations.getReference)
      : undefined
    : ROUTES[`${incoming.method} ${rest.toLowerCase()}`];
  return {
    op: found?.op ?? "unknown",
    write: found?.write ?? false,
    caller: claims?.appid ?? null,
    target: { site: slot === undefined ? name : `${name}/${slot}`, resourceGroup: group },
    carryOut() {
      const refusal = refuseToken(world, claims);
      if (refusal !== null || claims === null) return refusal ?? refuseArm(401, "AuthenticationFailed", "");
      if (incoming.query.get("api-version") === null)
        return refuseArm(400, "MissingApiVersionParameter", "The api-version query parameter is required.");
      const site = world.tenant.sites.find(
        (item) =>
          subscription === world.tenant.subscription &&
          item.resourceGroup.toLowerCase() === group.toLowerCase() &&
          item.site.toLowerCase() === name.toLowerCase() &&
          (item.slot ?? undefined)?.toLowerCase() === slot?.toLowerCase(),
      );
      if (site === undefined || found === undefined)
        return refuseArm(404, "ResourceNotFound", `The Resource 'Microsoft.Web/sites/${name}' was not found.`);
      const grant = site.grants.find((item) => item.appId === claims.appid);
      if (grant === undefined || (found.role === "contributor" && grant.role !== "contributor"))
        return refuseArm(403, "AuthorizationFailed", `The client does not have authorization for ${found.op}.`);
      return found.run({
        world,
        incoming,
        site,
        resourceId,
        caller: claims.oid,
        appId: claims.appid,
        item: single ? String(one[2]) : null,
      });
    },
  };
}

function refuseToken(world: World, claims: TokenClaims | null): Outcome | null {
  if (claims === null) return refuseArm(401, "AuthenticationFailed", "Authentication failed.");
  if (!AUDIENCES.has(claims.aud)) return refuseArm(401, "InvalidAuthenticationTokenAudience", "Wrong audience.");
  return claims.exp * 1000 <= world.clock.nowMs
    ? refuseArm(401, "ExpiredAuthenticationToken", "The access token has expired.")
    : null;
}
