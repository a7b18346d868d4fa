import type { TokenClaims } from "../entra/token-keys.ts";
import type { Incoming, Outcome } from "../http/exchange.ts";
import type { CredentialHolder } from "../tenant/model.ts";
import type { World } from "../world.ts";
import { refuse } from "./errors.ts";

const AUDIENCES = new Set(["https://graph.microsoft.com", "00000003-0000-0000-c000-000000000000"]);

/** The bearer token of a request, if we signed it. Not yet checked for time or audience. */
export function readBearer(world: World, incoming: Incoming): TokenClaims | null {
  const match = /^Bearer (.+)$/i.exec(incoming.headers.authorization ?? "");
  return match?.[1] === undefined ? null : world.keys.read(match[1]);
}

/** A caller that is let in, or the refusal. */
export type Access = { ok: true; claims: TokenClaims } | { ok: false; outcome: Outcome };

/**
 * Checks the token and that it carries one of `roles`. `Application.ReadWrite.OwnedBy` counts only for an object that
 * the caller's service principal owns.
 */
export function authorise(
  world: World,
  incoming: Incoming,
  claims: TokenClaims | null,
  roles: readonly string[],
  holder: CredentialHolder | null,
): Access {
  const deny = (status: number, code: string, message: string): Access => ({
    ok: false,
    outcome: { ...refuse(world, incoming, status, code, message), caller: claims?.appid ?? null },
  });
  if (incoming.headers.authorization === undefined) {
    return deny(401, "InvalidAuthenticationToken", "Access token is empty.");
  }
  if (claims === null)
    return deny(401, "InvalidAuthenticationToken", "IDX14100: JWT is not well formed or not signed.");
  if (!AUDIENCES.has(claims.aud)) {
    return deny(401, "InvalidAuthenticationToken", "Access token validation failure. Invalid audience.");
  }
  const seconds = world.clock.nowMs / 1000;
  if (claims.exp <= seconds || claims.nbf > seconds + 300) {
    return deny(401, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired.");
  }
  const granted = (claims.roles ?? []).filter((role) => roles.includes(role));
  const enough = granted.some((role) => role !== "Application.ReadWrite.OwnedBy" || owns(claims, holder));
  return enough
    ? { ok: true, claims }
    : deny(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.");
}

function owns(claims: TokenClaims, holder: CredentialHolder | null): boolean {
  return holder?.owners.some((owner) => owner.kind === "servicePrincipal" && owner.id === claims.oid) ?? false;
}
