import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { init } from "@countersign/server";
import { receiversOf } from "../../scenarios/telling.ts";
import { bundledProduct } from "./bundle.ts";
import { type ClockHold, holdClock } from "./clock.ts";
import { startServer, type WorkServer } from "./database.ts";
import { liveness, type Variation, writeDocuments } from "./documents.ts";
import type { Row } from "./names.ts";
import { type PauseServer, startPauses } from "./pauses.ts";
import { freePort } from "./process.ts";
import { type PlantedBug, type Product, startProduct } from "./product.ts";
import { openSessions, type Sessions } from "./session.ts";
import { type Directory, type HoldEvent, type Simulator, startSimulator } from "./simulator.ts";
import { seedTenant } from "./tenant.ts";

/** A whole installation with a tenant, a PostgreSQL server and a clock of its own: lanes disturb each other in nothing. */
export interface Lane {
  readonly folder: string;
  readonly log: string;
  readonly simulator: Simulator;
  readonly server: WorkServer;
  readonly clock: ClockHold;
  readonly pauses: PauseServer;
  readonly people: Sessions;
  /** Ids of everything in the tenant as it was at the start. */
  readonly directory: Directory;
  /** Secrets that were made by hand since, by row. */
  readonly named: Map<string, string>;
  readonly liveness: typeof liveness;
  /** Who hears of the next holds; the one before no longer does. */
  listenToHolds(listener: (event: HoldEvent) => void): void;
  /** The product's present process. */
  readonly product: Product;
  /** Starts the product; the one before has ended, or stands still: the next one has an address of its own. */
  start(): Product;
  /** Waits for the present process; one whose beats came too late ends itself, and another one is started. */
  untilReady(): Promise<void>;
  /** Starts a product at one of the two places, beside whatever runs at the other. */
  launch(place: number): Product;
  /** People ask at the other place from now on, until {@link start} starts one that answers. */
  turn(): void;
  /** From the next start on the product has this bug; null: none. */
  plant(bug: PlantedBug | null): void;
  stop(): Promise<void>;
}

/** Two, so that a process can be started while the one before still has its port. */
const configs = ["countersign.yaml", "standby.yaml"] as const;

export async function startLane(options: {
  readonly seed: number;
  readonly rows: readonly Row[];
  readonly cache: string;
  readonly vary?: (folder: string) => Variation;
  /** The product does not announce its journal: where it is never to stop, that is a call for nothing. */
  readonly silent?: true;
}): Promise<Lane> {
  const folder = mkdtempSync(join(tmpdir(), "countersign-crash-"));
  const ends: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
  const stop = async () => {
    for (const end of ends.splice(0).reverse()) {
      try {
        await end();
      } catch (error) {
        process.stderr.write(`crash: clearing up failed: ${String(error)}\n`);
      }
    }
  };
  try {
    mkdirSync(join(folder, "server"), { mode: 0o700 });
    const [server, simulator, bundle] = await Promise.all([
      startServer(join(folder, "server"), options.rows),
      startSimulator(options.seed),
      bundledProduct(options.cache),
    ]);
    ends.push(
      () => server.stop(),
      () => simulator.stop(),
    );
    const variation = options.vary?.(folder) ?? {};
    await simulator.post("/seed", receiversOf(variation.channels ?? []));
    const directory = await seedTenant(simulator, server, options.rows, folder);
    const ports = await Promise.all([freePort(), freePort()]);
    for (const [index, api] of ports.entries())
      writeDocuments(
        { folder, config: configs[index] ?? "", api, clock: simulator.management, ...variation },
        directory,
        server,
        options.rows,
      );
    await init(join(folder, "countersign.yaml"), "crash.countersign.local/log");
    const clock = await holdClock(simulator);
    ends.push(() => clock.close());
    const pauses = await startPauses();
    ends.push(() => pauses.close());
    let hear: (event: HoldEvent) => void = () => {};
    await simulator.onHold((event) => hear(event));
    const log = join(folder, "product.log");
    let product: Product | null = null;
    let started = -1;
    let asked = 0;
    const all: Product[] = [];
    ends.push(() => Promise.all(all.map((one) => one.kill())));
    let planted: PlantedBug | null = null;
    const launch = (place: number): Product => {
      const config = configs[place] ?? "";
      const pauseUrl = options.silent === true ? null : pauses.url;
      const next = startProduct({ folder, config, pauseUrl, log, bundle, cache: options.cache, planted });
      all.push(next);
      return next;
    };
    const start = (): Product => {
      started += 1;
      asked = 0;
      product = launch(started % 2);
      return product;
    };
    start();
    const people = openSessions(() => `http://127.0.0.1:${ports[(started + asked) % 2]}`);
    return {
      folder,
      log,
      simulator,
      server,
      clock,
      pauses,
      people,
      directory,
      named: new Map(),
      liveness: { ...liveness, ...variation?.liveness },
      listenToHolds(listener) {
        hear = listener;
      },
      get product() {
        if (product === null) throw new Error("expected a product process, got none");
        return product;
      },
      start,
      launch,
      async untilReady() {
        for (;;) {
          const current = product ?? start();
          try {
            await current.ready;
            if (!current.fenced()) return;
          } catch (error) {
            if (!current.fenced()) throw error;
          }
          start();
        }
      },
      turn() {
        asked += 1;
      },
      plant(bug) {
        planted = bug;
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
