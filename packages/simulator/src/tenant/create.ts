import { createRandom } from "../random.ts";
import type { Tenant } from "./model.ts";

const WORDS = ["contoso", "fabrikam", "northwind", "tailspin", "wingtip", "litware", "adatum", "proseware"] as const;

/** An empty tenant; the seed picks its ids and its domain. */
export function createTenant(seed: number): Tenant {
  const random = createRandom(seed, "tenant");
  const name = random.pick(WORDS);
  return {
    id: random.uuid(),
    name,
    domain: `${name}.example`,
    applications: [],
    servicePrincipals: [],
    users: [],
    vaults: [],
    grants: [],
    signIns: [],
    audits: [],
    postgres: [],
    callers: [],
    workloads: [],
    devops: [],
    github: [],
    clusters: [],
    gateways: [],
    chat: [],
    desks: [],
    subscription: createRandom(seed, "subscription").uuid(),
    armPort: 0,
    sites: [],
    activities: [],
    defaultPolicy: { id: random.uuid(), isEnabled: false, passwordCredentials: [] },
    applicationPolicies: {},
    names: {},
  };
}
