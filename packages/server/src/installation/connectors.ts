import { resolve } from "node:path";
import { type BuiltConnectors, createConnectors, type Observe } from "@countersign/connectors";
import type { Connection } from "@countersign/core";
import type { EngineClock } from "@countersign/engine";
import { build } from "./build.ts";
import type { Installation } from "./load.ts";

/** The connectors of this installation, with the secrets that its process may read. */
export function openConnectors(
  { config, ca, folder, secret }: Installation,
  clock: EngineClock,
  observe: Observe,
): BuiltConnectors {
  return createConnectors(
    {
      profile: config.profile,
      network: { ...config.network, ca },
      callDeadlineMs: config.liveness.callDeadlineMs,
      tenants: config.tenants,
      connections: config.connections.map((connection) => rooted(connection, folder)),
    },
    { clock, version: build, readSecret: async (reference) => secret(reference), observe },
  );
}

/** Folders in the configuration are relative to the file they stand in, not to where the process was started. */
function rooted(connection: Connection, folder: string): Connection {
  const { root } = connection.settings as { readonly root?: unknown };
  return connection.kind === "files" && typeof root === "string"
    ? { ...connection, settings: { ...(connection.settings as object), root: resolve(folder, root) } }
    : connection;
}
