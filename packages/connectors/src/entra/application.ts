import { CountersignError, type Facts } from "@countersign/core";
import type { Leave } from "../kit/leave.ts";
import { parseMarker } from "../kit/markers.ts";
import { msOf } from "../kit/time.ts";
import { graphCall, type Tenant } from "./graph.ts";
import { Application, type PasswordCredential } from "./shapes.ts";

/** Which application: names and ids as the plan holds them. */
export interface ApplicationRef {
  readonly tenant: string;
  readonly objectId: string;
  readonly appId: string;
}

const select = "id,appId,displayName,signInAudience,passwordCredentials,keyCredentials,web,spa,publicClient";

/** Reads one application by its object id; its client id must be the expected one. Throws IDENTITY_MISMATCH. */
export async function readApplication(
  leave: Leave,
  tenant: Tenant,
  ref: ApplicationRef,
  as: "reader" | "writer",
): Promise<Application> {
  const answer = await graphCall(leave, tenant, {
    name: "application.get",
    method: "GET",
    path: `/v1.0/applications/${encodeURIComponent(ref.objectId)}`,
    query: { $select: select },
    retry: "safe",
    effect: false,
    expect: [200],
    answer: Application,
    as,
  });
  const { id, appId } = answer.body;
  if (!sameId(id, ref.objectId) || !sameId(appId, ref.appId)) {
    throw new CountersignError(
      "IDENTITY_MISMATCH",
      "expected the application with the object id and client id of the plan, got another",
      {
        expected: ref.appId,
        found: appId.slice(0, 64),
      },
    );
  }
  return answer.body;
}

/** Immutable identity of an application (I11). The ids are the configured or planned spelling, so that they compare. */
export function applicationIdentity(tenant: Tenant, ref: ApplicationRef): Facts {
  return { tenantId: tenant.settings.id, objectId: ref.objectId, appId: ref.appId };
}

/** Reads the identity back from the directory. */
export async function identifyApplication(
  leave: Leave & { readonly tenantId: string },
  tenant: Tenant,
  ref: ApplicationRef,
): Promise<Facts> {
  if (!sameId(leave.tenantId, tenant.settings.id)) {
    throw new CountersignError(
      "IDENTITY_MISMATCH",
      "expected the tenant of the plan, got the configuration of another one",
      {
        expected: leave.tenantId,
        found: tenant.settings.id,
      },
    );
  }
  await readApplication(leave, tenant, ref, "writer");
  return applicationIdentity(tenant, ref);
}

/** Directory ids compare without regard to case. */
export function sameId(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

/** The application's password credential of that id. */
export function credentialOf(application: Application, keyId: string): PasswordCredential | undefined {
  return application.passwordCredentials.find((credential) => sameId(credential.keyId, keyId));
}

/** Whether a credential is valid at domain time `now`. */
export function isLive(credential: PasswordCredential, now: number): boolean {
  return credential.endDateTime == null || msOf(credential.endDateTime) > now;
}

/** Credentials that carry a marker of this run. */
export function markedBy(application: Application, run: string) {
  return application.passwordCredentials.flatMap((credential) => {
    const marker = parseMarker(credential.displayName);
    return marker?.run === run ? [{ keyId: credential.keyId, marker }] : [];
  });
}
