import { type CallerFound, isCode, type LastUse, type ReadContext } from "@countersign/core";
import { factOf } from "../kit/errors.ts";
import type { Leave } from "../kit/leave.ts";
import { limits } from "../kit/limits.ts";
import type { SignIn, SignInLog } from "../kit/seams.ts";
import { isoOf, msOf } from "../kit/time.ts";
import { tokenCall } from "../kit/token.ts";
import { sameId } from "./application.ts";
import { graphCall, graphPages, type Tenant, type Tenants } from "./graph.ts";
import { CredentialActivity, page, SignInLine } from "./shapes.ts";

const SignInPage = page(SignInLine);
const ActivityPage = page(CredentialActivity);

/** Sign-ins that used no client secret. */
const otherKinds = new Set(["certificate", "federatedIdentityCredential", "managedIdentity", "clientAssertion"]);

/**
 * Answers that mean "this tenant has no such report": missing licence or permission, other cloud. Where our own sign-in was
 * refused the report was never asked for: that is no word about the tenant.
 */
export function unavailable(error: unknown): boolean {
  if (factOf(error, "call") === tokenCall) return false;
  return isCode(error, "OUTSIDE_FORBIDDEN", "OUTSIDE_NOT_FOUND", "OUTSIDE_INVALID");
}

/**
 * Reads sign-ins of service principals newest first (Graph beta, signIn: `servicePrincipalCredentialKeyId`). Needs
 * `AuditLog.Read.All` and a P1 or P2 licence; null when the report is not to be had.
 */
export function createSignInLog(tenants: Tenants): SignInLog {
  return async (leave, tenantName, appId, since) => {
    const tenant = tenants(tenantName);
    const lines: SignIn[] = [];
    let pages = 0;
    try {
      const call = {
        name: "signIns.list",
        method: "GET",
        path: "/beta/auditLogs/signIns",
        query: {
          $filter: `signInEventTypes/any(t:t eq 'servicePrincipal') and appId eq '${appId}' and createdDateTime ge ${isoOf(since)}`,
          $top: "1000",
        },
        retry: "safe",
        effect: false,
        expect: [200],
        answer: SignInPage,
        as: "reader",
        report: true,
      } as const;
      for await (const body of graphPages(leave, tenant, call)) {
        for (const line of body.value) {
          if (line.appId != null && !sameId(line.appId, appId)) continue;
          if (otherKinds.has(line.clientCredentialType ?? "")) continue;
          lines.push({
            id: line.id,
            at: msOf(line.createdDateTime),
            keyId: line.servicePrincipalCredentialKeyId || null,
            address: line.ipAddress || null,
          });
        }
        pages += 1;
        if (pages >= limits.signInPagesMax) return { lines: foreign(tenant, lines), cut: true };
      }
    } catch (error) {
      if (unavailable(error)) return null;
      throw error;
    }
    return { lines: foreign(tenant, lines), cut: false };
  };
}

/** Who signed in with a secret, by address: the last time of each, last first. */
export function callersOf(lines: readonly SignIn[]): CallerFound[] {
  const last = new Map<string, number>();
  for (const { address, at, keyId } of lines)
    if (address !== null && keyId !== null) last.set(address, Math.max(at, last.get(address) ?? 0));
  return [...last].map(([address, lastAt]) => ({ address, lastAt })).sort((a, b) => b.lastAt - a.lastAt);
}

/** Without our own addresses, when the configuration names them. */
function foreign(tenant: Tenant, lines: readonly SignIn[]): readonly SignIn[] {
  const own = new Set(tenant.settings.ownAddresses ?? []);
  return own.size === 0 ? lines : lines.filter((line) => line.address === null || !own.has(line.address));
}

/** What the activity report says of one key: last use in domain ms, `null` for no use recorded, undefined when there is no report. */
export async function lastUseReported(leave: Leave, tenant: Tenant, keyId: string): Promise<number | null | undefined> {
  try {
    const { body } = await graphCall(leave, tenant, {
      name: "credentialActivity.get",
      method: "GET",
      path: "/beta/reports/appCredentialSignInActivities",
      query: { $filter: `keyId eq '${keyId}'` },
      retry: "safe",
      effect: false,
      expect: [200],
      // The docs show a filtered answer as a bare object and as a list.
      answer: ActivityPage.or(CredentialActivity),
      as: "reader",
      report: true,
    });
    const lines = "value" in body ? body.value : [body];
    const line = lines.find((candidate) => sameId(candidate.keyId, keyId));
    if (line === undefined) return null;
    return line.signInActivity?.lastSignInDateTime == null ? null : msOf(line.signInActivity.lastSignInDateTime);
  } catch (error) {
    if (unavailable(error)) return undefined;
    throw error;
  }
}

/** One page of the activity report over all credentials of the tenant; null when there is no report. */
export async function usesPage(
  ctx: ReadContext,
  tenant: Tenant,
  link: string | null,
): Promise<{ found: LastUse[]; next: string | null } | null> {
  try {
    const call = {
      name: "credentialActivity.list",
      method: "GET",
      path: "/beta/reports/appCredentialSignInActivities",
      query: { $top: "999" },
      retry: "safe",
      effect: false,
      expect: [200],
      answer: ActivityPage,
      as: "reader",
      report: true,
    } as const;
    const { body } = await graphCall(ctx, tenant, call, link === null ? undefined : tenant.graph.follow(link));
    return {
      found: body.value.map(({ keyId, signInActivity }) => ({
        id: keyId,
        lastUsedAt: signInActivity?.lastSignInDateTime == null ? null : msOf(signInActivity.lastSignInDateTime),
      })),
      next: body["@odata.nextLink"] ?? null,
    };
  } catch (error) {
    if (unavailable(error)) return null;
    throw error;
  }
}
