import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { CountersignError } from "@countersign/core";

/** How long liveness lasts, in real milliseconds (design: defaults 10 s, 1 s, 5 s, 30 s, = deadline). */
export interface Liveness {
  readonly leaseMs: number;
  readonly beatMs: number;
  readonly freshMs: number;
  readonly callDeadlineMs: number;
  readonly settleMs: number;
}

/** A process, so that another one on the same host can prove it dead: a pid alone is re-used. */
export interface ProcessIdentity {
  readonly host: string;
  readonly bootId: string;
  readonly pid: number;
  readonly pidStarted: string;
}

const read = (path: string): string | null => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
};

/** Field 22 of /proc/<pid>/stat: start time in clock ticks since boot; null where there is no such process or no /proc. */
function startOf(pid: number): string | null {
  const stat = read(`/proc/${pid}/stat`);
  // The command name (field 2) may hold spaces and brackets; fields are counted after its last ")".
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? null;
}

/** Who this process is. */
export function thisProcess(): ProcessIdentity {
  return {
    host: hostname(),
    bootId: read("/proc/sys/kernel/random/boot_id")?.trim() ?? "unknown",
    pid: process.pid,
    pidStarted: startOf(process.pid) ?? "unknown",
  };
}

/** True only where it is certain: same host and boot, and the pid is gone, a zombie, or another process by now. */
export function isProvenDead(holder: ProcessIdentity): boolean {
  const here = thisProcess();
  if (
    holder.host !== here.host ||
    holder.bootId !== here.bootId ||
    holder.bootId === "unknown" ||
    holder.pidStarted === "unknown"
  )
    return false;
  const started = startOf(holder.pid);
  if (started === null || started !== holder.pidStarted) return true;
  const stat = read(`/proc/${holder.pid}/stat`);
  return stat !== null && stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3) === "Z";
}

/**
 * This executor's right to touch the outside. It fences itself: right before each outside call {@link assertAlive}
 * demands that the last beat the database accepted is fresh, on the monotonic clock. Outside systems do not know our
 * fence; this check and the call deadline are all that keeps a stalled executor from writing late.
 */
export class Lease {
  readonly #liveness: Liveness;
  readonly #beat: () => Promise<boolean>;
  readonly #lost: (because: string) => void;
  #acceptedAt = Number.NEGATIVE_INFINITY;
  readonly #stopped = new AbortController();

  /** Aborted when this worker stops: ends every call and wait. */
  get signal(): AbortSignal {
    return this.#stopped.signal;
  }

  /** `beat` writes one beat and says whether it was accepted; `lost` is called once when one was refused. */
  constructor(liveness: Liveness, beat: () => Promise<boolean>, lost: (because: string) => void) {
    this.#liveness = liveness;
    this.#beat = beat;
    this.#lost = lost;
  }

  /** Beats until stopped. A failed connection is tried again; a refused beat ends this worker for good. */
  async run(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      const sentAt = performance.now();
      try {
        if (await this.#beat()) {
          this.#acceptedAt = sentAt;
        } else if (!this.#stopped.signal.aborted) {
          this.#lost("the database refused the beat: this worker's lease had run out");
          return;
        }
      } catch {
        // Not reachable: freshness runs out by itself and assertAlive() stops every effect.
      }
      await delay(this.#liveness.beatMs, undefined, { signal: this.#stopped.signal }).catch(() => {});
    }
  }

  get fresh(): boolean {
    return performance.now() - this.#acceptedAt < this.#liveness.freshMs;
  }

  /** Throws LEASE_LOST unless the last accepted beat is fresh. */
  assertAlive(): void {
    if (!this.fresh)
      throw new CountersignError("LEASE_LOST", `expected a beat within ${this.#liveness.freshMs} ms, got none`);
  }

  stop(): void {
    this.#stopped.abort();
  }
}
