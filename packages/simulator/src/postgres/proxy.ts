import { type AddressInfo, createServer, type Socket } from "node:net";
import type { Listener } from "../http/listener.ts";
import type { PostgresDatabase } from "../tenant/model.ts";
import type { World } from "../world.ts";
import { PostgresSession } from "./session.ts";

/** Listens on loopback in front of a real server; no TLS, which it declines as a server without TLS does. */
export async function openPostgresProxy(world: World, database: PostgresDatabase): Promise<Listener> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    new PostgresSession(world, database, socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(database.listenPort, "127.0.0.1", () => resolve());
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
