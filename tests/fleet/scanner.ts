import { createConnectors } from "@countersign/connectors";
import { type InventoryRow, SecretValue } from "@countersign/core";
import { type Connection, createScanner, type EngineClock, openStore, type Store } from "@countersign/engine";
import type { Addresses } from "@countersign/simulator";

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

export type FleetScanner = ReturnType<typeof createScanner>;

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

/** Tenants by name, each at its own addresses. */
export type FleetTenants = Readonly<Record<string, { readonly urls: Addresses; readonly directory: Directory }>>;

/** A scanner as one process has it, started: with a store, connectors and a worker of its own. */
export async function startFleetScanner(options: {
  readonly connection: Connection;
  readonly tenants: FleetTenants;
  readonly clock: EngineClock;
  readonly rows?: (() => readonly InventoryRow[]) | undefined;
  readonly changesEverySeconds?: number | undefined;
  /** What a test puts around the store. */
  readonly around?: ((store: Store) => Store) | undefined;
  readonly say: (said: Said) => void;
}): Promise<{ readonly scanner: FleetScanner; end(): Promise<void> }> {
  const { clock, say } = options;
  const tenants = Object.entries(options.tenants).map(([name, { urls, directory }]) => {
    const { reader, writer } = directory.callers;
    return {
      name,
      id: directory.tenant.id,
      authority: urls.authority,
      graph: urls.graph,
      reader: { clientId: reader.clientId, secret: name },
      writer: { clientId: writer.clientId, secret: name },
      ownExecutorAppIds: [],
      ownAddresses: [],
    };
  });
  const connectors = createConnectors(
    {
      profile: "test",
      network: { ca: [], proxy: null, loopback: true },
      callDeadlineMs: liveness.callDeadlineMs,
      tenants,
      connections: [],
    },
    {
      clock,
      version: "suite",
      readSecret: (name) =>
        Promise.resolve(SecretValue.of(options.tenants[name]?.directory.callers.reader.clientSecret ?? "")),
    },
  );
  const store = openStore({ role: "cs_scanner", connection: options.connection, connectionsMax: 4 });
  const scanner = createScanner({
    store: options.around?.(store) ?? store,
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
    fenced: (because) => say({ event: "fenced", facts: { because } }),
    log: (event, facts = {}) => say({ event, facts }),
  });
  await scanner.start();
  return {
    scanner,
    async end() {
      await scanner.stop();
      await store.close();
      await connectors.close();
    },
  };
}
