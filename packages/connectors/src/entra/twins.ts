import type { SweepContext } from "../kit/leave.ts";
import { type ApplicationRef, markedBy, readApplication } from "./application.ts";
import type { Tenants } from "./graph.ts";
import { type Removed, removeCredential } from "./remove-credential.ts";

/** What a look at an application's marked secrets found. */
export interface TwinsFound {
  /** keyIds of our late twins. */
  readonly twins: readonly string[];
  /** Carry this run's marker with a nonce that no intent holds: somebody forged it. Never touched; an alert. */
  readonly strangers: readonly string[];
}

/** Which secrets stay and which nonces are ours. */
export interface TwinRules {
  /** keyIds that are accounted for: published, or still to be used. */
  readonly keep: readonly string[];
  /** Nonces of this run's committed intents. */
  readonly nonces: readonly string[];
}

/**
 * What an attempt of a run left behind and nobody holds the value of: a creation that was not visible when it was looked for
 * (I3). A twin carries a nonce of ours and is not to be kept; it is removed by the keyId that was found, and nothing else is.
 */
export function createTwins(tenants: Tenants) {
  return {
    async find(ctx: SweepContext, target: ApplicationRef, rules: TwinRules): Promise<TwinsFound> {
      const application = await readApplication(ctx, tenants(target.tenant), target, "writer");
      const keep = new Set(rules.keep.map((id) => id.toLowerCase()));
      const nonces = new Set(rules.nonces);
      const marked = markedBy(application, ctx.run).filter(({ keyId }) => !keep.has(keyId.toLowerCase()));
      return {
        twins: marked.filter(({ marker }) => nonces.has(marker.nonce)).map(({ keyId }) => keyId),
        strangers: marked.filter(({ marker }) => !nonces.has(marker.nonce)).map(({ keyId }) => keyId),
      };
    },

    remove: (ctx: SweepContext, target: ApplicationRef, keyId: string): Promise<Removed> =>
      removeCredential(ctx, tenants(target.tenant), target, keyId),
  };
}
