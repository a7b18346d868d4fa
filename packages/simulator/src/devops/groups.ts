import type { Outcome } from "../http/exchange.ts";
import { sevenDigitTime } from "../time.ts";
import type { World } from "../world.ts";
import type { DevopsCaller } from "./access.ts";
import { refuseDevops } from "./errors.ts";
import type { DevopsOrganization, GroupVariable, VariableGroup } from "./model.ts";

/** The group of that number; names are no keys. */
export function findGroup(organization: DevopsOrganization, id: string): VariableGroup | undefined {
  return organization.groups.find((group) => String(group.id) === id);
}

/** A group as it is answered: a secret's value is null, always (Variablegroups - Get, sample response). */
export function groupShape(organization: DevopsOrganization, group: VariableGroup): Record<string, unknown> {
  const person = (id: string | null) => ({ id: id ?? "00000000-0000-0000-0000-000000000000", displayName: "" });
  return {
    variables: Object.fromEntries(
      Object.entries(group.variables).map(([name, item]) => [
        name,
        {
          value: item.isSecret ? null : item.value,
          ...(item.isSecret ? { isSecret: true } : {}),
          ...(item.isReadOnly ? { isReadOnly: true } : {}),
        },
      ]),
    ),
    id: group.id,
    type: group.type,
    name: group.name,
    description: group.description,
    createdBy: person(null),
    createdOn: sevenDigitTime(group.createdMs, "0000"),
    modifiedBy: person(group.modifiedBy),
    modifiedOn: sevenDigitTime(group.modifiedMs, String(group.revision % 10_000).padStart(4, "0")),
    isShared: group.projects.length > 1,
    variableGroupProjectReferences: group.projects.map((name) => ({
      projectReference: { id: organization.projects.find((project) => project.name === name)?.id, name },
      name: group.name,
      description: group.description,
    })),
  };
}

/** PUT: the map that is sent is the map from then on. A secret sent without a value keeps the one it has. */
export function updateGroup(
  world: World,
  organization: DevopsOrganization,
  group: VariableGroup,
  caller: DevopsCaller,
  text: string,
): Outcome {
  const wish = readWish(text);
  if (wish === null) return refuseDevops(400, "ArgumentException", "Value cannot be null. Parameter name: variables");
  // Without its projects an update is refused as if the caller were not known (vsts-rest-api-specs, issue 531).
  if (wish.projects.length === 0) return refuseDevops(401, "UnauthorizedRequestException", "TF400813");
  if (group.type === "AzureKeyVault") {
    return refuseDevops(400, "ArgumentException", "Variables of a group that is linked to a vault cannot be set.");
  }
  const next: Record<string, GroupVariable> = {};
  for (const [name, sent] of Object.entries(wish.variables)) {
    const before = group.variables[name];
    const keeps = sent.isSecret && sent.value === null && before?.isSecret === true;
    next[name] = keeps ? { ...sent, value: before.value } : sent;
  }
  Object.assign(group, {
    name: wish.name,
    description: wish.description,
    variables: next,
    projects: wish.projects.filter((name) => organization.projects.some((project) => project.name === name)),
    modifiedMs: world.clock.nowMs,
    modifiedBy: caller.objectId,
    revision: group.revision + 1,
  });
  if (organization.auditing) {
    organization.audits.push({
      id: world.random("devops-audit").uuid(),
      atMs: world.clock.nowMs,
      visibleMs: world.clock.nowMs + world.random("devops-audit").between(world.knobs.auditLagSeconds) * 1000,
      actorId: caller.objectId,
      projectName: group.projects[0] ?? "",
      groupName: group.name,
    });
  }
  return {
    reply: { status: 200, body: groupShape(organization, group) },
    effect: true,
    target: { revision: group.revision, variables: Object.keys(next).length },
  };
}

interface Wish {
  name: string;
  description: string;
  variables: Record<string, GroupVariable>;
  projects: string[];
}

function readWish(text: string): Wish | null {
  const body = parse(text);
  if (body === null || typeof body.name !== "string" || body.type !== "Vsts") return null;
  const variables: Record<string, GroupVariable> = {};
  const sent = body.variables;
  if (typeof sent !== "object" || sent === null || Object.keys(sent).length === 0) return null;
  for (const [name, item] of Object.entries(sent as Record<string, unknown>)) {
    if (typeof item !== "object" || item === null) return null;
    const { value, isSecret, isReadOnly } = item as Record<string, unknown>;
    if (value != null && typeof value !== "string") return null;
    variables[name] = { value: value ?? null, isSecret: isSecret === true, isReadOnly: isReadOnly === true };
  }
  const references = Array.isArray(body.variableGroupProjectReferences) ? body.variableGroupProjectReferences : [];
  return {
    name: body.name,
    description: typeof body.description === "string" ? body.description : "",
    variables,
    projects: references.flatMap((item: { projectReference?: { name?: unknown } }) =>
      typeof item.projectReference?.name === "string" ? [item.projectReference.name] : [],
    ),
  };
}

function parse(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
