import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { type Connectors, codeOf, describe, isCode } from "@countersign/core";
import type { EngineClock } from "../clock/clock.ts";
import { hasten } from "../clock/hasten.ts";
import type { Dispatch } from "../dispatch/index.ts";
import type { ClaimedRun, Hold, RunRow, Store, Survey } from "../store/index.ts";
import { HeldValues, type StepServices } from "./context.ts";
import { createDrive } from "./drive.ts";
import type { Guard } from "./guard.ts";
import { type At, letGo } from "./interrupted.ts";
import { isProvenDead, Lease, type Liveness, thisProcess } from "./lease.ts";
import type { Pauses } from "./pauses.ts";
import type { Planner } from "./phases/plan.ts";
import { createReviews } from "./reviews.ts";
import { readRunData, runDataFacts } from "./run-data.ts";
import { createSweep, type Twins } from "./sweep.ts";

export interface ExecutorOptions {
  readonly store: Store;
  readonly dispatch: Dispatch;
  readonly clock: EngineClock;
  readonly connectors: Connectors;
  readonly guard: Guard;
  /** Throws LOG_BEHIND in a restored database: what its rows say may have been done already. */
  readonly assertNotBehind: () => Promise<void>;
  readonly planner: Planner;
  readonly twins: Twins;
  readonly pauses: Pauses;
  readonly liveness: Liveness;
  readonly build: string;
  readonly runsInFlightMax: number;
  readonly runsPerTenantMax: number;
  readonly log: (event: string, facts?: Readonly<Record<string, unknown>>) => void;
  /** Called when this worker may not go on (its beat was refused); the process ends itself. */
  readonly fenced: (because: string) => void;
}

export interface Executor {
  /** Id of this worker in the database. */
  readonly worker: string;
  /** Beats, sweeps and works until stopped. Resolves once what was due at the start is taken up, or after a moment. */
  start(): Promise<void>;
  /** Takes nothing new, lets running steps end, and says good-bye: what it still holds is free at once. */
  stop(): Promise<void>;
}

/** Real time between two sweeps when nothing else wakes them. */
const sweepMs = 1_000;
const dueMax = 500;
/** How long the start of a process waits for what a dead one has left to be taken up (real time). */
const takeUpMsMax = 2_000;
/** How long running steps may go on when the worker is asked to stop (real time). */
const stopGraceMs = 1_500;

/** Takes runs as they come due and moves each through its phases until it waits, holds or has ended. */
export function createExecutor(options: ExecutorOptions): Executor {
  const { store, clock, dispatch, liveness } = options;
  const worker = randomUUID();
  const stopped = new AbortController();
  /** Whether a sweep was asked for since the last one began. */
  let isAsked = false;
  let heard: () => void = () => {};
  const wake = () => {
    isAsked = true;
    heard();
  };
  let beating: Promise<void> = Promise.resolve();
  let sweeping: Promise<void> = Promise.resolve();
  let stopListening: () => Promise<void> = async () => {};
  const lease = new Lease(
    liveness,
    () => store.beat(worker, liveness.leaseMs),
    (because) => {
      stopped.abort();
      options.fenced(because);
    },
  );
  /** When the last sweep began (monotonic), and whether it found the log behind what this host has seen of it. */
  let sweptAt = Number.NEGATIVE_INFINITY;
  let behind = false;
  /** Runs that a hint is being worked on for, from before the claim until they were let go of. */
  const inHand = new Map<string, number>();
  /** What the first sweep has offered and nobody has claimed yet; null: it is not known, or no longer waited for. */
  let untaken: Set<string> | null = null;
  const takenUp = Promise.withResolvers<void>();
  const services: StepServices = { clock, lease, held: new HeldValues(), pauses: options.pauses, build: options.build };

  const late = createSweep({ store, clock, lease, twins: options.twins, log: options.log });

  const reviews = createReviews({ store, clock });

  const drive = createDrive(options, services, worker, stopped.signal);

  const hasToSweep = hasten(clock);
  /** When something was due next when it was last asked. */
  let next: number | null = null;

  /**
   * When there is work that domain time has to wait for; what is due now is swept up. In a restored database nothing ever
   * comes due, as the last sweep has found; whether anything is taken up is asked again with each claim.
   */
  async function nextDue(): Promise<number | null> {
    if (behind) return null;
    const { due, unresolved, unreviewed } = await store.waits();
    const times = [due, unresolved ? await late.nextDue() : null, unreviewed ? await reviews.nextDue() : null];
    const known = times.filter((time) => time !== null);
    next = known.length === 0 ? null : Math.min(...known);
    if (next !== null && next <= clock.now() && hasToSweep()) wake();
    return next;
  }

  /** What comes due by time goes before what others do at the same instant. */
  async function sweepIfDue(): Promise<void> {
    if (next !== null && next <= clock.now() && hasToSweep()) await sweep();
  }

  /** Offers every run that is due; a job is only a hint, the claim decides. */
  async function sweep(): Promise<void> {
    sweptAt = performance.now();
    const { others, held, unreviewed } = await store.survey(worker);
    const provenDead = others.filter((row) => isProvenDead(row)).map((row) => row.id);
    if (provenDead.length > 0) await store.workerProvenDead(provenDead);
    await freeForgotten(held);
    await options.assertNotBehind().catch((error: unknown) => {
      behind = isCode(error, "LOG_BEHIND");
      throw error;
    });
    behind = false;
    const due = await store.dueRuns({ ...liveness, worker, now: clock.now(), provenDead, limit: dueMax });
    if (untaken === null) {
      untaken = new Set(due);
      if (due.length === 0) takenUp.resolve();
    }
    await dispatch.offer(due);
    await clock.work(() => late.look());
    if (unreviewed) await clock.work(() => reviews.look());
  }

  async function sweepForEver(): Promise<void> {
    while (!stopped.signal.aborted) {
      isAsked = false;
      await sweep().catch((error: unknown) => {
        takenUp.resolve();
        options.log("sweep.failed", { error: describe(error) });
      });
      await wokenOrIdle();
    }
  }

  /** Resolves when something is due or was told of, also while the last sweep was under way, or when that is a while ago. */
  async function wokenOrIdle(): Promise<void> {
    const notified = new Promise<void>((resolve) => {
      heard = resolve;
    });
    if (isAsked || stopped.signal.aborted) return;
    const ended = new AbortController();
    const signal = AbortSignal.any([stopped.signal, ended.signal]);
    const leftMs = Math.max(0, sweptAt + sweepMs - performance.now());
    await Promise.race([notified, delay(leftMs, undefined, { signal }).catch(() => {})]);
    ended.abort();
  }

  /**
   * A run may stand under this worker's name while nothing here works on it: the database went away after a claim was
   * committed and before its answer came, or when the run was let go of. A live worker's runs are nobody else's (I9).
   */
  async function freeForgotten(held: Survey["held"]): Promise<void> {
    for (const { id, fence } of held) {
      if (inHand.has(id)) continue;
      const now = clock.now();
      try {
        await store.release({ run: id, fence, worker }, now, now);
        options.log("run.freed", { run: id });
      } catch (error) {
        // Let go of, taken over or moved meanwhile: then it is not forgotten.
        if (!isCode(error, "STALE_FENCE")) throw error;
      }
    }
  }

  /** Somebody has this run now: one of what was due at the start less. */
  function taken(id: string): void {
    untaken?.delete(id);
    if (untaken?.size === 0) takenUp.resolve();
  }

  /** One dispatched hint. */
  async function handle(id: string): Promise<void> {
    if (stopped.signal.aborted) return;
    // A job may come twice: the run is in hand until the last of them is done.
    inHand.set(id, (inHand.get(id) ?? 0) + 1);
    try {
      await clock.work(() => claimAndDrive(id));
    } finally {
      const left = (inHand.get(id) ?? 1) - 1;
      if (left === 0) inHand.delete(id);
      else inHand.set(id, left);
    }
  }

  async function claimAndDrive(id: string): Promise<void> {
    const claimed = await claim(id);
    if (claimed === null) return taken(id);
    const at: At = { hold: { run: id, fence: claimed.run.fence, worker }, work: null };
    try {
      await drive(await settled(claimed, at.hold), at);
    } catch (error) {
      if (isCode(error, "STALE_FENCE")) return options.log("run.taken-over", { run: id });
      options.log("run.interrupted", { run: id, error: describe(error) });
      await letGo(store, at, codeOf(error), clock.now()).catch((again: unknown) =>
        options.log("run.not-released", { run: id, error: describe(again) }),
      );
    }
  }

  async function claim(id: string): Promise<ClaimedRun | null> {
    // Jobs are restored with the database: asked before each claim, not only before runs are offered.
    await options.assertNotBehind();
    // Whose death is proven stands in the worker table since the sweep that offered the run.
    const provenDead: readonly string[] = [];
    const limits = { limit: 1, tenantMax: options.runsPerTenantMax, run: id };
    const [claimed] = await store.claim({ ...liveness, ...limits, worker, now: clock.now(), provenDead });
    return claimed ?? null;
  }

  /**
   * A run whose holder died or stalled: say so, wait until its last request has landed, and only then look. That it is to be
   * waited for stands in the row until it was, whoever has the run by then.
   */
  async function settled({ run, silentMs }: ClaimedRun, hold: Hold): Promise<RunRow> {
    const data = readRunData(run.data);
    const { unsettled: holder } = data;
    if (holder !== null) {
      const provenDead = !data.unproven.includes(holder);
      const facts = { deadAfterMs: silentMs ?? 0, holder, provenDead, settleMs: liveness.settleMs, worker };
      options.log("recovery.started", { run: run.id, provenDead });
      await store.append({ type: "recovery.started", data: facts }, clock.now(), hold);
    }
    taken(run.id);
    if (holder === null) return run;
    await delay(liveness.settleMs, undefined, { signal: stopped.signal });
    const kept = runDataFacts({ ...data, unsettled: null });
    await store.dataPut(hold, kept);
    return { ...run, data: kept };
  }

  return {
    worker,
    async start() {
      const { host, bootId, pid, pidStarted } = thisProcess();
      await store.workerStart({ id: worker, role: "executor", host, bootId, pid, pidStarted });
      beating = lease.run();
      clock.onTick(sweepIfDue);
      clock.nextDue(nextDue);
      await dispatch.work(handle, { inFlightMax: options.runsInFlightMax });
      stopListening = await store.listen("cs_due", wake);
      sweeping = sweepForEver();
      // Nothing else of this process takes the processor from what a dead one has left.
      const waited = new AbortController();
      await Promise.race([takenUp.promise, delay(takeUpMsMax, undefined, waited).catch(() => {})]);
      waited.abort();
    },
    async stop() {
      stopped.abort();
      wake();
      // What waits for domain time may wait for ever: after a moment it is ended, and the next start reconciles.
      const ended = dispatch.stop();
      await Promise.race([ended, delay(stopGraceMs)]);
      lease.stop();
      await ended;
      await beating;
      await sweeping;
      await stopListening();
      await store.workerStop(worker).catch(() => {});
    },
  };
}
