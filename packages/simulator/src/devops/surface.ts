import type { Incoming, Operation, Outcome, Surface } from "../http/exchange.ts";
import { isoTime, parseTime } from "../time.ts";
import type { World } from "../world.ts";
import { allows, readCaller } from "./access.ts";
import { devopsFailure, refuseDevops, signInPage } from "./errors.ts";
import { findGroup, groupShape, updateGroup } from "./groups.ts";
import type { DevopsOrganization } from "./model.ts";

const API_VERSIONS = new Set(["7.1", "7.2-preview.2"]);

/** Variable groups and the audit log of one organization (Azure DevOps REST 7.1). */
export function createDevopsSurface(world: World, organization: DevopsOrganization): Surface {
  return {
    name: `devops ${organization.name}`,
    resolve: (incoming) => resolve(world, organization, incoming),
    fail: (request) => devopsFailure(request),
  };
}

/** `/{org}/{project}/_apis/…` reads, `/{org}/_apis/…` writes: since 6.0 a group belongs to the organization. */
function resolve(world: World, organization: DevopsOrganization, incoming: Incoming): Operation {
  const match =
    /^\/([^/]+)(?:\/([^/]+))?\/_apis\/(distributedtask\/variablegroups\/(\d+)|audit\/auditlog|connectionData)$/.exec(
      incoming.path,
    );
  const [, name = "", project = null, route = "", groupId = null] = match ?? [];
  const op =
    groupId !== null && incoming.method === "GET" && project !== null
      ? "variableGroup.get"
      : groupId !== null && incoming.method === "PUT" && project === null
        ? "variableGroup.update"
        : route === "audit/auditlog" && incoming.method === "GET"
          ? "auditLog.query"
          : route === "connectionData" && incoming.method === "GET"
            ? "connectionData.get"
            : "unknown";
  const caller = readCaller(world, organization, incoming);
  return {
    op,
    write: op === "variableGroup.update",
    caller: caller?.appId ?? null,
    target: { organization: organization.name, project, group: groupId },
    carryOut(): Outcome {
      if (caller === null) return signInPage();
      if (op === "unknown" || name !== organization.name)
        return refuseDevops(404, "VssResourceNotFoundException", "The resource was not found.");
      if (op === "connectionData.get")
        return { reply: { status: 200, body: { authenticatedUser: { id: caller.objectId } } }, effect: false };
      if (!API_VERSIONS.has(incoming.query.get("api-version") ?? ""))
        return refuseDevops(400, "VssVersionNotSpecifiedException", "No api-version was supplied for the request.");
      if (op === "auditLog.query") return queryAudit(world, organization, incoming);
      const group = findGroup(organization, groupId ?? "");
      const seen = group !== undefined && (project === null || group.projects.includes(project));
      if (!seen || !allows(caller, group.projects, false))
        return refuseDevops(
          404,
          "VariableGroupNotFoundException",
          `VS402962: Variable group ${groupId} was not found.`,
        );
      if (op === "variableGroup.get")
        return { reply: { status: 200, body: groupShape(organization, group) }, effect: false };
      if (!allows(caller, group.projects, true))
        return refuseDevops(403, "AccessDeniedException", "You do not have permission to update this variable group.");
      return updateGroup(world, organization, group, caller, incoming.body);
    },
  };
}

/** Auditing - Query: entries between two times, newest first, once they are to be seen. */
function queryAudit(world: World, organization: DevopsOrganization, incoming: Incoming): Outcome {
  if (!organization.auditing) return refuseDevops(403, "AccessDeniedException", "Auditing is not enabled.");
  const from = parseTime(incoming.query.get("startTime")) ?? 0;
  const to = parseTime(incoming.query.get("endTime")) ?? Number.POSITIVE_INFINITY;
  const { nowMs } = world.clock;
  const entries = organization.audits.filter((item) => item.visibleMs <= nowMs && item.atMs >= from && item.atMs <= to);
  return {
    reply: {
      status: 200,
      body: {
        decoratedAuditLogEntries: entries.toReversed().map((item) => ({
          id: item.id,
          actionId: "Library.VariableGroupModifiedForProject",
          area: "Library",
          category: "modify",
          timestamp: isoTime(item.atMs),
          actorUserId: item.actorId,
          projectName: item.projectName,
          data: { VariableGroupName: item.groupName, ProjectName: item.projectName },
        })),
        continuationToken: null,
        hasMore: false,
      },
    },
    effect: false,
  };
}
