import { scanLate, scanLateSeconds } from "@countersign/core";
import type { EngineClock } from "../clock/clock.ts";
import { type ClockJob, clockJob } from "../clock/job.ts";
import type { Store } from "../store/index.ts";

/**
 * Watches over the scanner from another process: when no whole listing of a tenant has come through for 26 hours a finding
 * says so until one has, and operators are told, once for each such time.
 */
export function createScanWatch(options: {
  readonly store: Pick<Store, "lastFullScans" | "findingsPut" | "noticePut">;
  readonly clock: EngineClock;
  readonly tenants: readonly string[];
  readonly log: (event: string, facts?: Readonly<Record<string, unknown>>) => void;
}): ClockJob {
  const { store, clock } = options;
  /** Where nothing was ever listed, lateness counts from here. */
  const since = clock.now();
  /** By tenant: until when all is well, as far as is known; what was said last. */
  const wellUntil = new Map<string, number>();
  const said = new Map<string, string>();

  async function judge(tenant: string, last: number | null): Promise<void> {
    const now = clock.now();
    const finding = scanLate(last, since, now);
    wellUntil.set(tenant, (last ?? since) + scanLateSeconds * 1_000 + 1);
    const says = finding?.observed ?? "";
    if (said.get(tenant) === says) return;
    const about = { objectId: "", kind: null, appId: "", name: "", row: null, environment: null };
    await store.findingsPut(tenant, [""], finding === null ? [] : [{ ...about, ...finding }], now);
    if (finding !== null) {
      await store.noticePut({
        run: null,
        kind: "scan.late",
        channel: "operators",
        key: `scan-late:${tenant}:${last ?? since}`,
        payload: { tenant, sentence: finding.observed },
        notBefore: now,
        at: now,
      });
      options.log("scan.late", { tenant, observed: finding.observed });
    }
    said.set(tenant, says);
  }

  return clockJob({
    clock,
    // Not before a listing may be late, and while one is until it has come through.
    isDue: () => options.tenants.some((tenant) => (wellUntil.get(tenant) ?? 0) <= clock.now()),
    async look() {
      const last = new Map((await store.lastFullScans(options.tenants)).map((scan) => [scan.tenant, scan.finishedAt]));
      for (const tenant of options.tenants) await judge(tenant, last.get(tenant) ?? null);
    },
    nextDue() {
      const times = [...wellUntil.values()].filter((time) => time > clock.now());
      return times.length === 0 ? null : Math.min(...times);
    },
    failed: (error) => options.log("watch.failed", { error }),
  });
}
