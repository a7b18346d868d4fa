import type { Application, ServicePrincipal, Tenant } from "./model.ts";

/** Index over a list that only grows: what was added since the last look is taken in at the next. */
class GrowingIndex<T> {
  readonly #byKey = new Map<string, T>();
  readonly #keyOf: (item: T) => string;
  #seen = 0;

  constructor(keyOf: (item: T) => string) {
    this.#keyOf = keyOf;
  }

  get(list: readonly T[], key: string): T | undefined {
    for (; this.#seen < list.length; this.#seen += 1) {
      const item = list[this.#seen];
      if (item !== undefined) this.#byKey.set(this.#keyOf(item), item);
    }
    return this.#byKey.get(key);
  }
}

interface Indexes {
  applicationId: GrowingIndex<Application>;
  applicationAppId: GrowingIndex<Application>;
  principalId: GrowingIndex<ServicePrincipal>;
  principalAppId: GrowingIndex<ServicePrincipal>;
}

const indexes = new WeakMap<Tenant, Indexes>();

function indexesOf(tenant: Tenant): Indexes {
  const known = indexes.get(tenant);
  if (known !== undefined) return known;
  const made: Indexes = {
    applicationId: new GrowingIndex((item) => item.id),
    applicationAppId: new GrowingIndex((item) => item.appId),
    principalId: new GrowingIndex((item) => item.id),
    principalAppId: new GrowingIndex((item) => item.appId),
  };
  indexes.set(tenant, made);
  return made;
}

/** By object id. */
export function applicationById(tenant: Tenant, id: string): Application | undefined {
  return indexesOf(tenant).applicationId.get(tenant.applications, id);
}

/** By appId (client id). */
export function applicationByAppId(tenant: Tenant, appId: string): Application | undefined {
  return indexesOf(tenant).applicationAppId.get(tenant.applications, appId);
}

/** By object id of the service principal. */
export function principalById(tenant: Tenant, id: string): ServicePrincipal | undefined {
  return indexesOf(tenant).principalId.get(tenant.servicePrincipals, id);
}

/** By appId of its application. */
export function principalByAppId(tenant: Tenant, appId: string): ServicePrincipal | undefined {
  return indexesOf(tenant).principalAppId.get(tenant.servicePrincipals, appId);
}
