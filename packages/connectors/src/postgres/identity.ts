import type { Facts, VerbContext } from "@countersign/core";
import type { Leave } from "../kit/leave.ts";
import { identifyServer } from "./roles.ts";
import { rotator, type Server, withSession } from "./server.ts";

/** What `identify` saw for an attempt, so that the transaction can insist on the same server. */
const seen = new WeakMap<VerbContext, Facts>();

/** Reads the server's identity as the rotator. */
export async function readServerIdentity(leave: Leave, server: Server): Promise<Facts> {
  return withSession(leave, server, await rotator(server), (client) => identifyServer(client, server));
}

/** Identity for a verb; remembered for {@link identitySeen}. */
export async function identifyForVerb(ctx: VerbContext, server: Server): Promise<Facts> {
  const identity = await readServerIdentity(ctx, server);
  seen.set(ctx, identity);
  return identity;
}

/** The identity that the executor compared with the plan for this attempt, when it was read in this process. */
export function identitySeen(ctx: VerbContext): Facts | undefined {
  return seen.get(ctx);
}
