import type { Records, TargetQuestion } from "../kit/seams.ts";

/** Whether the text of a setting is a Key Vault reference and not a value. */
export function isReference(text: string): boolean {
  return /^@Microsoft\.KeyVault\(/i.test(text);
}

/**
 * Whether a reference follows the record's newest version: it names the same vault and entry and no version. Both forms
 * of the vendor are read (App Service docs, Key Vault references): `SecretUri=…` and `VaultName=…;SecretName=…`.
 */
export function followsRecord(text: string, records: Records, record: TargetQuestion["record"]): boolean {
  const inner = /^@Microsoft\.KeyVault\((.*)\)$/i.exec(text)?.[1];
  if (inner === undefined) return false;
  const wanted = new URL(records(record.connection).reference(record.name, "0"));
  const parts = new Map(
    inner.split(";").map((part): [string, string] => {
      const at = part.indexOf("=");
      return [part.slice(0, at).trim().toLowerCase(), part.slice(at + 1).trim()];
    }),
  );
  const address = parts.get("secreturi");
  if (address !== undefined) {
    if (!URL.canParse(address)) return false;
    const found = new URL(address);
    const path = found.pathname.replace(/\/$/, "").toLowerCase();
    return found.host === wanted.host && `${path}/0` === wanted.pathname.toLowerCase();
  }
  const vault = parts.get("vaultname")?.toLowerCase();
  return (
    vault !== undefined &&
    wanted.hostname.startsWith(`${vault}.`) &&
    parts.get("secretname")?.toLowerCase() === record.name.toLowerCase() &&
    (parts.get("secretversion") ?? "") === ""
  );
}
