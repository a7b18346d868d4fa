import { readBearer } from "../graph/access.ts";
import type { Incoming, Operation, Outcome, Surface } from "../http/exchange.ts";
import type { Vault } from "../tenant/model.ts";
import type { World } from "../world.ts";
import { refuseAccess, type VaultPermission } from "./access.ts";
import { refuseVault, vaultFailure } from "./errors.ts";
import * as operations from "./operations.ts";
import type { ShapeContext } from "./shapes.ts";

/** One call to a vault on its way through a route. */
export interface VaultCall {
  world: World;
  incoming: Incoming;
  vault: Vault;
  name: string;
  version: string | null;
  context: ShapeContext;
  /** Object id of the caller. */
  writer: string;
}

interface Route {
  op: string;
  permission: VaultPermission;
  write: boolean;
  run(call: VaultCall): Outcome;
}

const NAME = /^[0-9a-zA-Z-]{1,127}$/;

/** The data plane of one vault. */
export function createVaultSurface(world: World, vault: Vault): Surface {
  return {
    name: `vault ${vault.name}`,
    resolve: (incoming) => resolve(world, vault, incoming),
    fail: (request) => vaultFailure(request),
  };
}

function resolve(world: World, vault: Vault, incoming: Incoming): Operation {
  const [, collection = "", name = "", third, fourth] = incoming.path.replace(/\/$/, "").split("/");
  const route = fourth === undefined ? find(incoming.method, collection, name, third) : null;
  const version = route?.op === "secret.versions" || third === undefined || third === "recover" ? null : third;
  const claims = readBearer(world, incoming);
  return {
    op: route?.op ?? "unknown",
    write: route?.write ?? false,
    caller: claims?.appid ?? null,
    target: { vault: vault.name, secret: name === "" ? null : name.slice(0, 127), version },
    carryOut() {
      const refusal = refuseAccess(world, incoming, vault, name || null, route?.permission ?? "get", claims);
      if (refusal !== null) return { caller: claims?.appid ?? null, ...refusal };
      if (route === null) return refuseVault(404, "NotFound", "There is nothing at this address.");
      if (name !== "" && !NAME.test(name)) return refuseVault(400, "BadParameter", "The secret name is invalid.");
      const context: ShapeContext = {
        base: world.addresses.vaults[vault.name] ?? incoming.origin,
        withPrevious: (incoming.query.get("api-version") ?? "") >= "2025-07-01",
      };
      return route.run({ world, incoming, vault, name, version, context, writer: claims?.oid ?? "" });
    },
  };
}

function find(method: string, collection: string, name: string, third: string | undefined): Route | null {
  const route = (op: string, permission: VaultPermission, run: Route["run"], write = false): Route => ({
    op,
    permission,
    write,
    run,
  });
  if (collection === "secrets") {
    if (name === "") return method === "GET" ? route("secret.list", "list", operations.listSecrets) : null;
    if (method === "GET" && third === "versions") return route("secret.versions", "list", operations.listVersions);
    if (method === "GET") return route("secret.get", "get", operations.getSecret);
    if (method === "PATCH" && third !== undefined) return route("secret.patch", "set", operations.patchSecret, true);
    if (third !== undefined) return null;
    if (method === "PUT") return route("secret.set", "set", operations.setSecret, true);
    if (method === "DELETE") return route("secret.delete", "delete", operations.deleteSecret, true);
    return null;
  }
  if (collection !== "deletedsecrets") return null;
  if (name === "") return method === "GET" ? route("secret.listDeleted", "list", operations.listDeleted) : null;
  if (method === "POST" && third === "recover")
    return route("secret.recover", "recover", operations.recoverSecret, true);
  if (third !== undefined) return null;
  if (method === "GET") return route("secret.getDeleted", "list", operations.getDeleted);
  if (method === "DELETE") return route("secret.purge", "purge", operations.purgeSecret, true);
  return null;
}
