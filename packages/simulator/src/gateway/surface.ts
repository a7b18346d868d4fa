import { z } from "zod";
import type { Incoming, Operation, Outcome, Reply, Surface } from "../http/exchange.ts";
import { isoTime } from "../time.ts";
import type { World } from "../world.ts";
import type { Gateway, GatewayEntry } from "./model.ts";

const Wish = z.strictObject({ secret: z.string().min(1), version: z.string().default(""), by: z.string().optional() });

/** `GET` and `PUT /v1/credentials/{entry}`, and `POST …/rotations`, which makes another one each time it is called. */
export function createGatewaySurface(world: World, gateway: Gateway): Surface {
  return {
    name: `gateway ${gateway.name}`,
    resolve: (incoming) => resolve(world, gateway, incoming),
    fail: ({ status, retryAfterSeconds }) => ({
      ...refusal(status, "refused"),
      headers: retryAfterSeconds === null ? {} : { "retry-after": String(retryAfterSeconds) },
    }),
  };
}

function resolve(world: World, gateway: Gateway, incoming: Incoming): Operation {
  const [, name = "", rotations] = /^\/v1\/credentials\/([^/]+)(\/rotations)?$/.exec(incoming.path) ?? [];
  const { method } = incoming;
  const op =
    name === ""
      ? "unknown"
      : method === "GET" && rotations === undefined
        ? "gatewayEntry.get"
        : method === "PUT" && rotations === undefined
          ? "gatewayEntry.put"
          : method === "POST" && rotations !== undefined
            ? "gatewayEntry.rotate"
            : "unknown";
  const write = op === "gatewayEntry.put" || op === "gatewayEntry.rotate";
  return {
    op,
    write,
    caller: null,
    target: { gateway: gateway.name, entry: name },
    carryOut(): Outcome {
      if (incoming.headers["x-api-key"] !== gateway.token) return refuse(401, "unauthorized");
      const entry = gateway.entries.find((item) => item.name === name);
      if (entry === undefined || op === "unknown") return refuse(404, "not-found");
      if (!write) return { reply: { status: 200, body: shape(gateway, entry) }, effect: false };
      const wish = Wish.safeParse(parse(incoming.body));
      if (!wish.success) return refuse(400, "invalid");
      Object.assign(entry, {
        value: wish.data.secret,
        version: wish.data.version,
        updatedMs: world.clock.nowMs,
        writes: entry.writes + 1,
      });
      return { reply: { status: 200, body: shape(gateway, entry) }, effect: true, target: { writes: entry.writes } };
    },
  };
}

function shape(gateway: Gateway, entry: GatewayEntry): object {
  return {
    entry: { id: entry.id, name: entry.name },
    state: [{ version: entry.version, updated: isoTime(entry.updatedMs), writes: entry.writes }],
    ...(gateway.readable ? { secret: entry.value } : {}),
  };
}

function refusal(status: number, code: string): Reply {
  return { status, body: { code } };
}

function refuse(status: number, code: string): Outcome {
  return { reply: refusal(status, code), effect: false, code };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
