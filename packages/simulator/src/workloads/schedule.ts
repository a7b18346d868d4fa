import type { Schedule } from "../clock/driver.ts";
import type { Workload } from "../tenant/model.ts";
import type { World } from "../world.ts";

const PARALLEL_MAX = 6;

/** Runs the hosted workloads at their own times. */
export class WorkloadSchedule implements Schedule {
  readonly #world: World;
  readonly #act: (world: World, workload: Workload, atMs: number) => Promise<void>;

  constructor(world: World, act: (world: World, workload: Workload, atMs: number) => Promise<void>) {
    this.#world = world;
    this.#act = act;
  }

  nextMs(): number {
    return Math.min(Number.POSITIVE_INFINITY, ...this.#active().map((workload) => workload.nextMs));
  }

  async runUntil(untilMs: number): Promise<number> {
    let events = 0;
    const underWay = new Set<Promise<void>>();
    // Most of them sleep through a stretch: only those that are due in it are looked through for the next one.
    const soon = this.#active().filter((workload) => workload.nextMs <= untilMs);
    for (;;) {
      const due = soon.reduce<Workload | null>(
        (first, workload) =>
          !workload.stopped && (first === null || workload.nextMs < first.nextMs) ? workload : first,
        null,
      );
      if (due === null || due.nextMs > untilMs) break;
      const atMs = Math.max(due.nextMs, this.#world.clock.nowMs);
      this.#world.clock.moveTo(atMs);
      due.nextMs = atMs + due.intervalMs;
      events += 1;
      // Real servers take real time: their sign-ins may overlap, since nobody else acts within a stretch.
      const act = this.#act(this.#world, due, atMs).finally(() => underWay.delete(act));
      underWay.add(act);
      const mayOverlap = due.kind.startsWith("postgres") && underWay.size < PARALLEL_MAX;
      if (!mayOverlap) await (due.kind.startsWith("postgres") ? Promise.race(underWay) : act);
    }
    await Promise.all(underWay);
    return events;
  }

  #active(): Workload[] {
    return this.#world.tenant.workloads.filter((workload) => !workload.stopped);
  }
}
