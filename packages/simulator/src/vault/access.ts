import type { TokenClaims } from "../entra/token-keys.ts";
import type { Incoming, Outcome } from "../http/exchange.ts";
import type { Vault, VaultRole } from "../tenant/model.ts";
import type { World } from "../world.ts";
import { refuseVault } from "./errors.ts";

/** What a role lets its holder do; names follow the access-policy permissions. */
export type VaultPermission = "get" | "set" | "list" | "delete" | "recover" | "purge";

const GRANTED: Record<VaultRole, readonly VaultPermission[]> = {
  officer: ["get", "set", "list", "delete", "recover", "purge"],
  user: ["get"],
  reader: ["list"],
  purge: ["purge", "list"],
};

const API_VERSIONS = new Set(["7.4", "7.5", "7.6", "2025-07-01", "2026-04-01"]);

/** 401 with the challenge: who issues tokens, and for which resource. */
function challenge(world: World, vault: Vault, message: string): Outcome {
  const outcome = refuseVault(401, "Unauthorized", message);
  const authorization = `${world.addresses.authority}/${vault.tenant ?? world.tenant.id}`;
  const header = `Bearer authorization="${authorization}", resource="https://vault.azure.net"`;
  return { ...outcome, reply: { ...outcome.reply, headers: { "www-authenticate": header } } };
}

/** The refusal, or null for a caller that may do it. */
export function refuseAccess(
  world: World,
  incoming: Incoming,
  vault: Vault,
  secret: string | null,
  permission: VaultPermission,
  claims: TokenClaims | null,
): Outcome | null {
  if (incoming.headers.authorization === undefined) {
    return challenge(world, vault, "AKV10000: Request is missing a Bearer or PoP token.");
  }
  if (claims === null) return challenge(world, vault, "AKV10001: JWT is not well formed or not signed.");
  if (claims.aud !== "https://vault.azure.net") {
    return challenge(
      world,
      vault,
      `AKV10022: Invalid audience. Expected https://vault.azure.net, found: ${claims.aud}.`,
    );
  }
  if (claims.exp * 1000 <= world.clock.nowMs) return challenge(world, vault, "[TokenExpired] Error validating token.");
  const version = incoming.query.get("api-version");
  if (version === null || !API_VERSIONS.has(version)) {
    const text = version === null ? "api-version must be specified" : "The specified version is not recognized.";
    return refuseVault(400, "BadParameter", text);
  }
  const may = world.tenant.grants.some(
    (grant) =>
      grant.appId === claims.appid &&
      grant.vault === vault.name &&
      (grant.secret === null || grant.secret.toLowerCase() === secret?.toLowerCase()) &&
      GRANTED[grant.role].includes(permission),
  );
  return may
    ? null
    : refuseVault(403, "Forbidden", "Caller is not authorized to perform action on resource.", "ForbiddenByRbac");
}
