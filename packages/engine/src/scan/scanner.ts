import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import {
  CountersignError,
  type InventoryRow,
  nextCron,
  type ScannedCredential,
  type Scanner as TenantScanner,
} from "@countersign/core";
import { digestOf } from "@countersign/evidence";
import type { EngineClock } from "../clock/clock.ts";
import type { Liveness } from "../execution/lease.ts";
import { Lease, thisProcess } from "../execution/lease.ts";
import { newRunId } from "../execution/run-id.ts";
import type { FindingInput, Store } from "../store/index.ts";

const pollMs = 1_000;

/** When and what to look for. */
export interface ScanRules {
  readonly cron: string;
  readonly zone: string;
  /** Rows of the accepted inventory. */
  readonly rows: () => readonly InventoryRow[];
  /** How long before expiry a row's credential is due, seconds; null = no policy governs it. */
  readonly dueSeconds: (row: InventoryRow) => number | null;
}

export interface Scanner {
  start(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Lists each tenant once a day by the cron and zone of the configuration (and when somebody asks), writes the ledger and
 * files a request for what is due. It only proposes: reading rights are all it has.
 */
export function createScanner(options: {
  readonly store: Store;
  readonly clock: EngineClock;
  readonly tenants: readonly TenantScanner[];
  readonly rules: ScanRules;
  readonly liveness: Liveness;
  readonly log: (event: string, facts?: Readonly<Record<string, unknown>>) => void;
}): Scanner & { readonly worker: string; scanNow(): Promise<void> } {
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
  /** Cron time already dealt with; the database lets only one worker do each. */
  let from = 0;

  async function scanDue(): Promise<void> {
    const now = clock.now();
    const due = nextCron(rules.cron, rules.zone, from);
    if (due === null || due > now) return;
    for (const tenant of options.tenants) await scanTenant(tenant, due);
    from = now;
  }

  async function scanTenant(tenant: TenantScanner, dueAt: number): Promise<void> {
    const id = `scan_${randomUUID()}`;
    const at = clock.now();
    if (!(await store.scanBegin({ id, tenant: tenant.tenant, dueAt, worker, leaseMs: liveness.leaseMs, at }))) return;
    try {
      const found: FindingInput[] = [];
      const applications = new Set<string>();
      const mine = new Map(
        rules
          .rows()
          .flatMap((row) =>
            row.procedure === "entra-client-secret" && row.tenant === tenant.tenant
              ? [[row.objectId, row] as const]
              : [],
          ),
      );
      for await (const page of tenant.list({ clock, signal: stopped.signal })) {
        await store.credentialsSeen(tenant.tenant, page, at);
        for (const credential of page) {
          applications.add(credential.objectId);
          const row = mine.get(credential.objectId);
          if (row !== undefined && credential.kind === "client-secret")
            found.push(...(await judge(row, credential, at)));
        }
      }
      await store.credentialsGone(tenant.tenant, at, clock.now());
      const query = digestOf(Buffer.from(tenant.query));
      await store.scanEnd(
        id,
        worker,
        {
          applications: applications.size,
          findings: found.length,
          kind: "listing",
          query: "applications",
          queryDigest: query,
          tenant: tenant.tenant,
        },
        found,
        clock.now(),
      );
      options.log("scan.completed", { tenant: tenant.tenant, applications: applications.size, findings: found.length });
    } catch (error) {
      options.log("scan.failed", {
        tenant: tenant.tenant,
        error: error instanceof CountersignError ? error.code : "unknown",
      });
      await store.scanEnd(id, worker, null, [], clock.now()).catch(() => {});
    }
  }

  /** Findings about one credential of a managed application; files a request when it is due. */
  async function judge(row: InventoryRow, credential: ScannedCredential, now: number): Promise<FindingInput[]> {
    const dueSeconds = rules.dueSeconds(row);
    if (credential.expiresAt === null || dueSeconds === null) return [];
    const leftSeconds = Math.floor((credential.expiresAt - now) / 1_000);
    if (leftSeconds > dueSeconds) return [];
    const code = leftSeconds <= 0 ? "expired" : "expiring";
    await requestRun(store, row, { trigger: "due", requester: "system:scanner", reason: null, at: now });
    return [
      {
        code,
        result: "warn",
        observed: leftSeconds,
        required: dueSeconds,
        target: { row: row.name, credential: credential.id },
      },
    ];
  }

  function scanNow(): Promise<void> {
    return clock.work(async () => {
      for (const tenant of options.tenants) await scanTenant(tenant, clock.now());
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
      from = clock.now();
      stopListening = await store.listen("cs_scan", () => {
        if (listening) void scanNow();
        listening = true;
      });
      clock.onTick(scanDue);
      clock.nextDue(async () => nextCron(rules.cron, rules.zone, from));
      loop = run();
    },
    scanNow,
    async stop() {
      stopped.abort();
      lease.stop();
      await stopListening();
      await Promise.all([loop, beating]);
      await store.workerStop(worker).catch(() => {});
    },
  };
}

/** Files a request for a row, unless a run of the same application is open: then that run is the answer. */
export function requestRun(
  store: Store,
  row: InventoryRow,
  why: {
    readonly id?: string;
    readonly trigger: "due" | "manual";
    readonly requester: string;
    readonly reason: Uint8Array | null;
    readonly at: number;
  },
): Promise<string> {
  const target: Record<string, string> =
    row.procedure === "entra-client-secret"
      ? { appId: row.appId, objectId: row.objectId, row: row.name }
      : { connection: row.connection, row: row.name };
  return store.submitRun({
    id: why.id ?? newRunId(why.at),
    tenant: row.tenant,
    environment: row.environment,
    targetKey: row.name,
    target,
    procedure: `${row.procedure}@1`,
    trigger: why.trigger,
    requester: why.requester,
    reason: why.reason,
    at: why.at,
    unlessOpen: why.trigger === "due",
  });
}
