import type { SecretValue, TenantConfig } from "@countersign/core";
import type { Budget } from "./budget.ts";
import type { Endpoint, Http } from "./http.ts";
import { clientSecretTokens, type TokenSource } from "./token.ts";
import type { Network } from "./wire.ts";

/** What a connection needs to be made ready: the way out, and where its own sign-ins go. */
export interface Ground {
  readonly http: Http;
  /** Another way out with other rules for the network, closed with the first. */
  open(rules: Pick<Network, "publicOnly" | "caOnly" | "bodyBytesMax"> & { readonly ca?: readonly string[] }): Http;
  readonly profile: "demo" | "test" | "production";
  /** One budget per key; see `createBudgets`. */
  budget(key: string): Budget;
  /** Throws CONFIG_INVALID. */
  tenant(name: string): {
    readonly settings: Pick<TenantConfig, "id">;
    readonly authority: Endpoint;
    readonly budgets: { readonly token: Budget };
  };
  readSecret(reference: string): Promise<SecretValue>;
}

/** Our tokens for a resource, by a client of the connection's tenant. */
export function clientTokens(
  ground: Ground,
  tenantName: string,
  client: { readonly clientId: string; readonly secret: string },
  scope: string,
): TokenSource {
  const tenant = ground.tenant(tenantName);
  return clientSecretTokens({
    http: ground.http,
    authority: tenant.authority,
    tenantId: tenant.settings.id,
    clientId: client.clientId,
    secret: () => ground.readSecret(client.secret),
    scope,
    budget: tenant.budgets.token,
  });
}
