import type { SecretVersion, Vault, VaultSecret } from "../tenant/model.ts";
import type { World } from "../world.ts";

/** What a write may carry besides the value. */
export interface SecretWish {
  value: string;
  contentType: string | null;
  tags: Record<string, string>;
  enabled: boolean;
  nbf: number | null;
  exp: number | null;
  writer: string | null;
}

/** Makes a new version, which is the latest from then on; the secret is made when it is missing. */
export function writeSecret(world: World, vault: Vault, name: string, wish: SecretWish): SecretVersion {
  const key = name.toLowerCase();
  const secret: VaultSecret = vault.secrets[key] ?? { name, versions: [], deleted: null };
  vault.secrets[key] = secret;
  const seconds = Math.floor(world.clock.nowMs / 1000);
  const version: SecretVersion = {
    version: world.random(`vault:${vault.name}`).hex(32),
    ...wish,
    created: seconds,
    updated: seconds,
    previousVersion: secret.versions.at(-1)?.version ?? null,
  };
  secret.versions.push(version);
  return version;
}

/** The secret if it is there and not deleted. Names are compared without case, as the service does. */
export function findSecret(vault: Vault, name: string): VaultSecret | null {
  const secret = vault.secrets[name.toLowerCase()];
  return secret === undefined || secret.deleted !== null ? null : secret;
}

/** The secret if it is deleted and can still be recovered. */
export function findDeleted(vault: Vault, name: string, nowMs: number): VaultSecret | null {
  const secret = vault.secrets[name.toLowerCase()];
  return secret?.deleted != null && secret.deleted.purgeMs > nowMs ? secret : null;
}

/** A read as the service answers it: the value, or why not. */
export type SecretRead = { ok: true; version: SecretVersion } | { ok: false; reason: "not-found" | "disabled" };

/** Reads one version or the latest. A disabled latest does not fall back to an older one. */
export function readSecret(vault: Vault, name: string, version: string | null): SecretRead {
  const secret = findSecret(vault, name);
  const found = version === null ? secret?.versions.at(-1) : secret?.versions.find((item) => item.version === version);
  if (found === undefined) return { ok: false, reason: "not-found" };
  return found.enabled ? { ok: true, version: found } : { ok: false, reason: "disabled" };
}
