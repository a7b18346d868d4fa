import type { ClientView, ClockClients } from "./clients.ts";
import type { SimClock } from "./sim-clock.ts";

const TICK_MS = 250;

/** Things that happen by the clock and ask nobody: the workloads. */
export interface Schedule {
  /** Time of the next event, Infinity if there is none. */
  nextMs(): number;
  /** Runs every event up to and including `untilMs`, in order, moving the clock to each. Returns their number. */
  runUntil(untilMs: number): Promise<number>;
}

/** The clock could not move: somebody did not report idle within the real-time limit. */
export class ClockBusyError extends Error {
  readonly busy: ClientView[];
  readonly nowMs: number;

  constructor(busy: ClientView[], nowMs: number, limitMs: number) {
    const names = busy.map((view) => `${view.client} (tick ${view.seq}, idleUntil ${view.idleUntil})`).join(", ");
    super(`clock: expected every client idle within ${limitMs} ms, got busy: ${names}`);
    this.name = "ClockBusyError";
    this.busy = busy;
    this.nowMs = nowMs;
  }
}

/** Result of one advance. */
export interface Advanced {
  nowMs: number;
  /** Stretches walked: each ended in one broadcast. */
  steps: number;
  /** Workload events on the way. */
  events: number;
}

/** Moves the clock event by event; one mover at a time. */
export class ClockDriver {
  readonly #clock: SimClock;
  readonly #clients: ClockClients;
  readonly #schedule: Schedule;
  #queue: Promise<unknown> = Promise.resolve();
  #rate = 0;
  #timer: NodeJS.Timeout | null = null;
  #ticking = false;
  #closed = false;

  constructor(clock: SimClock, clients: ClockClients, schedule: Schedule) {
    this.#clock = clock;
    this.#clients = clients;
    this.#schedule = schedule;
  }

  /** Virtual seconds per real second; 0 = the clock moves only by `advance`. */
  get rate(): number {
    return this.#rate;
  }

  setRate(rate: number): void {
    this.#rate = rate;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = rate > 0 ? setInterval(() => this.#tick(), TICK_MS) : null;
  }

  /**
   * Walks to `targetMs`. Begins with a broadcast that moves nothing, so that a client which got work since its last
   * report (an approval, a request) says so. Wake-ups less than `grainMs` apart fall together, the earlier ones late, as
   * timers are on a busy machine. Throws ClockBusyError after `limitMs` of real time without progress.
   */
  advance(targetMs: number, limitMs: number, grainMs = 0): Promise<Advanced> {
    const turn = this.#queue.then(() => this.#walk(targetMs, limitMs, grainMs));
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  /** Advances by a span; the start is the time at which this mover gets its turn. */
  advanceBy(spanMs: number, limitMs: number, grainMs = 0): Promise<Advanced> {
    const turn = this.#queue.then(() => this.#walk(Math.round(this.#clock.nowMs + spanMs), limitMs, grainMs));
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  /** Stops the rate and breaks off a walk under way at the end of its stretch. */
  async close(): Promise<void> {
    this.#closed = true;
    this.setRate(0);
    this.#clients.close();
    await this.#queue;
  }

  async #walk(targetMs: number, limitMs: number, grainMs: number): Promise<Advanced> {
    let steps = 0;
    let events = 0;
    this.#clock.broadcast();
    for (;;) {
      await this.#settled(limitMs);
      if (this.#clock.nowMs >= targetMs) return { nowMs: this.#clock.nowMs, steps, events };
      const wakeMs = Math.max(this.#clients.nextWakeMs(), this.#clock.nowMs + grainMs);
      const stopMs = Math.min(targetMs, wakeMs);
      events += await this.#schedule.runUntil(stopMs);
      this.#clock.moveTo(Math.max(stopMs, this.#clock.nowMs));
      this.#clock.broadcast();
      steps += 1;
    }
  }

  /**
   * Waits until nobody has anything left to do now. One client's work may give another something to do after that one has
   * reported (a scan opens a run, which the executor takes up): so all are asked again, until none says anything new, or
   * as often as there are clients.
   */
  async #settled(limitMs: number): Promise<void> {
    let before: string | null = null;
    for (let round = 0; ; round += 1) {
      const busy = await this.#clients.idle(limitMs);
      if (busy.length > 0) throw new ClockBusyError(busy, this.#clock.nowMs, limitMs);
      if (this.#closed) throw new Error("clock: the simulator is ending");
      const clients = this.#clients.list();
      const said = JSON.stringify(clients.map(({ client, idleUntil }) => [client, idleUntil]));
      if (clients.length < 2 || said === before || round === clients.length) return;
      before = said;
      this.#clock.broadcast();
    }
  }

  /** A tick that finds the last one unfinished is dropped: a busy client holds the clock, as in `advance`. */
  #tick(): void {
    if (this.#ticking) return;
    this.#ticking = true;
    this.advanceBy(TICK_MS * this.#rate, TICK_MS * 40)
      .catch(() => undefined)
      .finally(() => {
        this.#ticking = false;
      });
  }
}
