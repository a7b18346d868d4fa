import type { Reach, ScanView } from "@countersign/contract";
import type { Handler } from "../handler.ts";

const scansMax = 500;
const eventsMax = 50;
const countedMs = 7 * 86_400_000;

/** Of an address that nobody called yet. */
const unused = (address: string): Reach => ({
  address,
  state: "unused",
  answeredAt: null,
  failedAt: null,
  failingSince: null,
  code: null,
});

export const getOutside: Handler<"getOutside"> = async ({ api }) => {
  const { store, outside } = api;
  const [reaches, scans, events, counts] = await Promise.all([
    store.reaches(),
    store.scans(scansMax),
    store.hookEvents(eventsMax),
    store.hookCounts(api.now() - countedMs),
  ]);
  const reachOf = (address: string) => reaches.find((reach) => reach.address === address) ?? unused(address);
  const last = (tenant: string, kind: ScanView["kind"]) =>
    scans.find((scan) => scan.tenant === tenant && scan.kind === kind) ?? null;
  return {
    directories: outside.directories.map(({ name, id, reaches: addresses }) => ({
      name,
      id,
      reaches: [...new Set(addresses)].map(reachOf),
      lastFull: last(name, "full"),
      lastDelta: last(name, "delta"),
      lastPass: last(name, "details"),
    })),
    connections: outside.connections.map(({ reach, ...connection }) => ({
      ...connection,
      reach: reach === null ? null : reachOf(reach),
    })),
    webhooks: outside.webhooks.map((hook) => ({
      ...hook,
      lastAt: events.find((event) => event.hook === hook.name)?.at ?? null,
      outcomes: Object.fromEntries(
        counts.flatMap(({ hook: name, outcome, count }) => (name === hook.name ? [[outcome, count]] : [])),
      ),
    })),
    events: [...events],
  };
};
