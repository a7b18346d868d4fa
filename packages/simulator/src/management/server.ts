import type { IncomingMessage, ServerResponse } from "node:http";
import { answerClock, type ClockParts, type ManagementAnswer, openStream, streamClock } from "../clock/routes.ts";
import type { EffectFilter } from "../effects/log.ts";
import { applyKnobs, type KnobChange } from "../faults/knobs.ts";
import { type Handler, readBody } from "../http/listener.ts";
import { addFleet, changeFleet } from "../tenant/fleet.ts";
import { isoTime } from "../time.ts";
import type { World } from "../world.ts";
import { directory } from "./directory.ts";
import { holdings } from "./holdings.ts";
import { addByHand, pasteInto, removeByHand, renameUser } from "./portal.ts";
import { readFault, readHold, ruleView } from "./rules-body.ts";

const PAGE_MAX = 10_000;

/** What the management port can do besides looking. */
export interface ManagementParts extends ClockParts {
  world: World;
  seed(scenario: unknown): Promise<unknown>;
  figures(): unknown;
  control(options: Record<string, unknown>): Promise<unknown>;
  /** Ends the process, as SIGTERM does. */
  stop(): void;
}

/** The handler of the management port: plain JSON, no authentication, loopback only. */
export function createManagement(parts: ManagementParts): Handler {
  return (request, response) => {
    const url = new URL(request.url ?? "/", "http://management");
    if (request.method === "GET" && url.pathname === "/clock/stream") {
      streamClock(parts, url.searchParams.get("client"), request, response);
      return;
    }
    if (request.method === "GET" && url.pathname === "/events") {
      streamEvents(parts.world, request, response);
      return;
    }
    void answer(parts, request, url)
      .catch((error: unknown): ManagementAnswer => {
        const detail = error instanceof Error ? error.message : String(error);
        const known = error instanceof RangeError || error instanceof SyntaxError;
        return { status: known ? 400 : 500, body: { error: known ? "bad-request" : "internal", detail } };
      })
      .then(({ status, body }) => {
        response.writeHead(status, { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" });
        response.end(`${JSON.stringify(body)}\n`);
      });
  };
}

async function answer(parts: ManagementParts, request: IncomingMessage, url: URL): Promise<ManagementAnswer> {
  const method = request.method ?? "GET";
  const text = (await readBody(request)) ?? "";
  const body = (text === "" ? {} : JSON.parse(text)) as Record<string, unknown>;
  const clock = await answerClock(parts, method, url.pathname, body);
  if (clock !== null) return clock;
  const ok = (value: unknown): ManagementAnswer => ({ status: 200, body: value });
  const { world } = parts;
  switch (`${method} ${url.pathname}`) {
    case "GET /":
      return ok({ simulator: "countersign", seed: world.seed, urls: world.addresses });
    case "GET /directory":
      return ok(directory(world));
    case "GET /holdings":
      return ok(holdings(world));
    case "GET /told":
      return ok(told(world));
    case "POST /seed":
      return ok(await parts.seed(body));
    case "POST /fleet":
      return ok(addFleet(world, Number(body.applications), Number(body.seed ?? world.seed)));
    case "POST /fleet/change":
      return ok({ changed: changeFleet(world, Number(body.applications)) });
    case "POST /portal/credentials":
      return ok(addByHand(world, body));
    case "POST /portal/removals":
      return ok(removeByHand(world, body));
    case "POST /portal/names":
      return ok(renameUser(world, body));
    case "POST /portal/pastes":
      return ok(pasteInto(world, body));
    case "GET /effects":
      return ok(world.effects.read(readFilter(url.searchParams)));
    case "GET /figures":
      return ok(parts.figures());
    case "GET /knobs":
      return ok(world.knobs);
    case "PUT /knobs":
      world.knobs = applyKnobs(world.knobs, (typeof body === "object" ? body : text) as KnobChange);
      return ok(world.knobs);
    case "GET /faults":
    case "GET /holds":
      return ok({ rules: world.rules.list().map(ruleView), held: world.holds.list() });
    case "POST /faults":
      return ok(ruleView(world.rules.arm(readFault(body))));
    case "POST /holds":
      return ok(ruleView(world.rules.arm(readHold(body))));
    case "DELETE /faults":
    case "DELETE /holds":
      world.rules.clear();
      return ok({ ended: world.holds.decideAll("drop") });
    case "POST /control/naive":
      return ok(await parts.control(body));
    case "POST /stop":
      parts.stop();
      return ok({ stopping: true });
    default:
      return byId(world, method, url.pathname);
  }
}

/** What people were told: messages of each room, tickets of each desk. */
function told(world: World): unknown {
  const { chat, desks } = world.tenant;
  return {
    chat: Object.fromEntries(
      chat.map(({ name, messages }) => [name, messages.map(({ atMs, payload }) => ({ at: isoTime(atMs), payload }))]),
    ),
    desks: Object.fromEntries(
      desks.map(({ name, tickets }) => [
        name,
        tickets.map(({ createdMs, foundMs: _, comments, ...ticket }) => ({
          ...ticket,
          created: isoTime(createdMs),
          comments: comments.map(({ text, atMs }) => ({ at: isoTime(atMs), text })),
        })),
      ]),
    ),
  };
}

/** A person acts on a ticket by hand: closes it, or opens it again. */
function changeTicket(world: World, desk: string, key: string, verb: string, path: string): ManagementAnswer {
  const ticket = world.tenant.desks.find(({ name }) => name === desk)?.tickets.find((item) => item.key === key);
  if (ticket === undefined) return missing(path);
  ticket.closed = verb === "close";
  const states = key.startsWith("INC") ? { closed: "7", open: "1" } : { closed: "Done", open: "To Do" };
  ticket.state = ticket.closed ? states.closed : states.open;
  world.persist();
  return { status: 200, body: { key, closed: ticket.closed } };
}

function byId(world: World, method: string, path: string): ManagementAnswer {
  const hold = /^\/holds\/([^/]+)\/(release|drop)$/.exec(path);
  if (method === "POST" && hold !== null) {
    const done = world.holds.decide(String(hold[1]), hold[2] as "release" | "drop");
    return done ? { status: 200, body: { id: hold[1], verdict: hold[2] } } : missing(path);
  }
  const workload = /^\/workloads\/([^/]+)\/(stop|start|forget)$/.exec(path);
  if (method === "POST" && workload !== null)
    return changeWorkload(world, String(workload[1]), String(workload[2]), path);
  const ticket = /^\/desks\/([^/]+)\/([^/]+)\/(close|open)$/.exec(path);
  if (method === "POST" && ticket !== null)
    return changeTicket(world, String(ticket[1]), String(ticket[2]), String(ticket[3]), path);
  const rule = /^\/(?:faults|holds)\/([^/]+)$/.exec(path);
  if (method === "DELETE" && rule !== null) {
    return world.rules.disarm(String(rule[1])) ? { status: 200, body: { id: rule[1] } } : missing(path);
  }
  return missing(path);
}

/** `forget` drops what the workload holds, as a restart does: it reads anew at its next sign-in. */
function changeWorkload(world: World, name: string, verb: string, path: string): ManagementAnswer {
  const workload = world.tenant.workloads.find((item) => item.name === decodeURIComponent(name));
  if (workload === undefined) return missing(path);
  if (verb === "forget") workload.held = null;
  else workload.stopped = verb === "stop";
  if (verb === "start") workload.nextMs = Math.max(workload.nextMs, world.clock.nowMs + 1);
  world.persist();
  return { status: 200, body: { name: workload.name, stopped: workload.stopped } };
}

function missing(path: string): ManagementAnswer {
  return { status: 404, body: { error: "not-found", detail: `nothing at ${path}` } };
}

function readFilter(query: URLSearchParams): EffectFilter {
  const whole = (name: string, fallback: number, max: number): number => {
    const value = Number(query.get(name) ?? fallback);
    if (!Number.isInteger(value) || value < 0 || value > max) {
      throw new RangeError(`${name}: expected a whole number from 0 to ${max}`);
    }
    return value;
  };
  const origin = query.get("origin") ?? "all";
  if (origin !== "all" && origin !== "outside" && origin !== "workload") {
    throw new RangeError(`origin: expected all, outside or workload, got ${origin}`);
  }
  const effect = query.get("effect");
  return {
    after: whole("after", 0, Number.MAX_SAFE_INTEGER),
    limit: whole("limit", 1000, PAGE_MAX),
    op: query.get("op"),
    caller: query.get("caller"),
    workload: query.get("workload"),
    appId: query.get("appId"),
    effect: effect === null ? null : effect === "true",
    origin,
  };
}

/** `GET /events`: holds as they are reached. */
function streamEvents(world: World, request: IncomingMessage, response: ServerResponse): void {
  openStream(response);
  response.write(": listening\n\n");
  const stop = world.events.subscribe(({ type, data }) => {
    response.write(`event: ${type}\ndata: ${JSON.stringify(data)}\n\n`);
  });
  request.on("close", stop);
}
