import { listedCredentials } from "../tenant/credentials.ts";
import { principalById } from "../tenant/lookup.ts";
import type { Application, Credential, CredentialHolder, Owner, ServicePrincipal } from "../tenant/model.ts";
import type { World } from "../world.ts";

type Json = Record<string, unknown>;

/** A credential as lists show it: never with its value. */
export function credentialShape(credential: Credential): Json {
  return {
    customKeyIdentifier: null,
    displayName: credential.displayName,
    endDateTime: credential.endText,
    hint: credential.hint,
    keyId: credential.keyId,
    secretText: null,
    startDateTime: credential.startText,
  };
}

function keys(holder: CredentialHolder): Json[] {
  return holder.keyCredentials.map((key) => ({
    customKeyIdentifier: null,
    displayName: key.displayName,
    endDateTime: key.endText,
    key: null,
    keyId: key.keyId,
    startDateTime: key.startText,
    type: "AsymmetricX509Cert",
    usage: "Verify",
  }));
}

/** An application as one read replica shows it. */
export function applicationShape(app: Application, replica: number, nowMs: number): Json {
  return {
    id: app.id,
    appId: app.appId,
    deletedDateTime: null,
    applicationTemplateId: null,
    createdDateTime: new Date(app.createdMs).toISOString().replace(/\.\d+Z$/, "Z"),
    description: null,
    // A name may be missing.
    displayName: app.displayName === "" ? null : app.displayName,
    disabledByMicrosoftStatus: null,
    groupMembershipClaims: null,
    identifierUris: [],
    isDisabled: app.isDisabled,
    keyCredentials: keys(app),
    notes: app.notes,
    passwordCredentials: listedCredentials(app, replica, nowMs).map(credentialShape),
    serviceManagementReference: app.serviceManagementReference,
    signInAudience: app.signInAudience,
    tags: app.tags,
    uniqueName: null,
    requiredResourceAccess: [],
    web: {
      homePageUrl: null,
      logoutUrl: null,
      redirectUris: app.redirectUris,
      implicitGrantSettings: { enableAccessTokenIssuance: false, enableIdTokenIssuance: false },
    },
  };
}

/** A service principal as one read replica shows it. */
export function servicePrincipalShape(sp: ServicePrincipal, replica: number, nowMs: number, tenantId: string): Json {
  return {
    id: sp.id,
    appId: sp.appId,
    deletedDateTime: null,
    accountEnabled: sp.accountEnabled,
    appDisplayName: sp.displayName === "" ? null : sp.displayName,
    appOwnerOrganizationId: tenantId,
    displayName: sp.displayName === "" ? null : sp.displayName,
    keyCredentials: keys(sp),
    passwordCredentials: listedCredentials(sp, replica, nowMs).map(credentialShape),
    servicePrincipalNames: [sp.appId],
    servicePrincipalType: "Application",
    tags: sp.tags,
  };
}

/** An owner as directory objects are shown; null if the object is gone. */
export function ownerShape(world: World, owner: Owner): Json | null {
  if (owner.kind === "user") {
    const user = world.tenant.users.find((candidate) => candidate.id === owner.id);
    if (user === undefined) return null;
    return {
      "@odata.type": "#microsoft.graph.user",
      id: user.id,
      displayName: user.displayName,
      userPrincipalName: user.userPrincipalName,
      mail: user.mail,
      accountEnabled: user.accountEnabled,
    };
  }
  const sp = principalById(world.tenant, owner.id);
  if (sp === undefined) return null;
  return {
    "@odata.type": "#microsoft.graph.servicePrincipal",
    id: sp.id,
    appId: sp.appId,
    displayName: sp.displayName,
    accountEnabled: sp.accountEnabled,
  };
}

/** Keeps the properties named in `$select`; `id` and annotations stay where they were asked for or always come. */
export function select(shape: Json, fields: readonly string[] | null): Json {
  if (fields === null) return shape;
  const kept = Object.entries(shape).filter(([key]) => key.startsWith("@") || fields.includes(key));
  return Object.fromEntries(kept);
}
