import type { Incoming, Operation, Surface } from "../http/exchange.ts";
import { routeSharePoint } from "../sharepoint/routes.ts";
import type { World } from "../world.ts";
import { readBearer } from "./access.ts";
import { listAudits } from "./audits.ts";
import { listChanges } from "./delta.ts";
import { graphFailure, refuse } from "./errors.ts";
import { getGraph, isGraph, listGranted } from "./granted.ts";
import { getHolder, type HolderKind, listHolders, listOwners } from "./holders.ts";
import { addPassword, patchHolder, removePassword } from "./passwords.ts";
import { getDefaultPolicy, listAppliesTo, listOwnPolicies, listPolicies } from "./policies.ts";
import { listActivities, listSignIns } from "./sign-ins.ts";

const KINDS: Record<string, HolderKind> = {
  applications: { collection: "applications", noun: "application" },
  servicePrincipals: { collection: "servicePrincipals", noun: "servicePrincipal" },
};

const HOLDER =
  /^\/v1\.0\/(applications|servicePrincipals)(?:\/([^/(]+)|(\(appId='[^']+'\)))?(?:\/(?:microsoft\.graph\.)?(\w+))?$/;

/** Microsoft Graph, as far as it is simulated. */
export function createGraphSurface(world: World): Surface {
  return {
    name: "graph",
    resolve: (incoming) => route(world, incoming) ?? unknown(world, incoming),
    fail: (request, incoming) => graphFailure(world, request, incoming),
  };
}

function route(world: World, incoming: Incoming): Operation | null {
  const { method, path } = incoming;
  if (method === "GET" && path === "/v1.0/policies/defaultAppManagementPolicy")
    return getDefaultPolicy(world, incoming);
  if (method === "GET" && path === "/v1.0/policies/appManagementPolicies") return listOwnPolicies(world, incoming);
  const applied = /^\/v1\.0\/policies\/appManagementPolicies\/([^/]+)\/appliesTo$/.exec(path);
  if (method === "GET" && applied !== null) return listAppliesTo(world, incoming, String(applied[1]));
  if (method === "GET" && path === "/v1.0/auditLogs/directoryAudits") return listAudits(world, incoming);
  if (method === "GET" && path === "/beta/auditLogs/signIns") return listSignIns(world, incoming);
  if (method === "GET" && path === "/beta/reports/appCredentialSignInActivities")
    return listActivities(world, incoming);
  const shared = method === "GET" ? routeSharePoint(world, incoming) : null;
  if (shared !== null) return shared;
  const match = HOLDER.exec(path);
  const kind = KINDS[match?.[1] ?? ""];
  if (match === null || kind === undefined) return null;
  const key = match[2] ?? match[3];
  const rest = match[4];
  if (key === "delta") return method === "GET" && rest === undefined ? listChanges(world, incoming, kind) : null;
  if (key === undefined) return method === "GET" && rest === undefined ? listHolders(world, incoming, kind) : null;
  return method === "POST" ? action(world, incoming, kind, key, rest) : member(world, incoming, kind, key, rest);
}

function action(world: World, incoming: Incoming, kind: HolderKind, key: string, verb: string | undefined) {
  if (verb === "addPassword") return addPassword(world, incoming, kind, key);
  if (verb === "removePassword") return removePassword(world, incoming, kind, key);
  return null;
}

function member(world: World, incoming: Incoming, kind: HolderKind, key: string, rest: string | undefined) {
  if (incoming.method === "PATCH" && rest === undefined) return patchHolder(world, incoming, kind, key);
  if (incoming.method !== "GET") return null;
  if (rest === undefined && kind.noun === "servicePrincipal" && isGraph(world, key)) return getGraph(world, incoming);
  if (rest === "appRoleAssignments" && kind.noun === "servicePrincipal") return listGranted(world, incoming, key);
  if (rest === undefined) return getHolder(world, incoming, kind, key);
  if (rest === "owners") return listOwners(world, incoming, kind, key);
  if (rest === "appManagementPolicies" && kind.noun === "application") return listPolicies(world, incoming, key);
  return null;
}

function unknown(world: World, incoming: Incoming): Operation {
  return {
    op: "unknown",
    write: false,
    caller: readBearer(world, incoming)?.appid ?? null,
    target: { path: incoming.path.slice(0, 200), method: incoming.method },
    carryOut: () =>
      refuse(
        world,
        incoming,
        400,
        "BadRequest",
        `Resource not found for the segment '${incoming.path.slice(0, 200)}'.`,
      ),
  };
}
