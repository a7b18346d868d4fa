/**
 * A scanner in a process of its own. The first line on stdin says what it works with ({@link WorkerStart}), each further one what
 * to do; what the scanner logs goes to stdout, a line each. It ends with its stdin.
 */
import { createInterface } from "node:readline";
import { type Connection, type Store, systemClock } from "@countersign/engine";
import { type FleetTenants, startFleetScanner } from "./scanner.ts";

/** What a scanner in a process of its own works with. */
export interface WorkerStart {
  readonly connection: Connection;
  readonly tenants: FleetTenants;
  /** Domain time in which it begins, ms; it goes on as the system's does. */
  readonly now: number;
  /** It kills itself right after this statement has come through so many times. */
  readonly killAfter: { readonly statement: keyof Store; readonly times: number } | null;
}

/** What can be asked of it. Each is answered with `{event: "did"}`. With each line comes its largest resident size so far. */
export type WorkerOrder = "full" | "changes";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { connection, tenants, now, killAfter } = JSON.parse((await lines.next()).value as string) as WorkerStart;
const began = performance.now();
const clock = { ...systemClock(), now: () => now + Math.floor(performance.now() - began) };
const say = (event: string, facts: Readonly<Record<string, unknown>>) =>
  process.stdout.write(`${JSON.stringify({ event, facts: { ...facts, rssMb: rssMb() } })}\n`);
const rssMb = () => Math.round(process.resourceUsage().maxRSS / 1_024);

let times = 0;
const around = (store: Store): Store =>
  new Proxy(store, {
    get(target, name) {
      const method = Reflect.get(target, name);
      if (killAfter?.statement !== name || typeof method !== "function") return method;
      return async (...args: unknown[]) => {
        const result = await Reflect.apply(method, target, args);
        if ((times += 1) === killAfter.times) process.kill(process.pid, "SIGKILL");
        return result;
      };
    },
  });

const started = await startFleetScanner({
  connection,
  tenants,
  clock,
  around,
  say: ({ event, facts }) => say(event, facts),
});
say("ready", {});
for await (const order of lines as AsyncIterable<WorkerOrder>) {
  await (order === "full" ? started.scanner.scanNow() : started.scanner.scanChanges());
  say("did", { order });
}
await started.end();
