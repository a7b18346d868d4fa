import { CountersignError, isCode, type VaultEntry } from "@countersign/core";
import type { z } from "zod";
import type { Leave } from "../kit/leave.ts";
import { limits } from "../kit/limits.ts";
import { SecretItems } from "./shapes.ts";
import { type Vault, vaultCall } from "./vault.ts";

/** Names and tags of a vault's entries, no values; null where our client may not list them, which it need not. */
export async function listEntries(leave: Leave, vault: Vault): Promise<VaultEntry[] | null> {
  const found: VaultEntry[] = [];
  let url: URL | null = vault.endpoint.url("/secrets", { ...vault.query, maxresults: "25" });
  try {
    for (let pages = 0; url !== null; pages += 1) {
      if (pages >= limits.pagesMax)
        throw new CountersignError("LIMIT_EXCEEDED", `expected at most ${limits.pagesMax} pages of entries, got more`);
      const answer: { readonly body: z.infer<typeof SecretItems> } = await vaultCall(leave, vault, url, {
        name: "secrets.list",
        method: "GET",
        retry: "safe",
        effect: false,
        answer: SecretItems,
      });
      for (const { id, tags } of answer.body.value ?? [])
        found.push({ connection: vault.connection.name, name: nameOf(id), tags: tags ?? {} });
      const link = answer.body.nextLink;
      url = link == null || link === "" ? null : vault.endpoint.follow(link);
    }
  } catch (error) {
    if (isCode(error, "OUTSIDE_FORBIDDEN")) return null;
    throw error;
  }
  return found;
}

/** The entry's name in its id. Throws OUTSIDE_MALFORMED. */
function nameOf(id: string): string {
  const [kind, name] = URL.canParse(id) ? new URL(id).pathname.split("/").slice(1, 3) : [];
  if (kind !== "secrets" || name === undefined || !/^[0-9a-zA-Z-]{1,127}$/.test(name))
    throw new CountersignError("OUTSIDE_MALFORMED", "expected the id of an entry, got another id");
  return name;
}
