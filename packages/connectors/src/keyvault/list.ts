import { CountersignError, isCode, type VaultEntry } from "@countersign/core";
import type { Leave } from "../kit/leave.ts";
import { listed, type Vault } from "./vault.ts";

/** Names and tags of a vault's entries, no values; null where our client may not list them, which it need not. */
export async function listEntries(leave: Leave, vault: Vault): Promise<VaultEntry[] | null> {
  try {
    const items = await listed(leave, vault, "secrets.list", "/secrets");
    return items.map(({ id, tags }) => ({ connection: vault.connection.name, name: nameOf(id), tags: tags ?? {} }));
  } catch (error) {
    if (isCode(error, "OUTSIDE_FORBIDDEN")) return null;
    throw error;
  }
}

/** The entry's name in its id. Throws OUTSIDE_MALFORMED. */
function nameOf(id: string): string {
  const [kind, name] = URL.canParse(id) ? new URL(id).pathname.split("/").slice(1, 3) : [];
  if (kind !== "secrets" || name === undefined || !/^[0-9a-zA-Z-]{1,127}$/.test(name))
    throw new CountersignError("OUTSIDE_MALFORMED", "expected the id of an entry, got another id");
  return name;
}
