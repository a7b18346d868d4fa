import type { IncomingMessage, ServerResponse } from "node:http";
import { isoTime, parseDuration, parseTime } from "../time.ts";
import type { ClockClients } from "./clients.ts";
import { ClockBusyError, type ClockDriver } from "./driver.ts";
import type { SimClock, Tick } from "./sim-clock.ts";

const IDLE_LIMIT_MS_DEFAULT = 60_000;
const HEARTBEAT_MS = 15_000;

/** The parts of the clock that the protocol speaks for (docs/clock-protocol.md). */
export interface ClockParts {
  clock: SimClock;
  clients: ClockClients;
  driver: ClockDriver;
}

/** A JSON answer of the management port. */
export interface ManagementAnswer {
  status: number;
  body: unknown;
}

/** Answers `/clock…`; null for another path. Streams are answered by `streamClock`. */
export async function answerClock(
  parts: ClockParts,
  method: string,
  path: string,
  body: Record<string, unknown>,
): Promise<ManagementAnswer | null> {
  const route = `${method} ${path}`;
  if (route === "GET /clock") return { status: 200, body: clockView(parts) };
  if (route === "GET /clock/clients") return { status: 200, body: { clients: parts.clients.list() } };
  if (route === "POST /clock/idle") return idle(parts, body);
  if (route === "POST /clock/advance") return advance(parts, body);
  if (route === "POST /clock/rate") return setRate(parts, body);
  return null;
}

function clockView({ clock, driver }: ClockParts): Record<string, unknown> {
  return { now: isoTime(clock.nowMs), rate: driver.rate, seq: clock.seq };
}

function bad(detail: string): ManagementAnswer {
  return { status: 400, body: { error: "bad-request", detail } };
}

function idle({ clients, clock }: ClockParts, body: Record<string, unknown>): ManagementAnswer {
  const { client, seq, idleUntil } = body;
  if (typeof client !== "string" || client === "") return bad(`client: expected a name, got ${JSON.stringify(client)}`);
  if (!Number.isInteger(seq)) return bad(`seq: expected the number of a tick, got ${JSON.stringify(seq)}`);
  const untilMs = idleUntil === null ? Number.POSITIVE_INFINITY : parseTime(idleUntil);
  if (untilMs === null) return bad(`idleUntil: expected an RFC 3339 time or null, got ${JSON.stringify(idleUntil)}`);
  if (!clients.report(client, Number(seq), untilMs)) {
    return { status: 409, body: { error: "not-connected", detail: `client ${client} has no open /clock/stream` } };
  }
  return { status: 200, body: { seq: clock.seq } };
}

async function advance(parts: ClockParts, body: Record<string, unknown>): Promise<ManagementAnswer> {
  const spanMs = body.by === undefined ? null : parseDuration(body.by);
  const targetMs = body.to === undefined ? null : parseTime(body.to);
  const limitMs = body.limitMs === undefined ? IDLE_LIMIT_MS_DEFAULT : Number(body.limitMs);
  if ((spanMs === null) === (targetMs === null)) {
    return bad("expected either by (seconds or ISO 8601 duration) or to (RFC 3339 time)");
  }
  const grainMs = body.grainMs === undefined ? 0 : Number(body.grainMs);
  if (!Number.isFinite(limitMs) || limitMs <= 0) return bad("limitMs: expected milliseconds > 0");
  if (!Number.isInteger(grainMs) || grainMs < 0) return bad("grainMs: expected whole milliseconds >= 0");
  if (targetMs !== null && targetMs < parts.clock.nowMs) {
    return bad(`to: expected a time >= ${isoTime(parts.clock.nowMs)}, the clock never goes back`);
  }
  try {
    const done =
      spanMs === null
        ? await parts.driver.advance(targetMs ?? 0, limitMs, grainMs)
        : await parts.driver.advanceBy(spanMs, limitMs, grainMs);
    return { status: 200, body: { now: isoTime(done.nowMs), steps: done.steps, events: done.events } };
  } catch (error) {
    if (!(error instanceof ClockBusyError)) throw error;
    const { busy, nowMs, message } = error;
    return { status: 409, body: { error: "clients-busy", detail: message, clients: busy, now: isoTime(nowMs) } };
  }
}

function setRate({ driver, ...parts }: ClockParts, body: Record<string, unknown>): ManagementAnswer {
  const rate = Number(body.rate);
  if (!Number.isFinite(rate) || rate < 0 || rate > 100_000)
    return bad("rate: expected virtual seconds per real second");
  driver.setRate(rate);
  return { status: 200, body: clockView({ driver, ...parts }) };
}

/** Answers `GET /clock/stream`: server-sent events, one per tick, the present one first. */
export function streamClock(
  parts: ClockParts,
  client: string | null,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const send = ({ nowMs, seq }: Tick): void => {
    response.write(`event: clock\nid: ${seq}\ndata: ${JSON.stringify({ now: isoTime(nowMs), seq })}\n\n`);
  };
  openStream(response);
  // Without a name it only watches: nobody waits for it.
  const drop = client === null ? () => undefined : parts.clients.connect(client);
  const stop = parts.clock.subscribe(send);
  const heartbeat = setInterval(() => response.write(": still here\n\n"), HEARTBEAT_MS);
  send({ nowMs: parts.clock.nowMs, seq: parts.clock.seq });
  request.on("close", () => {
    clearInterval(heartbeat);
    stop();
    drop();
  });
}

/** Sends the head of an event stream. */
export function openStream(response: ServerResponse): void {
  response.writeHead(200, {
    "content-type": "text/event-stream",
    "cache-control": "no-store",
    connection: "keep-alive",
  });
  response.flushHeaders();
}
