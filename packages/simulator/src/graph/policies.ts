import type { Incoming, Operation, Outcome } from "../http/exchange.ts";
import type { AppManagementPolicy, AppManagementRestriction, CredentialHolder } from "../tenant/model.ts";
import { parseDuration, parseTime } from "../time.ts";
import type { World } from "../world.ts";
import { type GraphCall, graphOperation } from "./call.ts";
import { refuse } from "./errors.ts";
import { findHolder, type HolderKind, notFound } from "./holders.ts";

const READ_POLICY = [
  "Policy.Read.All",
  "Policy.Read.ApplicationConfiguration",
  "Policy.ReadWrite.ApplicationConfiguration",
];
const APPLICATION: HolderKind = { collection: "applications", noun: "application" };

/** GET policies/defaultAppManagementPolicy. */
export function getDefaultPolicy(world: World, incoming: Incoming): Operation {
  return graphOperation(world, incoming, {
    op: "policy.default",
    roles: READ_POLICY,
    run() {
      const policy = world.tenant.defaultPolicy;
      return {
        reply: {
          status: 200,
          body: {
            "@odata.context": `${incoming.origin}/v1.0/$metadata#policies/defaultAppManagementPolicy/$entity`,
            id: policy.id,
            displayName: "Default app management tenant policy",
            description:
              "Default tenant policy that enforces app management restrictions on applications and service principals.",
            isEnabled: policy.isEnabled,
            applicationRestrictions: restrictions(policy),
            servicePrincipalRestrictions: restrictions(policy),
          },
        },
        effect: false,
      };
    },
  });
}

/** GET applications/{id}/appManagementPolicies. */
export function listPolicies(world: World, incoming: Incoming, key: string): Operation {
  const holder = findHolder(world, APPLICATION, key);
  return graphOperation(world, incoming, {
    op: "application.policies",
    roles: [...READ_POLICY, "Application.Read.All", "Application.ReadWrite.All"],
    target: { objectId: holder?.id ?? key, appId: holder?.appId ?? null },
    run(call) {
      if (holder === null) return notFound(call, key);
      const policy = world.tenant.applicationPolicies[holder.id];
      const value = policy === undefined ? [] : [shape(policy)];
      const context = `${incoming.origin}/v1.0/$metadata#policies/appManagementPolicies`;
      return { reply: { status: 200, body: { "@odata.context": context, value } }, effect: false };
    },
  });
}

/** GET policies/appManagementPolicies. */
export function listOwnPolicies(world: World, incoming: Incoming): Operation {
  return graphOperation(world, incoming, {
    op: "policies.list",
    roles: READ_POLICY,
    run() {
      const context = `${incoming.origin}/v1.0/$metadata#policies/appManagementPolicies`;
      const value = Object.values(world.tenant.applicationPolicies).map(shape);
      return { reply: { status: 200, body: { "@odata.context": context, value } }, effect: false };
    },
  });
}

/** GET policies/appManagementPolicies/{id}/appliesTo: ids and types, as of any directory object. */
export function listAppliesTo(world: World, incoming: Incoming, id: string): Operation {
  return graphOperation(world, incoming, {
    op: "policy.appliesTo",
    roles: READ_POLICY,
    target: { policy: id },
    run(call) {
      const found = Object.entries(world.tenant.applicationPolicies).filter(([, policy]) => policy.id === id);
      if (found.length === 0) return notFound(call, id);
      const context = `${incoming.origin}/v1.0/$metadata#directoryObjects`;
      const value = found.map(([objectId]) => ({ "@odata.type": "#microsoft.graph.application", id: objectId }));
      return { reply: { status: 200, body: { "@odata.context": context, value } }, effect: false };
    },
  });
}

function shape(policy: AppManagementPolicy): Record<string, unknown> {
  return {
    id: policy.id,
    displayName: "Application policy",
    description: null,
    isEnabled: policy.isEnabled,
    restrictions: restrictions(policy),
  };
}

function restrictions(policy: AppManagementPolicy): Record<string, unknown> {
  return {
    passwordCredentials: policy.passwordCredentials.map((item) => ({ ...item, excludeActors: null })),
    keyCredentials: [],
  };
}

/** The refusal that the policies in force give to a new credential, or null. */
export function policyRefusal(
  call: GraphCall,
  kind: HolderKind,
  holder: CredentialHolder,
  startMs: number | null,
  endMs: number | null,
): Outcome | null {
  const deny = (code: string, message: string): Outcome => refuse(call.world, call.incoming, 400, code, message);
  for (const restriction of inForce(call.world, kind, holder)) {
    const sinceMs = parseTime(restriction.restrictForAppsCreatedAfterDateTime) ?? 0;
    if (restriction.state !== "enabled" || holder.createdMs < sinceMs) continue;
    if (restriction.restrictionType === "passwordAddition") {
      return deny("CredentialTypeNotAllowedAsPerAppPolicy", "Credential type not allowed as per assigned policy.");
    }
    const maxMs = parseDuration(restriction.maxLifetime);
    const start = startMs ?? call.world.clock.nowMs;
    const end = endMs ?? start + 730 * 86_400_000;
    if (restriction.restrictionType === "passwordLifetime" && maxMs !== null && end - start > maxMs) {
      return deny(
        "CredentialInvalidLifetimeAsPerAppPolicy",
        `Credential lifetime exceeds the max value allowed as per assigned policy '${restriction.maxLifetime}'.`,
      );
    }
  }
  return null;
}

/** An application's own policy replaces the tenant's default per restriction type. */
function inForce(world: World, kind: HolderKind, holder: CredentialHolder): AppManagementRestriction[] {
  const own = kind.noun === "application" ? world.tenant.applicationPolicies[holder.id] : undefined;
  const ownRules = own?.isEnabled ? own.passwordCredentials : [];
  const fallback = world.tenant.defaultPolicy.isEnabled ? world.tenant.defaultPolicy.passwordCredentials : [];
  const types = new Set(ownRules.map((rule) => rule.restrictionType));
  return [...ownRules, ...fallback.filter((rule) => !types.has(rule.restrictionType))];
}
