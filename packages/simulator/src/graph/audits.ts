import type { Incoming, Operation } from "../http/exchange.ts";
import { principalByAppId } from "../tenant/lookup.ts";
import type { Credential, CredentialHolder, DirectoryAudit } from "../tenant/model.ts";
import { parseTime, sevenDigitTime } from "../time.ts";
import type { World } from "../world.ts";
import { type GraphCall, graphOperation } from "./call.ts";
import { type HolderKind, pageSize } from "./holders.ts";
import { type Condition, page, QueryError, readFilter, readQuery } from "./odata.ts";
import { limited } from "./report-limit.ts";

const TOP_MAX = 1000;

/** Writes what the directory's own audit says of a credential change (with the en dash of live logs). */
export function recordAudit(
  call: GraphCall,
  kind: HolderKind,
  holder: CredentialHolder,
  before: readonly Credential[],
  after: readonly Credential[],
): void {
  const { world, incoming } = call;
  const random = world.random("audit");
  const { nowMs } = world.clock;
  const added = after.length > before.length;
  world.tenant.audits.push({
    id: `Directory_${random.uuid()}_${random.hex(5).toUpperCase()}_${random.integer(10_000_000, 99_999_999)}`,
    atMs: nowMs,
    visibleMs: nowMs + random.between(world.knobs.auditLagSeconds) * 1000,
    activityDisplayName:
      kind.noun === "application"
        ? "Update application \u2013 Certificates and secrets management "
        : added
          ? "Add service principal credentials"
          : "Remove service principal credentials",
    correlationId: incoming.requestId,
    appId: call.claims.appid,
    targetId: holder.id,
    targetName: holder.displayName,
    targetType: kind.noun === "application" ? "Application" : "ServicePrincipal",
    oldValue: before.map(describe),
    newValue: after.map(describe),
    userAgent: incoming.userAgent,
  });
}

function describe(credential: Credential): string {
  const name = credential.displayName ?? "";
  return `[KeyIdentifier=${credential.keyId},KeyType=Password,KeyUsage=Verify,DisplayName=${name}]`;
}

/** GET auditLogs/directoryAudits. */
export function listAudits(world: World, incoming: Incoming): Operation {
  return graphOperation(world, incoming, {
    op: "directoryAudits.list",
    roles: ["AuditLog.Read.All"],
    run(call) {
      const stop = limited(call);
      if (stop !== null) return stop;
      const query = readQuery(incoming, TOP_MAX);
      const conditions = readFilter(query.filter);
      const { nowMs } = world.clock;
      const found = world.tenant.audits.filter(
        (audit) => audit.visibleMs <= nowMs && conditions.every((condition) => fits(audit, condition)),
      );
      const size = pageSize(world, query.top ?? TOP_MAX);
      // Newest first, as the service answers.
      const body = page(
        incoming,
        "v1.0/$metadata#auditLogs/directoryAudits",
        found.toReversed(),
        query.skip,
        size,
        (item) => shape(world, item),
      );
      return { reply: { status: 200, body }, effect: false };
    },
  });
}

function fits(audit: DirectoryAudit, { field, operator, value }: Condition): boolean {
  if (field === "activityDateTime") {
    const at = parseTime(value);
    if (at === null) throw new QueryError("Invalid filter clause.");
    if (operator === "ge") return audit.atMs >= at;
    if (operator === "le") return audit.atMs <= at;
    if (operator === "gt") return audit.atMs > at;
    if (operator === "lt") return audit.atMs < at;
    return audit.atMs === at;
  }
  if (field === "activityDisplayName") {
    return operator === "startswith"
      ? audit.activityDisplayName.startsWith(value)
      : audit.activityDisplayName === value;
  }
  if (field === "loggedByService") return value === "Core Directory";
  if (field === "initiatedBy/app/appId") return audit.appId === value;
  if (field === "targetResources/id") return audit.targetId === value;
  throw new QueryError(`Unsupported filter property '${field}'.`);
}

function shape(world: World, audit: DirectoryAudit): Record<string, unknown> {
  const actor = principalByAppId(world.tenant, audit.appId ?? "");
  return {
    id: audit.id,
    category: "ApplicationManagement",
    correlationId: audit.correlationId,
    result: "success",
    resultReason: "",
    activityDisplayName: audit.activityDisplayName,
    activityDateTime: sevenDigitTime(audit.atMs, "1234"),
    loggedByService: "Core Directory",
    operationType: "Update",
    initiatedBy: {
      user: null,
      app: {
        appId: audit.appId,
        displayName: actor?.displayName ?? null,
        servicePrincipalId: actor?.id ?? null,
        servicePrincipalName: null,
      },
    },
    targetResources: [
      {
        id: audit.targetId,
        displayName: audit.targetName,
        type: audit.targetType,
        userPrincipalName: null,
        groupType: null,
        modifiedProperties: [
          {
            displayName: "KeyDescription",
            oldValue: JSON.stringify(audit.oldValue),
            newValue: JSON.stringify(audit.newValue),
          },
          { displayName: "Included Updated Properties", oldValue: null, newValue: '"KeyDescription"' },
        ],
      },
    ],
    additionalDetails: audit.userAgent === null ? [] : [{ key: "User-Agent", value: audit.userAgent }],
  };
}
