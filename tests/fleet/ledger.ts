import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createConnectors } from "@countersign/connectors";
import { type InventoryRow, SecretValue } from "@countersign/core";
import {
  createScanner,
  databaseKey,
  type EngineClock,
  embeddedAdmin,
  migrate,
  openStore,
  prepareUsers,
  type Store,
  startEmbedded,
} from "@countersign/engine";
import type { Addresses } from "@countersign/simulator";
import pg from "pg";

/** What a simulated tenant says of itself. */
export interface Directory {
  readonly tenant: { readonly id: string };
  readonly callers: Readonly<Record<"reader" | "writer", { readonly clientId: string; readonly clientSecret: string }>>;
}

/** A line that a scanner logged. */
export interface Said {
  readonly event: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

type FleetScanner = ReturnType<typeof createScanner>;

const liveness = { leaseMs: 10_000, beatMs: 1_000, freshMs: 5_000, callDeadlineMs: 30_000, settleMs: 30_000 };
const daySeconds = 86_400;
/** What the figures of the suites are judged by. */
export const terms = {
  expiringSeconds: 30 * daySeconds,
  lifetimeSecondsMax: 365 * daySeconds,
  quietSeconds: 90 * daySeconds,
  failingSeconds: daySeconds,
  failingMin: 3,
};

/** An empty ledger beside a tenant, and scanners that fill it: the product's parts without the rest of it. */
export async function openLedger(options: {
  readonly urls: Addresses;
  readonly directory: Directory;
  readonly clock: EngineClock;
  readonly rows?: () => readonly InventoryRow[];
  readonly changesEverySeconds?: number;
}) {
  const { urls, directory, clock } = options;
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
    const open = (role: "cs_scanner" | "cs_api" | "cs_executor"): Store => {
      const store = openStore({ role, connection: connections[role], statementTimeoutMs: 120_000 });
      ends.push(() => store.close());
      return store;
    };
    const { clientId, clientSecret } = directory.callers.reader;
    const said: Said[] = [];

    /** A scanner as one process has it: with a store, connectors and a worker of its own. */
    async function scanner(): Promise<FleetScanner> {
      const connectors = createConnectors(
        {
          profile: "test",
          network: { ca: [], proxy: null, loopback: true },
          callDeadlineMs: liveness.callDeadlineMs,
          tenants: [
            {
              name: "fleet",
              id: directory.tenant.id,
              authority: urls.authority,
              graph: urls.graph,
              reader: { clientId, secret: "reader" },
              writer: { clientId: directory.callers.writer.clientId, secret: "reader" },
              ownExecutorAppIds: [],
              ownAddresses: [],
            },
          ],
          connections: [],
        },
        { clock, version: "suite", readSecret: () => Promise.resolve(SecretValue.of(clientSecret)) },
      );
      ends.push(() => connectors.close());
      const made = createScanner({
        store: open("cs_scanner"),
        clock,
        tenants: connectors.scanners,
        rules: {
          cron: "0 6 * * *",
          zone: "Europe/Berlin",
          changesEverySeconds: options.changesEverySeconds ?? 0,
          rows: options.rows ?? (() => []),
          dueSeconds: () => null,
          termsOf: () => terms,
        },
        liveness,
        log: (event, facts = {}) => said.push({ event, facts }),
      });
      await made.start();
      ends.push(() => made.stop());
      return made;
    }
    return { observer, reader: open("cs_api"), executor: open("cs_executor"), said, scanner, close };
  } catch (error) {
    await close();
    throw error;
  }
}

export type FleetLedger = Awaited<ReturnType<typeof openLedger>>;
