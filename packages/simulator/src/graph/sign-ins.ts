import type { Incoming, Operation } from "../http/exchange.ts";
import { principalByAppId } from "../tenant/lookup.ts";
import type { SignIn } from "../tenant/model.ts";
import { isoTime, parseTime } from "../time.ts";
import type { World } from "../world.ts";
import { graphOperation } from "./call.ts";
import { pageSize } from "./holders.ts";
import { type Condition, page, QueryError, readFilter, readQuery } from "./odata.ts";
import { limited } from "./report-limit.ts";
import { signInsOf } from "./sign-ins-by-app.ts";

const TOP_MAX = 1000;
const ROLES = ["AuditLog.Read.All"];

/** GET beta/auditLogs/signIns: the source by which use of one key is told from use of another. */
export function listSignIns(world: World, incoming: Incoming): Operation {
  return graphOperation(world, incoming, {
    op: "signIns.list",
    roles: ROLES,
    target: { appId: /appId eq '([^']+)'/.exec(incoming.query.get("$filter") ?? "")?.[1] ?? null },
    run(call) {
      const stop = limited(call);
      if (stop !== null) return stop;
      const query = readQuery(incoming, TOP_MAX);
      const conditions = readFilter(query.filter);
      const { nowMs } = world.clock;
      const { signIns } = world.tenant;
      const app = valueOf(conditions, "appId");
      const found = (app === undefined ? signIns : signInsOf(signIns, app)).filter(
        (signIn) => signIn.visibleMs <= nowMs && conditions.every((condition) => fits(signIn, condition)),
      );
      const ordered = query.order === "createdDateTime asc" ? found : found.toReversed();
      const size = pageSize(world, query.top ?? TOP_MAX);
      const body = page(incoming, "beta/$metadata#auditLogs/signIns", ordered, query.skip, size, (item) =>
        shape(item, principalByAppId(world.tenant, item.appId)),
      );
      return { reply: { status: 200, body }, effect: false };
    },
  });
}

function fits(signIn: SignIn, { field, operator, value }: Condition): boolean {
  switch (field) {
    case "signInEventTypes":
      return value === "servicePrincipal";
    case "appId":
      return signIn.appId === value;
    case "servicePrincipalCredentialKeyId":
      return signIn.keyId === value;
    case "status/errorCode":
      return String(signIn.errorCode) === value;
    case "createdDateTime": {
      const at = parseTime(value);
      if (at === null) throw new QueryError("Invalid filter clause.");
      if (operator === "ge") return signIn.atMs >= at;
      if (operator === "le") return signIn.atMs <= at;
      if (operator === "gt") return signIn.atMs > at;
      if (operator === "lt") return signIn.atMs < at;
      return signIn.atMs === at;
    }
    default:
      throw new QueryError(`Unsupported filter property '${field}'.`);
  }
}

function shape(signIn: SignIn, sp: { id: string; displayName: string } | undefined): Record<string, unknown> {
  return {
    id: signIn.id,
    createdDateTime: isoTime(signIn.atMs),
    appId: signIn.appId,
    appDisplayName: sp?.displayName ?? null,
    clientCredentialType: "clientSecret",
    correlationId: signIn.correlationId,
    ipAddress: signIn.ipAddress,
    resourceDisplayName: signIn.resource === "https://vault.azure.net" ? "Azure Key Vault" : "Microsoft Graph",
    servicePrincipalCredentialKeyId: signIn.keyId,
    servicePrincipalCredentialThumbprint: null,
    servicePrincipalId: sp?.id ?? null,
    servicePrincipalName: sp?.displayName ?? null,
    signInEventTypes: ["servicePrincipal"],
    status: {
      errorCode: signIn.errorCode,
      failureReason: signIn.errorCode === 0 ? null : "Invalid client secret provided.",
      additionalDetails: null,
    },
    isInteractive: false,
  };
}

/** GET beta/reports/appCredentialSignInActivities: last use per credential, late. */
export function listActivities(world: World, incoming: Incoming): Operation {
  return graphOperation(world, incoming, {
    op: "activities.list",
    roles: ROLES,
    run(call) {
      const stop = limited(call);
      if (stop !== null) return stop;
      const query = readQuery(incoming, TOP_MAX);
      const conditions = readFilter(query.filter);
      const items = activities(world, conditions).filter((item) =>
        conditions.every(({ field, operator, value }) => {
          if (operator !== "eq" || !["keyId", "appId"].includes(field)) {
            throw new QueryError(`Unsupported filter property '${field}'.`);
          }
          return item[field] === value;
        }),
      );
      const size = pageSize(world, query.top ?? TOP_MAX);
      const context = "beta/$metadata#reports/appCredentialSignInActivities";
      const body = page(incoming, context, items, query.skip, size, (item) => item);
      return { reply: { status: 200, body }, effect: false };
    },
  });
}

/** What a field has to be equal to; undefined: anything. */
function valueOf(conditions: readonly Condition[], field: string): string | undefined {
  return conditions.find((condition) => condition.field === field && condition.operator === "eq")?.value;
}

/** Activities of the applications that the conditions may be about. */
function activities(world: World, conditions: readonly Condition[]): Record<string, unknown>[] {
  const [, lagSeconds] = world.knobs.activityLagSeconds;
  const horizonMs = world.clock.nowMs - lagSeconds * 1000;
  const appId = valueOf(conditions, "appId");
  const keyId = valueOf(conditions, "keyId");
  const applications = world.tenant.applications.filter(
    (app) =>
      (appId === undefined || app.appId === appId) &&
      (keyId === undefined || app.credentials.some((credential) => credential.keyId === keyId)),
  );
  return applications.flatMap((app) => {
    const last = new Map<string, SignIn>();
    for (const signIn of signInsOf(world.tenant.signIns, app.appId)) {
      if (signIn.keyId !== null && signIn.errorCode === 0 && signIn.atMs <= horizonMs) last.set(signIn.keyId, signIn);
    }
    return app.credentials.flatMap((credential) => {
      const signIn = last.get(credential.keyId);
      if (signIn === undefined) return [];
      const sp = principalByAppId(world.tenant, app.appId);
      return [
        {
          id: Buffer.from(`${credential.keyId}|application`).toString("base64"),
          keyId: credential.keyId,
          keyType: "clientSecret",
          keyUsage: "verify",
          appId: app.appId,
          appObjectId: app.id,
          servicePrincipalObjectId: sp?.id ?? null,
          resourceId: "00000003-0000-0000-c000-000000000000",
          credentialOrigin: "application",
          createdDateTime: isoTime(credential.createdMs),
          expirationDateTime: isoTime(credential.endMs),
          signInActivity: { lastSignInDateTime: isoTime(signIn.atMs), lastSignInRequestId: signIn.id },
        },
      ];
    });
  });
}
