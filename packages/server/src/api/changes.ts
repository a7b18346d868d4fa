import type { ChangeEvent } from "@countersign/contract";
import type { ApiStore } from "./ports.ts";

/** How often the log's size is asked for while somebody listens: changes reach every instance within a second. */
const pollMs = 300;
/** More new entries than this are told as "everything may have changed". */
const entriesMax = 200;

type Listener = (event: ChangeEvent) => void;

/** Tells listeners that the log grew. Reads only while somebody listens; needs no shared memory between instances. */
export class Changes {
  readonly #store: ApiStore;
  readonly #now: () => number;
  readonly #virtual: boolean;
  readonly #listeners = new Set<Listener>();
  #timer: NodeJS.Timeout | null = null;
  #size = -1;
  #lastNow = -1;

  constructor(store: ApiStore, now: () => number, virtual: boolean) {
    this.#store = store;
    this.#now = now;
    this.#virtual = virtual;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  /** Adds a listener that knows the log up to `size`; the returned function removes it. */
  listen(listener: Listener, size: number): () => void {
    this.#listeners.add(listener);
    // What is logged between the listener's first look and our first one must be told as well.
    if (this.#size < 0) this.#size = size;
    this.#timer ??= setTimeout(() => void this.#poll(), pollMs).unref();
    return () => {
      this.#listeners.delete(listener);
    };
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#listeners.clear();
  }

  async #poll(): Promise<void> {
    try {
      const size = await this.#store.logSize();
      const now = this.#now();
      if (this.#size >= 0 && size > this.#size) this.#tell(await this.#since(this.#size, size, now));
      else if (this.#virtual && this.#lastNow >= 0 && now !== this.#lastNow)
        this.#tell({ size, runs: [], all: false, now: new Date(now).toISOString() });
      this.#size = size;
      this.#lastNow = now;
    } catch {
      // The database is away: say nothing, ask again; whoever listens fetches and gets the problem document.
    }
    this.#timer = this.#listeners.size > 0 ? setTimeout(() => void this.#poll(), pollMs).unref() : null;
    if (this.#timer === null) this.#size = -1;
  }

  async #since(from: number, size: number, now: number): Promise<ChangeEvent> {
    const all = size - from > entriesMax;
    const entries = all ? [] : await this.#store.entries(from, size - from);
    const runs = [...new Set(entries.flatMap((entry) => (entry.run === null ? [] : [entry.run])))];
    return { size, runs, all: all || entries.some((entry) => entry.run === null), now: new Date(now).toISOString() };
  }

  #tell(event: ChangeEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}
