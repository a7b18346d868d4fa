import type { World } from "@countersign/core";
import type { StoredVersion } from "../kit/seams.ts";
import { sameId } from "./application.ts";
import type { PasswordCredential } from "./shapes.ts";

/** Characters of a secret that Entra gives away as its hint. */
const hintLength = 3;

/**
 * Which secret the stored value is, by evidence. A sign-in shows that it is *a* live one, not which. `ours`: our tag names
 * it and our ledger knows it; `hint`: its first characters are those of exactly one live secret. The comparison happens in
 * memory and leaves nothing but the id.
 */
export function bindingOf(
  live: readonly PasswordCredential[],
  stored: StoredVersion | null,
  oursByLedger: (id: string) => boolean,
): World["binding"] {
  if (stored === null) return { id: null, by: "unproven" };
  const start = stored.value.reveal().slice(0, hintLength);
  const tagged = stored.tags["cs-keyid"];
  const known = live.find((credential) => tagged !== undefined && sameId(credential.keyId, tagged));
  // A tag that contradicts the value was carried over by somebody's hand: it proves nothing.
  if (known !== undefined && oursByLedger(known.keyId) && (known.hint == null || known.hint === start)) {
    return { id: known.keyId, by: "ours" };
  }
  const matching = live.filter((credential) => credential.hint === start);
  const silent = live.some((credential) => credential.hint == null);
  const only = matching.length === 1 && !silent ? matching[0] : undefined;
  return only === undefined ? { id: null, by: "unproven" } : { id: only.keyId, by: "hint" };
}
