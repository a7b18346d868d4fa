import type { SimClock } from "./sim-clock.ts";

/** A process that follows the clock. It is waited for as long as its stream is open. */
interface Client {
  name: string;
  /** Tick of its last report, 0 before the first. */
  seq: number;
  /** Virtual time before which it has nothing to do; Infinity for never. */
  idleUntilMs: number;
}

/** What stands in an error or in `GET /clock/clients`. */
export interface ClientView {
  client: string;
  seq: number;
  idleUntil: string | null;
}

/** Who follows the clock and what each last reported. */
export class ClockClients {
  readonly #clients = new Map<symbol, Client>();
  readonly #waiters = new Set<() => void>();
  readonly #clock: SimClock;

  constructor(clock: SimClock) {
    this.#clock = clock;
  }

  /** Registers a stream; returns the function that drops it. */
  connect(name: string): () => void {
    const key = Symbol(name);
    this.#clients.set(key, { name, seq: 0, idleUntilMs: 0 });
    return () => {
      this.#clients.delete(key);
      this.#wake();
    };
  }

  /** Drops everybody, so that nothing waits for them any more. */
  close(): void {
    this.#clients.clear();
    this.#wake();
  }

  /** Takes a report; false when no stream of that name is open. A report about an older tick is kept out. */
  report(name: string, seq: number, idleUntilMs: number): boolean {
    let known = false;
    for (const client of this.#clients.values()) {
      if (client.name !== name) continue;
      known = true;
      if (seq >= client.seq) {
        client.seq = seq;
        client.idleUntilMs = idleUntilMs;
      }
    }
    this.#wake();
    return known;
  }

  /** Earliest time at which any client wants to be woken; Infinity if none does. */
  nextWakeMs(): number {
    return Math.min(Number.POSITIVE_INFINITY, ...[...this.#clients.values()].map((client) => client.idleUntilMs));
  }

  /** Clients that have not reported idle for the present tick, or whose time has already come. */
  busy(): ClientView[] {
    return [...this.#clients.values()].filter((client) => !this.#idle(client)).map(view);
  }

  /** Every open stream. */
  list(): ClientView[] {
    return [...this.#clients.values()].map(view);
  }

  /** Resolves with [] once nobody is busy, or with those who still are after `limitMs` of real time. */
  async idle(limitMs: number): Promise<ClientView[]> {
    const deadline = performance.now() + limitMs;
    for (;;) {
      const busy = this.busy();
      const leftMs = deadline - performance.now();
      if (busy.length === 0 || leftMs <= 0) return busy;
      await this.#change(leftMs);
    }
  }

  #idle(client: Client): boolean {
    return client.seq === this.#clock.seq && client.idleUntilMs > this.#clock.nowMs;
  }

  #change(limitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiters.delete(done);
        resolve();
      };
      const timer = setTimeout(done, limitMs);
      this.#waiters.add(done);
    });
  }

  #wake(): void {
    for (const waiter of [...this.#waiters]) waiter();
  }
}

function view(client: Client): ClientView {
  const finite = Number.isFinite(client.idleUntilMs);
  return {
    client: client.name,
    seq: client.seq,
    idleUntil: finite ? new Date(client.idleUntilMs).toISOString() : null,
  };
}
