import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Scanner as TenantScanner } from "@countersign/core";
import type { EngineClock } from "../clock/clock.ts";
import { Lease, type Liveness, thisProcess } from "../execution/lease.ts";
import type { PassDue, Store } from "../store/index.ts";
import { type LookRules, passOnce, scanOnce, type TenantWork } from "./one.ts";
import { type DueScan, Schedule, type Times, type Tried } from "./schedule.ts";

const pollMs = 1_000;

/** When and what to look for. */
export interface ScanRules extends Times, LookRules {}

export interface Scanner {
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** A tenant, and what this process knows of it. */
interface Watched {
  readonly work: TenantWork;
  readonly schedule: Schedule;
  /** The look under way. */
  looking: Promise<void> | null;
  /** Objects that our own last look at changes has shown, and the pass that is owed for it alone. */
  changed: { readonly since: number; readonly objects: readonly string[] } | null;
  /** This process has judged everything: another build may have said it in other words. */
  judged: boolean;
}

/**
 * Lists each tenant once a day by the cron and zone of the configuration (and when somebody asks), and what has changed in
 * between; writes the ledger and files a request for what is due. It only proposes: reading rights are all it has. Tenants do
 * not wait for each other; of one tenant there is one scan at a time, over all workers.
 */
export function createScanner(options: {
  readonly store: Store;
  readonly clock: EngineClock;
  readonly tenants: readonly TenantScanner[];
  readonly rules: ScanRules;
  readonly liveness: Liveness;
  /** This worker's lease has run out: it scans no more. */
  readonly fenced: (because: string) => void;
  readonly log: (event: string, facts?: Readonly<Record<string, unknown>>) => void;
}): Scanner & { readonly worker: string; scanNow(): Promise<void>; scanChanges(): Promise<void> } {
  const { store, clock, rules, liveness, log } = options;
  const worker = randomUUID();
  const stopped = new AbortController();
  let loop: Promise<void> = Promise.resolve();
  let beating: Promise<void> = Promise.resolve();
  const lease = new Lease(
    liveness,
    () => store.beat(worker, liveness.leaseMs),
    (because) => {
      stopped.abort();
      options.fenced(because);
    },
  );
  let stopListening: () => Promise<void> = async () => {};
  const watched = options.tenants.map((tenant): Watched => {
    const work = { store, clock, tenant, rules, worker, leaseMs: liveness.leaseMs, signal: stopped.signal, log };
    return { work, schedule: new Schedule(rules), looking: null, changed: null, judged: false };
  });

  /** Does what is due of a tenant, one thing after the other; never rejects. */
  function look(of: Watched): Promise<void> {
    of.looking ??= clock
      .work(() => lookAt(of))
      .catch((error: unknown) => log("scanner.failed", { error: error instanceof Error ? error.name : "unknown" }))
      .finally(() => {
        of.looking = null;
      });
    return of.looking;
  }

  async function lookAt(of: Watched): Promise<void> {
    const { schedule } = of;
    const name = of.work.tenant.tenant;
    for (let due = schedule.due(clock.now()); due !== null; due = schedule.due(clock.now())) {
      if (stopped.signal.aborted) return;
      const { tried, objects } = await act(of, due);
      const stand = await store.scanStand(name);
      const alone = stand.pass !== null && !stand.pass.whole && stand.pass.scans === 1;
      of.changed = objects !== null && alone && stand.pass !== null ? { since: stand.pass.since, objects } : null;
      // Another worker's that has come through is as good as ours; one that has not is looked at again.
      const elsewhere = tried === "elsewhere" && due.kind === "full" && (stand.lastFull ?? 0) >= due.at;
      schedule.tried(due, clock.now(), elsewhere ? "done" : tried, stand);
    }
  }

  async function act(of: Watched, due: DueScan): Promise<{ tried: Tried; objects: readonly string[] | null }> {
    if (due.kind !== "details") return scanOnce(of.work, due.kind, due.at);
    const { pass } = await store.scanStand(of.work.tenant.tenant);
    return { tried: pass === null ? "nothing" : await passOver(of, pass), objects: null };
  }

  async function passOver(of: Watched, pass: PassDue): Promise<Tried> {
    const only = of.changed?.since === pass.since ? { only: of.changed.objects } : null;
    const tried = await passOnce(of.work, pass, only ?? (of.judged ? "turned" : "anew"));
    if (tried === "done" && only === null) of.judged = true;
    return tried;
  }

  const lookAll = async () => void (await Promise.all(watched.map(look)));

  /** Looks now, after what is under way. */
  async function lookNow(want: (schedule: Schedule) => void): Promise<void> {
    for (const of of watched) {
      await of.looking;
      want(of.schedule);
    }
    await lookAll();
  }

  async function heed(): Promise<void> {
    for (const { work, schedule } of watched) {
      const { asked } = await store.scanStand(work.tenant.tenant);
      if (asked !== null) schedule.ask(asked);
    }
    await lookAll();
  }

  async function run(): Promise<void> {
    while (!stopped.signal.aborted) {
      void lookAll();
      await delay(pollMs, undefined, { signal: stopped.signal }).catch(() => {});
    }
  }

  return {
    worker,
    async start() {
      const { host, bootId, pid, pidStarted } = thisProcess();
      await store.workerStart({ id: worker, role: "scanner", host, bootId, pid, pidStarted });
      beating = lease.run();
      for (const { work, schedule } of watched) schedule.begin(clock.now(), await store.scanStand(work.tenant.tenant));
      // What was asked for while nothing was heard is heard with the connection.
      stopListening = await store.listen("cs_scan", () => void heed().catch(() => {}));
      clock.onTick(lookAll);
      clock.nextDue(async () => {
        // What is under way waits for nothing but itself.
        const waiting = watched.filter(({ looking }) => looking === null);
        const times = waiting.map(({ schedule }) => schedule.next()).filter((time) => time !== null);
        return times.length === 0 ? null : Math.min(...times);
      });
      loop = run();
    },
    scanNow: () => lookNow((schedule) => schedule.ask(clock.now())),
    scanChanges: () => lookNow((schedule) => schedule.want(clock.now())),
    async stop() {
      stopped.abort();
      lease.stop();
      await stopListening();
      await Promise.all([loop, beating, ...watched.map(({ looking }) => looking)]);
      await store.workerStop(worker).catch(() => {});
    },
  };
}
