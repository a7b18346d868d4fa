import type { Facts, VerbContext } from "@countersign/core";
import type { Leave } from "../kit/leave.ts";
import { identifyServer } from "./roles.ts";
import { rotator, type Server, withSession } from "./server.ts";

/** What `identify` saw last for a step, so that the transaction can insist on the same server. */
const seen = new Map<string, Facts>();
const seenMax = 1_000;
const keyOf = (ctx: VerbContext) => `${ctx.run}/${ctx.step}`;

/** Reads the server's identity as the rotator. */
export async function readServerIdentity(leave: Leave, server: Server): Promise<Facts> {
  return withSession(leave, server, await rotator(server), (client) => identifyServer(client, server));
}

/** Identity for a verb; remembered for {@link identitySeen}. */
export async function identifyForVerb(ctx: VerbContext, server: Server): Promise<Facts> {
  const identity = await readServerIdentity(ctx, server);
  const oldest = seen.keys().next().value;
  if (seen.size >= seenMax && oldest !== undefined) seen.delete(oldest);
  seen.set(keyOf(ctx), identity);
  return identity;
}

/** The identity that the executor compared with the plan before this act, when it was read in this process. */
export function identitySeen(ctx: VerbContext): Facts | undefined {
  return seen.get(keyOf(ctx));
}
