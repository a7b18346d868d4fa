import type { SweepContext } from "../kit/leave.ts";
import { type ApplicationRef, markedBy, readApplication } from "./application.ts";
import type { Tenants } from "./graph.ts";
import { removeCredential } from "./remove-credential.ts";

/** What a sweep over an application's marked secrets found and did. */
export interface Swept {
  /** Our late twins, removed now. */
  readonly removed: readonly string[];
  /** Carry this run's marker with a nonce that no intent holds: somebody forged it. Not touched; an alert. */
  readonly strangers: readonly string[];
}

/** Which secrets stay and which nonces are ours. */
export interface SweepRules {
  /** keyIds that are accounted for: published, or still to be used. */
  readonly keep: readonly string[];
  /** Nonces of this run's committed intents. */
  readonly nonces: readonly string[];
}

/**
 * Removes what an attempt of this run left behind and nobody holds the value of: a creation that was not visible when it
 * was looked for (I3). Removes only what carries a nonce of ours and is not to be kept. `dryRun` only lists.
 */
export function createSweep(tenants: Tenants) {
  return async (ctx: SweepContext, target: ApplicationRef, rules: SweepRules, dryRun = false): Promise<Swept> => {
    const tenant = tenants(target.tenant);
    const application = await readApplication(ctx, tenant, target, "writer");
    const keep = new Set(rules.keep.map((id) => id.toLowerCase()));
    const nonces = new Set(rules.nonces);
    const removed: string[] = [];
    const strangers: string[] = [];
    for (const { keyId, marker } of markedBy(application, ctx.run)) {
      if (keep.has(keyId.toLowerCase())) continue;
      if (!nonces.has(marker.nonce)) {
        strangers.push(keyId);
        continue;
      }
      if (!dryRun) await removeCredential(ctx, tenant, target, keyId);
      removed.push(keyId);
    }
    return { removed, strangers };
  };
}
