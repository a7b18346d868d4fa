import { isCode } from "@countersign/core";
import type { Leave } from "../kit/leave.ts";
import { secondsOfDuration } from "../kit/time.ts";
import { graphCall, graphPages, type Tenant } from "./graph.ts";
import { AppPolicy, page } from "./shapes.ts";

const AppPolicyPage = page(AppPolicy);

/**
 * Longest lifetime that app management policies allow for a secret of this application, in seconds; null when none is
 * set or none may be read. A policy of the application replaces the tenant's default, restriction by restriction
 * (Graph docs, tenantAppManagementPolicy).
 */
export async function lifetimeSecondsMax(leave: Leave, tenant: Tenant, objectId: string): Promise<number | null> {
  const own = await ownPolicies(leave, tenant, objectId);
  for (const policy of own) {
    if (policy.isEnabled === false) continue;
    const limit = limitOf(policy.restrictions?.passwordCredentials);
    if (limit !== undefined) return limit;
  }
  const fallback = await defaultPolicy(leave, tenant);
  if (fallback === null || fallback.isEnabled !== true) return null;
  return limitOf(fallback.applicationRestrictions?.passwordCredentials) ?? null;
}

type Restrictions = NonNullable<AppPolicy["restrictions"]>["passwordCredentials"];

/** Undefined when the restriction is not among them, null when it is switched off. */
function limitOf(restrictions: Restrictions): number | null | undefined {
  const found = restrictions?.find((restriction) => restriction.restrictionType === "passwordLifetime");
  if (found === undefined) return undefined;
  if (found.state === "disabled" || found.maxLifetime == null) return null;
  return secondsOfDuration(found.maxLifetime);
}

async function ownPolicies(leave: Leave, tenant: Tenant, objectId: string): Promise<AppPolicy[]> {
  const found: AppPolicy[] = [];
  try {
    const call = {
      name: "appManagementPolicies.list",
      method: "GET",
      path: `/v1.0/applications/${encodeURIComponent(objectId)}/appManagementPolicies`,
      retry: "safe",
      effect: false,
      expect: [200],
      answer: AppPolicyPage,
      as: "reader",
    } as const;
    for await (const body of graphPages(leave, tenant, call)) found.push(...body.value);
  } catch (error) {
    if (!isCode(error, "OUTSIDE_FORBIDDEN", "OUTSIDE_NOT_FOUND", "OUTSIDE_INVALID")) throw error;
  }
  return found;
}

async function defaultPolicy(leave: Leave, tenant: Tenant): Promise<AppPolicy | null> {
  try {
    const answer = await graphCall(leave, tenant, {
      name: "defaultAppManagementPolicy.get",
      method: "GET",
      path: "/v1.0/policies/defaultAppManagementPolicy",
      retry: "safe",
      effect: false,
      expect: [200],
      answer: AppPolicy,
      as: "reader",
    });
    return answer.body;
  } catch (error) {
    if (isCode(error, "OUTSIDE_FORBIDDEN", "OUTSIDE_NOT_FOUND", "OUTSIDE_INVALID")) return null;
    throw error;
  }
}
