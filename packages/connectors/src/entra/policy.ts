import { isCode, type LifetimePolicy, type ReadContext } from "@countersign/core";
import { z } from "zod";
import type { Leave } from "../kit/leave.ts";
import { msOf, secondsOfDuration } from "../kit/time.ts";
import { graphCall, graphPages, type Tenant } from "./graph.ts";
import { printedId } from "./schema.ts";
import { AppPolicy, page } from "./shapes.ts";

const AppPolicyPage = page(AppPolicy);
const AppliesTo = page(z.object({ id: printedId, "@odata.type": z.string().max(100).nullish() }));

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
  const found = lifetimeOf(restrictions);
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

function lifetimeOf(restrictions: Restrictions) {
  return restrictions?.find((restriction) => restriction.restrictionType === "passwordLifetime");
}

/**
 * Every policy of the tenant that limits how long a secret lives, with what each applies to: a few calls for each policy, not
 * one for each application (Graph docs, appManagementPolicy: appliesTo). Null: none may be read.
 */
export async function everyPolicy(ctx: ReadContext, tenant: Tenant): Promise<LifetimePolicy[] | null> {
  const fallback = await defaultPolicy(ctx, tenant);
  if (fallback === null) return null;
  const found: LifetimePolicy[] = [];
  const add = (objectId: string, kind: LifetimePolicy["kind"], restrictions: Restrictions) => {
    const secretSecondsMax = limitOf(restrictions);
    const from = lifetimeOf(restrictions)?.restrictForAppsCreatedAfterDateTime;
    if (secretSecondsMax === undefined || (objectId === "" && secretSecondsMax === null)) return;
    found.push({ objectId, kind, secretSecondsMax, createdFrom: from == null ? 0 : msOf(from) });
  };
  if (fallback.isEnabled === true) {
    add("", "application", fallback.applicationRestrictions?.passwordCredentials);
    add("", "service-principal", fallback.servicePrincipalRestrictions?.passwordCredentials);
  }
  const call = { method: "GET", retry: "safe", effect: false, as: "reader", priority: "low", expect: [200] } as const;
  const path = "/v1.0/policies/appManagementPolicies";
  const listed = { ...call, name: "appManagementPolicies.all", path, answer: AppPolicyPage };
  try {
    for await (const { value } of graphPages(ctx, tenant, listed)) {
      for (const { id, isEnabled, restrictions } of value) {
        if (id == null || isEnabled === false) continue;
        const applies = `${path}/${encodeURIComponent(id)}/appliesTo`;
        const asked = { ...call, name: "appManagementPolicy.appliesTo", path: applies, answer: AppliesTo };
        for await (const { value: objects } of graphPages(ctx, tenant, asked))
          for (const { id: objectId, "@odata.type": type } of objects) {
            const kind = type?.endsWith(".servicePrincipal") ? "service-principal" : "application";
            // An object has one policy of its own; were there two, one of them is enough to know.
            if (!found.some((one) => one.objectId === objectId)) add(objectId, kind, restrictions?.passwordCredentials);
          }
      }
    }
  } catch (error) {
    if (isCode(error, "OUTSIDE_FORBIDDEN", "OUTSIDE_NOT_FOUND", "OUTSIDE_INVALID")) return null;
    throw error;
  }
  return found;
}
