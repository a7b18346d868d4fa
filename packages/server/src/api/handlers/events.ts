import type { ChangeEvent } from "@countersign/contract";
import type { Handler } from "../handler.ts";

const heartbeatMs = 15_000;
const streamsMax = 500;

/**
 * The one live stream: an event says that the log grew, its id is the log's size. A client that was away sends
 * `Last-Event-ID`; if the log has grown since, it is told at once that everything may have changed.
 */
export const events: Handler<"events"> = async ({ api, request, reply }) => {
  const { changes } = request.server;
  const size = await api.store.logSize();
  if (changes.listeners >= streamsMax) {
    reply.code(503);
    return null;
  }
  reply.hijack();
  const { raw } = reply;
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value);
  raw.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" });
  const send = (event: ChangeEvent) => raw.write(`id: ${event.size}\ndata: ${JSON.stringify(event)}\n\n`);
  const seen = Number(request.headers["last-event-id"] ?? Number.NaN);
  const missed = Number.isInteger(seen) && seen !== size;
  send({ size, runs: [], all: missed, now: new Date(api.now()).toISOString() });
  const stop = changes.listen(send, size);
  const heartbeat = setInterval(() => raw.write(": alive\n\n"), heartbeatMs);
  raw.on("close", () => {
    stop();
    clearInterval(heartbeat);
  });
  return null;
};
