import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CountersignError } from "@countersign/core";
import { startEmbedded } from "@countersign/engine";
import { init } from "@countersign/server";
import { keepRunning } from "./keep-running.ts";
import { type OrdersDatabase, startOrders } from "./orders-database.ts";
import { freePort } from "./ports.ts";
import { programFile } from "./programs.ts";
import { type SimulatedTenant, startTenant } from "./simulator.ts";
import { demoScenario, writeConsumerFiles, writeDocuments } from "./world.ts";

export interface DemoOptions {
  /** Where everything of the demo is kept. */
  readonly folder: string;
  readonly seed: number;
  /** Virtual seconds per real second; 0 = time moves only when asked. */
  readonly rate: number;
  /** Faults of the simulated tenant: its defaults, or none. */
  readonly knobs: "default" | "off";
  readonly say: (line: string) => void;
  /** What the product writes on stderr; null throws it away into a file. */
  readonly verbose: boolean;
}

/** A running demo: the simulated tenant, a real PostgreSQL to rotate, and the product, each a process of its own. */
export interface Demo {
  readonly url: string;
  readonly tenant: SimulatedTenant;
  readonly orders: OrdersDatabase;
  readonly folder: string;
  /** Resolves if the product ends by itself and cannot be started again. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

const preferredPort = 8080;
/** Long, for slow machines: a product that does not come up ends, and that is noticed at once. */
const readyDeadlineMs = 180_000;
const origin = "demo.countersign.local/log";

/** Starts the demo; what a former start left in the folder goes on where it was. */
export async function startDemo(options: DemoOptions): Promise<Demo> {
  const { folder, say } = options;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const fresh = !existsSync(join(folder, "state/trust.json"));
  const stops: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const end of stops.splice(0).reverse()) await end().catch(() => {});
  };
  try {
    say("starting a PostgreSQL server whose roles are rotated");
    const orders = await startOrders(join(folder, "orders"));
    stops.push(() => orders.stop());
    say("starting the simulated tenant");
    const tenant = await startTenant([
      "--seed",
      String(options.seed),
      "--state-file",
      join(folder, "tenant.json"),
      "--knobs",
      "off",
      "--port",
      "0",
      "--management-port",
      "0",
    ]);
    stops.push(() => tenant.stop());
    const api = fresh ? await freePort(preferredPort) : knownPort(folder);
    if (fresh) {
      await tenant.post("/seed", demoScenario(folder, orders));
      await writeConsumerFiles(folder, tenant, orders);
      writeDocuments({ folder, api, hook: null }, await tenant.directory(), orders, tenant.management);
      writeFileSync(join(folder, "port"), String(api));
      say("making keys, trust file and genesis entry");
      await init(join(folder, "countersign.yaml"), origin);
    } else {
      // The database's socket and the proxies may have moved with this start.
      await tenant.post("/seed", { postgres: [{ name: "orders", host: orders.host, port: orders.port }] });
    }
    // Only now does the tenant begin to misbehave: what was set up above is not the product's doing.
    await tenant.put("/knobs", { preset: options.knobs });
    await tenant.post("/clock/rate", { rate: options.rate });
    say("starting the product");
    const url = `http://127.0.0.1:${api}`;
    const product = await keepRunning(
      () => startServe(folder, options.verbose),
      (child) => untilReady(url, child),
      () => say(`the product had to stop and is started again; ${join(folder, "product.log")} says why`),
    );
    let endedByItself = false;
    const ended = product.ended.then(() => void (endedByItself = true));
    stops.push(async () => {
      const outOfOrder = endedByItself;
      await product.stop();
      // A product that ended out of order has left its database running.
      if (outOfOrder) await (await startEmbedded({ stateFolder: join(folder, "state") })).stop();
    });
    return { url, tenant, orders, folder, ended, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function startServe(folder: string, verbose: boolean): ChildProcess {
  const child = spawn(
    process.execPath,
    [programFile("countersign"), "serve", "--config", join(folder, "countersign.yaml"), "--role", "all"],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  const file = join(folder, "product.log");
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    writeFileSync(file, text, { flag: "a" });
    if (verbose) process.stderr.write(text);
  });
  return child;
}

function knownPort(folder: string): number {
  return Number(readFileSync(join(folder, "port"), "utf8"));
}

async function untilReady(url: string, product: ChildProcess): Promise<void> {
  const deadline = performance.now() + readyDeadlineMs;
  for (;;) {
    if (product.exitCode !== null)
      throw new CountersignError(
        "CONFLICT",
        `expected the product to start, it ended with ${product.exitCode}; its log says why`,
      );
    const answer = await fetch(new URL("/v1/session", url), { headers: { "x-countersign": "1" } }).catch(() => null);
    await answer?.body?.cancel();
    if (answer?.ok === true) return;
    if (performance.now() > deadline)
      throw new CountersignError("DEADLINE_PASSED", `expected the product at ${url} within ${readyDeadlineMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
