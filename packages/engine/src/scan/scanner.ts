import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { CountersignError, type InventoryRow, isCode, type Scanner as TenantScanner } from "@countersign/core";
import { digestOf } from "@countersign/evidence";
import type { EngineClock } from "../clock/clock.ts";
import { Lease, type Liveness, thisProcess } from "../execution/lease.ts";
import type { Store } from "../store/index.ts";
import { readDetails } from "./details.ts";
import { type DueSeconds, proposeDue } from "./due.ts";
import { judgeFleet, type TermsOf } from "./findings.ts";
import { type Links, writeChanges, writeListing } from "./listing.ts";
import { type DueScan, Schedule, type Times, type Tried } from "./schedule.ts";

const pollMs = 1_000;
const lagMs = 15 * 60_000;

/** When and what to look for. */
export interface ScanRules extends Times {
  /** Rows of the accepted inventory. */
  readonly rows: () => readonly InventoryRow[];
  readonly dueSeconds: DueSeconds;
  readonly termsOf: TermsOf;
}

export interface Scanner {
  start(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Lists each tenant once a day by the cron and zone of the configuration (and when somebody asks), and what has changed in
 * between; writes the ledger and files a request for what is due. It only proposes: reading rights are all it has.
 */
export function createScanner(options: {
  readonly store: Store;
  readonly clock: EngineClock;
  readonly tenants: readonly TenantScanner[];
  readonly rules: ScanRules;
  readonly liveness: Liveness;
  readonly log: (event: string, facts?: Readonly<Record<string, unknown>>) => void;
}): Scanner & { readonly worker: string; scanNow(): Promise<void>; scanChanges(): Promise<void> } {
  const { store, clock, rules, liveness } = options;
  const worker = randomUUID();
  const stopped = new AbortController();
  let loop: Promise<void> = Promise.resolve();
  let beating: Promise<void> = Promise.resolve();
  const lease = new Lease(
    liveness,
    () => store.beat(worker, liveness.leaseMs),
    () => stopped.abort(),
  );
  // Each connection begins with an empty message ("look"); the first is not somebody's wish.
  let listening = false;
  let stopListening: () => Promise<void> = async () => {};
  // Tenants of which this process has judged everything: another build may have said it in other words.
  const judgedHere = new Set<string>();
  const schedules = new Map(options.tenants.map((tenant) => [tenant.tenant, new Schedule(rules)]));

  async function scanDue(): Promise<void> {
    for (const tenant of options.tenants) {
      const schedule = scheduleOf(tenant.tenant);
      const due = schedule.due(clock.now());
      if (due === null) continue;
      const result = await scanTenant(tenant, due.kind, due.at);
      // Another worker's that has come through is as good as ours; one that has not is looked at again.
      const elsewhere = result === "elsewhere" && (await lastFullDue(tenant.tenant)) >= due.at;
      schedule.tried(due, clock.now(), elsewhere ? "done" : result, await changesKnown(tenant.tenant));
    }
  }

  async function changesKnown(tenant: string): Promise<boolean> {
    return (await store.scanLinks(tenant)).length > 0;
  }

  async function lastFullDue(tenant: string): Promise<number> {
    return (await store.lastFullScan(tenant))?.dueAt ?? 0;
  }

  function scheduleOf(tenant: string): Schedule {
    const schedule = schedules.get(tenant);
    if (schedule === undefined) throw new CountersignError("INPUT_INVALID", `expected a known tenant, got ${tenant}`);
    return schedule;
  }

  /** One scan of a tenant, unless another worker does it. */
  async function scanTenant(tenant: TenantScanner, kind: DueScan["kind"], dueAt: number): Promise<Tried> {
    const at = clock.now();
    const of = { tenant: tenant.tenant, kind };
    const links: Links = kind === "full" ? [] : await store.scanLinks(tenant.tenant);
    if (kind === "delta" && links.length === 0) return "nothing";
    const open = await store.scanOpen({
      id: `scan_${randomUUID()}`,
      ...of,
      dueAt,
      worker,
      leaseMs: liveness.leaseMs,
      at,
    });
    if (open === null) return "elsewhere";
    const { id } = open;
    const failed = { id, worker, result: null, summary: null, findings: [], links: [] };
    try {
      const work = { store, tenant, worker, lagMs, ctx: { clock, signal: stopped.signal } };
      const next =
        kind === "full"
          ? { links: await writeListing(work, open), objects: null }
          : await writeChanges(work, id, links);
      if (next === null) {
        await store.scanEnd({ ...failed, at: clock.now() });
        options.log("scan.links-too-old", of);
        return "too-old";
      }
      const summary = await store.scanConclude(id, worker, lagMs, clock.now());
      const findings = await proposeDue(store, tenant.tenant, rules.rows(), rules.dueSeconds, clock.now());
      await store.scanEnd({
        id,
        worker,
        result: {
          applications: summary.objects,
          findings: findings.length,
          kind: kind === "full" ? "listing" : "changes",
          query: tenant.collections.join(","),
          queryDigest: digestOf(Buffer.from(tenant.query)),
          tenant: tenant.tenant,
        },
        summary,
        findings,
        links: next.links,
        at: clock.now(),
      });
      options.log("scan.completed", { ...of, ...summary, findings: findings.length });
      await lookCloser(tenant, kind, next.objects ?? []);
      return "done";
    } catch (error) {
      // What was shown is known no more (a crash of the server empties it), or another worker has taken it over.
      if (isCode(error, "STATE_CONFLICT")) await store.scanRestart(id, worker).catch(() => {});
      options.log("scan.failed", { ...of, error: error instanceof CountersignError ? error.code : "unknown" });
      await store.scanEnd({ ...failed, at: clock.now() }).catch(() => {});
      return "failed";
    }
  }

  /**
   * The second pass after a scan: reads what the listing does not carry, then says what there is to say. A scan that came
   * through has come through: what fails here is made up for with the next one.
   */
  async function lookCloser(tenant: TenantScanner, after: DueScan["kind"], changed: readonly string[]): Promise<void> {
    const name = tenant.tenant;
    const id = `scan_${randomUUID()}`;
    try {
      const of = { tenant: name, kind: "details" as const };
      const at = clock.now();
      const open = await store.scanOpen({ id, ...of, dueAt: at, worker, leaseMs: liveness.leaseMs, at });
      if (open === null) return;
      const pass = { id: open.id, worker };
      const ctx = { clock, signal: stopped.signal };
      const { failingSeconds } = rules.termsOf(null);
      const appIds = rules
        .rows()
        .flatMap((row) => (row.procedure === "entra-client-secret" && row.tenant === name ? [row.appId] : []));
      const work = { store, tenant, pass, ctx, failingSeconds, appIds, log: options.log };
      const { objects, ...read } = await readDetails(work, after);
      const [looked, full] = [await store.fleetLookedAt(name), await store.lastFullScan(name)];
      const isWhole = after === "full" || looked === null || (full?.finishedAt ?? 0) > looked;
      const which = !isWhole
        ? { only: [...new Set([...changed, ...objects])] }
        : judgedHere.has(name)
          ? "turned"
          : "anew";
      const found = await judgeFleet(store, name, { rows: rules.rows(), termsOf: rules.termsOf }, clock.now(), which);
      if (isWhole) judgedHere.add(name);
      const summary = { ...read, ...found };
      await store.detailEnd({ ...pass, done: true, summary, at: clock.now() });
      options.log("details.completed", { tenant: name, after, ...summary });
    } catch (error) {
      options.log("details.failed", {
        tenant: name,
        error: error instanceof CountersignError ? error.code : "unknown",
      });
      await store.detailEnd({ id, worker, done: false, summary: null, at: clock.now() }).catch(() => {});
    }
  }

  function scanAll(kind: DueScan["kind"]): Promise<void> {
    return clock.work(async () => {
      for (const tenant of options.tenants) await scanTenant(tenant, kind, clock.now());
    });
  }

  async function run(): Promise<void> {
    while (!stopped.signal.aborted) {
      await clock
        .work(scanDue)
        .catch((error: unknown) =>
          options.log("scanner.failed", { error: error instanceof Error ? error.name : "unknown" }),
        );
      await delay(pollMs, undefined, { signal: stopped.signal }).catch(() => {});
    }
  }

  return {
    worker,
    async start() {
      const { host, bootId, pid, pidStarted } = thisProcess();
      await store.workerStart({ id: worker, role: "scanner", host, bootId, pid, pidStarted });
      beating = lease.run();
      for (const [tenant, schedule] of schedules)
        schedule.begin(clock.now(), (await store.lastFullScan(tenant))?.dueAt ?? null, await changesKnown(tenant));
      stopListening = await store.listen("cs_scan", () => {
        if (listening) void scanAll("full");
        listening = true;
      });
      clock.onTick(scanDue);
      clock.nextDue(async () => {
        const times = [...schedules.values()].map((schedule) => schedule.next()).filter((time) => time !== null);
        return times.length === 0 ? null : Math.min(...times);
      });
      loop = run();
    },
    scanNow: () => scanAll("full"),
    scanChanges: () => scanAll("delta"),
    async stop() {
      stopped.abort();
      lease.stop();
      await stopListening();
      await Promise.all([loop, beating]);
      await store.workerStop(worker).catch(() => {});
    },
  };
}
