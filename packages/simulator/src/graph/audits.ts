import type { Incoming, Operation } from "../http/exchange.ts";
import { presentCredentials } from "../tenant/credentials.ts";
import { principalByAppId } from "../tenant/lookup.ts";
import type { Credential, CredentialHolder, DirectoryAudit, KeyCredential, User } from "../tenant/model.ts";
import { parseTime, sevenDigitTime } from "../time.ts";
import type { World } from "../world.ts";
import { graphOperation } from "./call.ts";
import { type HolderKind, pageSize } from "./holders.ts";
import { type Condition, page, QueryError, readFilter, readQuery } from "./odata.ts";
import { limited } from "./report-limit.ts";

const TOP_MAX = 1000;
/** Entries of the page before that a page may begin with. */
const REPEATED = 3;

/** Who changed a credential: a program over Graph, or a person in the portal. */
export type Actor =
  | { readonly appId: string; readonly userAgent: string | null; readonly requestId: string }
  | { readonly user: User; readonly ipAddress: string; readonly requestId: string };

/**
 * Writes what the directory's own audit says of a credential change (with the en dash of live logs), and the line without
 * any key that live logs have beside it.
 */
export function recordAudit(
  world: World,
  actor: Actor,
  kind: HolderKind,
  holder: CredentialHolder,
  before: readonly string[],
  after: readonly string[],
): void {
  const random = world.random("audit");
  const { knobs } = world;
  const { nowMs } = world.clock;
  const byProgram = "appId" in actor;
  const line = (activityDisplayName: string, oldValue: string[] | null, newValue: string[] | null): DirectoryAudit => ({
    id: `Directory_${random.uuid()}_${random.hex(5).toUpperCase()}_${random.integer(10_000_000, 99_999_999)}`,
    atMs: nowMs,
    visibleMs: nowMs + random.between(knobs.auditLagSeconds) * 1000 + lateness(world),
    activityDisplayName,
    correlationId: actor.requestId,
    appId: byProgram ? actor.appId : null,
    actorName: byProgram ? (principalByAppId(world.tenant, actor.appId)?.displayName ?? null) : null,
    user: byProgram
      ? null
      : { id: actor.user.id, userPrincipalName: actor.user.userPrincipalName, ipAddress: actor.ipAddress },
    targetId: holder.id,
    targetName: holder.displayName,
    targetType: kind.noun === "application" ? "Application" : "ServicePrincipal",
    oldValue,
    newValue,
    userAgent: byProgram ? actor.userAgent : null,
  });
  const name =
    kind.noun === "application"
      ? "Update application \u2013 Certificates and secrets management "
      : after.length > before.length
        ? "Add service principal credentials"
        : "Remove service principal credentials";
  if (kind.noun === "application") world.tenant.audits.push(line("Update application", null, null));
  world.tenant.audits.push(line(name, [...before], [...after]));
}

function lateness(world: World): number {
  const random = world.random("audit");
  return random.chance(world.knobs.auditLate) ? random.between(world.knobs.auditLateSeconds) * 1000 : 0;
}

/** Keys of a holder as `KeyDescription` names them, certificates included. */
export function keyDescriptions(holder: CredentialHolder): string[] {
  return [...presentCredentials(holder).map(describe), ...holder.keyCredentials.map(describeCertificate)];
}

function describe(credential: Credential): string {
  const name = credential.displayName ?? "";
  return `[KeyIdentifier=${credential.keyId},KeyType=Password,KeyUsage=Verify,DisplayName=${name}]`;
}

function describeCertificate({ keyId, displayName }: KeyCredential): string {
  return `[KeyIdentifier=${keyId},KeyType=AsymmetricX509Cert,KeyUsage=Verify,DisplayName=${displayName ?? ""}]`;
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
      const context = "v1.0/$metadata#auditLogs/directoryAudits";
      const body = page(incoming, context, inOrder(world, found), query.skip, size, (item) => shape(world, item));
      const repeats = query.skip > 0 && world.random("audit pages").chance(world.knobs.auditRepeat);
      if (repeats) {
        const from = Math.max(0, query.skip - REPEATED);
        const again = inOrder(world, found).slice(from, query.skip);
        body.value = [...again.map((item) => shape(world, item)), ...(body.value as unknown[])];
      }
      return { reply: { status: 200, body }, effect: false };
    },
  });
}

/** Newest first, as the service answers; what is close in time comes in any order, the same on every page. */
function inOrder(world: World, audits: readonly DirectoryAudit[]): DirectoryAudit[] {
  const disorderMs = world.knobs.auditDisorderSeconds * 1000;
  const place = ({ id, atMs }: DirectoryAudit) =>
    disorderMs === 0 ? atMs : atMs + (Number.parseInt(id.slice(10, 18), 16) % disorderMs);
  return audits.toReversed().sort((a, b) => place(b) - place(a));
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
  if (field === "initiatedBy/user/id") return audit.user?.id === value;
  if (field === "targetResources/id") return audit.targetId === value;
  throw new QueryError(`Unsupported filter property '${field}'.`);
}

function shape(world: World, audit: DirectoryAudit): Record<string, unknown> {
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
    initiatedBy: initiator(world, audit),
    targetResources: [
      {
        id: audit.targetId,
        displayName: audit.targetName,
        type: audit.targetType,
        userPrincipalName: null,
        groupType: null,
        modifiedProperties:
          audit.oldValue === null
            ? []
            : [
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

function initiator(world: World, { appId, actorName, user }: DirectoryAudit): Record<string, unknown> {
  if (user !== null) return { user: { ...user, displayName: null }, app: null };
  const servicePrincipalId = principalByAppId(world.tenant, appId ?? "")?.id ?? null;
  return { user: null, app: { appId, displayName: actorName, servicePrincipalId, servicePrincipalName: null } };
}
