import type { ScannedCredential, Scanner } from "@countersign/core";
import { parseMarker } from "../kit/markers.ts";
import { msOf } from "../kit/time.ts";
import { graphPages, type Tenant } from "./graph.ts";
import { Application, page } from "./shapes.ts";

const ApplicationsPage = page(Application);

const query = { $select: "id,appId,displayName,passwordCredentials,keyCredentials", $top: "999" };

/** Lists every credential of every application of a tenant, page by page (Graph docs, list applications). No filter on expiry exists there. */
export function entraScanner(tenant: Tenant): Scanner {
  return {
    tenant: tenant.settings.name,
    query: `GET /v1.0/applications?$select=${query.$select}&$top=${query.$top}`,
    async *list(ctx) {
      const call = {
        name: "applications.list",
        method: "GET",
        path: "/v1.0/applications",
        query,
        retry: "safe",
        effect: false,
        expect: [200],
        answer: ApplicationsPage,
        as: "reader",
        priority: "low",
      } as const;
      for await (const body of graphPages(ctx, tenant, call)) yield body.value.flatMap(lines);
    },
  };
}

function lines(application: Application): ScannedCredential[] {
  const line = (
    credential: Application["passwordCredentials"][number],
    kind: ScannedCredential["kind"],
  ): ScannedCredential => ({
    objectId: application.id,
    appId: application.appId,
    application: application.displayName ?? application.appId,
    id: credential.keyId,
    kind,
    startsAt: credential.startDateTime == null ? null : msOf(credential.startDateTime),
    expiresAt: credential.endDateTime == null ? null : msOf(credential.endDateTime),
    marker: parseMarker(credential.displayName),
  });
  return [
    ...application.passwordCredentials.map((credential) => line(credential, "client-secret")),
    ...(application.keyCredentials ?? []).map((credential) => line(credential, "certificate")),
  ];
}
