import { randomUUID } from "node:crypto";
import { createServer as createHttp, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createHttps } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { World } from "../world.ts";
import { damageBody } from "./damage.ts";
import type { Incoming, Surface } from "./exchange.ts";
import { type Disposition, runExchange } from "./pipeline.ts";

const BODY_BYTES_MAX = 1024 * 1024;
const SILENCE_MS_MAX = 120_000;

/** Key and certificate for https. */
export interface TlsPair {
  key: string;
  cert: string;
}

/** A listening server. */
export interface Listener {
  port: number;
  close(): Promise<void>;
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** Listens on loopback (both families where there are two); port 0 picks a free one. */
export async function listen(handler: Handler, port: number, tls: TlsPair | null): Promise<Listener> {
  const server: Server = tls === null ? createHttp(handler) : createHttps(tls, handler);
  server.keepAliveTimeout = 5_000;
  const sockets = new Set<Socket>();
  const eventName = tls === null ? "connection" : "secureConnection";
  server.on(eventName, (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
  });
  server.on("clientError", (_error, socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve());
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** Reads a body up to the limit; null if it is larger. */
export async function readBody(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_BYTES_MAX) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** The handler of one face of the tenant. */
export function serve(world: World, surface: Surface, scheme: "http" | "https"): Handler {
  return (request, response) => {
    answer(world, surface, scheme, request, response).catch((error: unknown) => {
      process.stderr.write(`simulator: ${surface.name}: ${error instanceof Error ? error.stack : String(error)}\n`);
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  };
}

async function answer(
  world: World,
  surface: Surface,
  scheme: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  let body: string | null;
  try {
    body = await readBody(request);
  } catch {
    return; // The caller went away before its request was complete: nothing was asked.
  }
  if (body === null) {
    response.writeHead(413).end();
    return;
  }
  const incoming = toIncoming(request, body, scheme);
  if (incoming === null) {
    response.writeHead(400).end();
    return;
  }
  // The tenant's own clock, not this machine's.
  response.setHeader("date", new Date(world.clock.nowMs).toUTCString());
  send(await runExchange(world, surface, incoming), incoming, response);
}

function toIncoming(request: IncomingMessage, body: string, scheme: string): Incoming | null {
  const origin = `${scheme}://${request.headers.host ?? "localhost"}`;
  try {
    const url = new URL(request.url ?? "/", origin);
    return {
      method: request.method ?? "GET",
      path: decodeURIComponent(url.pathname),
      rawPath: url.pathname,
      query: url.searchParams,
      origin,
      headers: request.headers,
      body,
      ip: (request.socket.remoteAddress ?? "127.0.0.1").replace(/^::ffff:/, ""),
      requestId: randomUUID(),
      clientRequestId: header(request, "client-request-id"),
      userAgent: header(request, "user-agent"),
    };
  } catch {
    return null;
  }
}

function send(disposition: Disposition, incoming: Incoming, response: ServerResponse): void {
  if (disposition.type === "reset") {
    // resetAndDestroy sends RST, which is what a lost connection looks like to the caller.
    const { socket } = response;
    if (socket instanceof Object && "resetAndDestroy" in socket) socket.resetAndDestroy();
    else response.destroy();
    return;
  }
  if (disposition.type === "silence") {
    const timer = setTimeout(() => response.destroy(), SILENCE_MS_MAX);
    response.on("close", () => clearTimeout(timer));
    return;
  }
  const { reply, damage, afterSent } = disposition;
  const plain = typeof reply.body === "string" && reply.headers?.["content-type"]?.startsWith("text/plain") === true;
  const text = reply.body === undefined ? "" : plain ? String(reply.body) : JSON.stringify(reply.body);
  const { bytes, announced } =
    damage === null ? { bytes: Buffer.from(text), announced: Buffer.byteLength(text) } : damageBody(text, damage);
  response.writeHead(reply.status, {
    ...(reply.body === undefined && damage === null ? {} : { "content-type": "application/json; charset=utf-8" }),
    ...(reply.status === 204 ? {} : { "content-length": String(announced) }),
    "cache-control": "no-store",
    "request-id": incoming.requestId,
    ...(incoming.clientRequestId === null ? {} : { "client-request-id": incoming.clientRequestId }),
    ...reply.headers,
  });
  if (afterSent !== null) response.on("finish", afterSent);
  if (announced > bytes.length) {
    response.write(bytes, () => response.destroy());
    return;
  }
  response.end(bytes);
}

function header(request: IncomingMessage, name: string): string | null {
  const value = request.headers[name];
  return typeof value === "string" ? value : null;
}
