import { readSecret } from "../vault/store.ts";
import type { World } from "../world.ts";
import type { AppSite } from "./model.ts";

/** A reference that follows the newest version is asked for again after a day (App Service docs, Key Vault references: rotation). */
const KEPT_MS = 24 * 3_600_000;
const REFERENCE =
  /^@Microsoft\.KeyVault\(SecretUri=(https?:\/\/[^/)]+)\/secrets\/([0-9a-zA-Z-]{1,127})(?:\/([0-9a-f]{32})?)?\)$/;

/** What the platform says of one reference. */
export interface Resolved {
  reference: string;
  status: "Resolved" | "SecretNotFound" | "VaultNotFound" | "InvalidSyntax";
  vaultName: string;
  secretName: string;
  /** Version that the address names; null: the newest. */
  secretVersion: string | null;
  /** Version that the app has in its environment. */
  activeVersion: string | null;
}

/** Whether the setting is a reference and not a value. */
export function isReference(text: string): boolean {
  return text.startsWith("@Microsoft.KeyVault(");
}

/** What the app sees of a setting: its text, or the value its reference stands for; null when that is nothing. */
export function effectiveValue(world: World, site: AppSite, setting: string): string | null {
  const text = site.settings[setting];
  if (text === undefined) return null;
  if (!isReference(text)) return text;
  resolveReference(world, site, setting);
  return site.references[setting]?.value ?? null;
}

/** Resolves one reference, from the cache while that is fresh. A failed look keeps what was held. */
export function resolveReference(world: World, site: AppSite, setting: string, fresh = false): Resolved {
  const reference = site.settings[setting] ?? "";
  const match = REFERENCE.exec(reference);
  const kept = site.references[setting];
  const known = kept?.reference === reference ? kept : null;
  if (known === null) delete site.references[setting];
  const vault = world.tenant.vaults.find((item) => world.addresses.vaults[item.name] === match?.[1]);
  const shape = {
    reference,
    vaultName: vault?.name ?? "",
    secretName: match?.[2] ?? "",
    secretVersion: match?.[3] ?? null,
  };
  const answer = (status: Resolved["status"]): Resolved => ({
    ...shape,
    status,
    activeVersion: site.references[setting]?.version ?? null,
  });
  if (match === null) return answer("InvalidSyntax");
  if (!fresh && known !== null && world.clock.nowMs - known.readMs < KEPT_MS) return answer("Resolved");
  if (vault === undefined) return answer("VaultNotFound");
  const read = readSecret(vault, shape.secretName, shape.secretVersion);
  if (!read.ok) return answer("SecretNotFound");
  site.references[setting] = {
    reference,
    version: read.version.version,
    value: read.version.value,
    readMs: world.clock.nowMs,
  };
  return answer("Resolved");
}

/** All references of the app, asked for anew: what a restart and a refresh do. */
export function refreshReferences(world: World, site: AppSite): number {
  const names = Object.keys(site.settings).filter((name) => isReference(site.settings[name] ?? ""));
  for (const name of names) resolveReference(world, site, name, true);
  return names.length;
}
