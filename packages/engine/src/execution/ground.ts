import type { Config, Inventory, Policy } from "@countersign/core";
import type { Trust } from "@countersign/evidence";

/**
 * What this executor's own host knows: read from its own files at each judgement, never from the database. Whoever can
 * write rows cannot change any of it.
 */
export interface Ground {
  readonly config: Config;
  /** The root of trust. Error: TRUST_INVALID. */
  trust(): Trust;
  /** The active policy with its bytes. Errors: POLICY_INVALID, POLICY_UNTRUSTED. */
  policy(): { readonly policy: Policy; readonly bytes: Uint8Array; readonly digest: string };
  /** The accepted inventory. Errors: INVENTORY_INVALID, INVENTORY_UNTRUSTED. */
  inventory(): Inventory;
}
