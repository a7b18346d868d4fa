import type { Sessions } from "../kit/seams.ts";
import { sessionsOf } from "./roles.ts";
import { rotator, type Servers, withSession } from "./server.ts";

/** Addresses with a session of a role now. */
export function createSessions(servers: Servers): Sessions {
  return async (leave, serverName, role) => {
    const server = servers(serverName);
    return withSession(leave, server, await rotator(server), (client) => sessionsOf(client, role));
  };
}
