import type { TokenClaims } from "../entra/token-keys.ts";
import type { Incoming, Operation, Outcome, Target } from "../http/exchange.ts";
import type { CredentialHolder } from "../tenant/model.ts";
import type { World } from "../world.ts";
import { authorise, readBearer } from "./access.ts";
import { refuse } from "./errors.ts";
import { QueryError } from "./odata.ts";

/** One call to Graph on its way through a route. */
export interface GraphCall {
  world: World;
  incoming: Incoming;
  claims: TokenClaims;
}

/** What a route declares. */
export interface GraphRoute {
  op: string;
  write?: boolean;
  roles: readonly string[];
  holder?: CredentialHolder | null;
  target?: Target;
  /** Cost in resource units, for `x-ms-resource-unit`. */
  units?: number;
  run(call: GraphCall): Outcome;
}

/** Makes the operation of a route: token, roles, cost and malformed queries in one place. */
export function graphOperation(world: World, incoming: Incoming, route: GraphRoute): Operation {
  const claims = readBearer(world, incoming);
  const holder = route.holder ?? null;
  const write = route.write ?? false;
  return {
    op: route.op,
    write,
    concurrency: write && holder !== null ? { lastWriteMs: holder.lastWriteMs } : undefined,
    caller: claims?.appid ?? null,
    target: route.target ?? {},
    carryOut: () => {
      const access = authorise(world, incoming, claims, route.roles, holder);
      if (!access.ok) return access.outcome;
      const outcome = runGuarded(route, { world, incoming, claims: access.claims });
      const headers = { "x-ms-resource-unit": String(cost(incoming, route.units ?? 1)), ...outcome.reply.headers };
      return { caller: access.claims.appid, ...outcome, reply: { ...outcome.reply, headers } };
    },
  };
}

function runGuarded(route: GraphRoute, call: GraphCall): Outcome {
  try {
    return route.run(call);
  } catch (error) {
    if (error instanceof QueryError) return refuse(call.world, call.incoming, 400, "Request_BadRequest", error.message);
    throw error;
  }
}

/** Graph docs, throttling-limits: $select -1, $expand +1, $top < 20 -1, at least 1. */
function cost(incoming: Incoming, base: number): number {
  const { query } = incoming;
  const top = Number(query.get("$top") ?? 100);
  return Math.max(1, base - (query.has("$select") ? 1 : 0) + (query.has("$expand") ? 1 : 0) - (top < 20 ? 1 : 0));
}

/** The body as a JSON object, or null. */
export function jsonBody(incoming: Incoming): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(incoming.body);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : null;
  } catch {
    return null;
  }
}
