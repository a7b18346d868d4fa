import { applicationById } from "./lookup.ts";
import type { Application, Tenant } from "./model.ts";

/** An application by scenario name or display name. */
export function findApplication(tenant: Tenant, name: string): Application | undefined {
  const known = tenant.names[name];
  return known === undefined
    ? tenant.applications.find((app) => app.displayName === name)
    : applicationById(tenant, known.objectId);
}
