import type { Observe } from "@countersign/connectors";
import type { EngineClock, ReachRow, Store } from "@countersign/engine";

type Seen = Omit<ReachRow, "role">;

/** What nobody waits for is written together (real time). */
const writeAfterMs = 60_000;
/** That an address begins to fail, or answers again, is of interest sooner. */
const changedAfterMs = 1_000;

/** Collects how the systems outside answer this process, and writes it down now and then: for people who look, and for nothing else. */
export function createReach(
  store: Pick<Store, "reached">,
  clock: Pick<EngineClock, "now">,
  onError: (error: unknown) => void,
) {
  const seen = new Map<string, Seen>();
  const failing = new Map<string, boolean>();
  let timer: NodeJS.Timeout | null = null;
  let dueAt = Number.POSITIVE_INFINITY;

  async function write(): Promise<void> {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    dueAt = Number.POSITIVE_INFINITY;
    const rows = [...seen.values()];
    seen.clear();
    if (rows.length > 0) await store.reached(rows).catch(onError);
  }

  const observe: Observe = (address, code) => {
    const at = Math.round(clock.now());
    const fails = code !== null;
    const before = seen.get(address) ?? { address, answeredAt: null, failedAt: null, failingSince: null, code: null };
    seen.set(
      address,
      fails
        ? { ...before, failedAt: at, failingSince: before.failingSince ?? at, code }
        : { ...before, answeredAt: at, failingSince: null },
    );
    const wait = failing.get(address) === fails ? writeAfterMs : changedAfterMs;
    failing.set(address, fails);
    if (performance.now() + wait >= dueAt) return;
    if (timer !== null) clearTimeout(timer);
    dueAt = performance.now() + wait;
    timer = setTimeout(() => void write(), wait).unref();
  };
  return { observe, stop: write };
}
