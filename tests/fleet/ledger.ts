import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { InventoryRow } from "@countersign/core";
import {
  databaseKey,
  type EngineClock,
  embeddedAdmin,
  migrate,
  openStore,
  prepareUsers,
  type Store,
  startEmbedded,
} from "@countersign/engine";
import pg from "pg";
import { type FleetScanner, type FleetTenants, type Said, startFleetScanner } from "./scanner.ts";

/** An empty ledger beside tenants, and scanners that fill it: the product's parts without the rest of it. */
export async function openLedger(options: {
  readonly tenants: FleetTenants;
  readonly clock: EngineClock;
  readonly rows?: () => readonly InventoryRow[];
  readonly changesEverySeconds?: number;
}) {
  const folder = mkdtempSync(join(tmpdir(), "cs-fleet-"));
  chmodSync(folder, 0o711);
  const ends: (() => Promise<unknown>)[] = [async () => rmSync(folder, { recursive: true, force: true })];
  const close = async () => {
    for (const end of ends.splice(0).toReversed()) await end().catch(() => {});
  };
  try {
    const server = await startEmbedded({ stateFolder: join(folder, "server"), sharedFolder: join(folder, "shared") });
    ends.push(() => server.stop("immediate"));
    const admin = await embeddedAdmin(server);
    const connections = await prepareUsers(admin, await databaseKey(folder));
    await migrate(connections.cs_migrator);
    const { host, port, database } = admin.address;
    const observer = new pg.Client({ host, port, database, user: admin.user, password: admin.password });
    await observer.connect();
    ends.push(() => observer.end());
    const open = (role: "cs_api" | "cs_executor"): Store => {
      const store = openStore({ role, connection: connections[role] });
      ends.push(() => store.close());
      return store;
    };
    const said: Said[] = [];

    /** A scanner in this process. */
    async function scanner(around?: (store: Store) => Store): Promise<FleetScanner> {
      const { tenants, clock, rows, changesEverySeconds } = options;
      const connection = connections.cs_scanner;
      const say = (line: Said) => void said.push(line);
      const started = await startFleetScanner({ connection, tenants, clock, rows, changesEverySeconds, around, say });
      ends.push(() => started.end());
      return started.scanner;
    }
    return {
      observer,
      /** What a scanner in another process signs in with. */
      connection: connections.cs_scanner,
      reader: open("cs_api"),
      executor: open("cs_executor"),
      said,
      scanner,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

export type FleetLedger = Awaited<ReturnType<typeof openLedger>>;
