import { setTimeout as delay } from "node:timers/promises";
import { CountersignError, type History, type Violation } from "@countersign/core";
import type { EngineClock } from "../clock/clock.ts";
import type { Store } from "../store/index.ts";
import { checkInvariants } from "./check.ts";

const dayMs = 24 * 60 * 60_000;
/** After a start whatever was due meanwhile is taken up first (domain time). */
const firstMs = 10 * 60_000;
/** How often the system's clock is asked whether it is time (real time). */
const pollMs = 30_000;

/**
 * Judges the installation by every invariant, shortly after a start and then once a day, and tells each broken one to its
 * operators, once. It reads the database only; `countersign doctor --invariants` looks outside as well.
 */
export function createInvariantsJob(options: {
  readonly store: Store;
  readonly clock: EngineClock;
  readonly scopes: History["scopes"];
  readonly log: (event: string, facts?: Readonly<Record<string, unknown>>) => void;
}): { start(): void; stop(): Promise<void> } {
  const { store, clock, scopes } = options;
  const stopped = new AbortController();
  let dueAt = clock.now() + firstMs;
  let looking: Promise<void> | null = null;
  let loop: Promise<void> = Promise.resolve();

  async function tell({ invariant, run, sentence }: Violation): Promise<void> {
    const row = run === null ? null : await store.run(run);
    await store.noticePut({
      run: row === null ? null : row.id,
      kind: "invariant.broken",
      channel: "operators",
      key: `invariant:${invariant}:${run ?? sentence.slice(0, 200)}`,
      payload: { invariant, sentence: sentence.slice(0, 500), ...(row === null ? {} : { application: row.targetKey }) },
      notBefore: clock.now(),
      at: clock.now(),
    });
  }

  async function check(): Promise<void> {
    const now = clock.now();
    // Two days back: what broke while nobody looked for a day is still seen.
    const { runs, violations } = await checkInvariants(store, { now, since: now - 2 * dayMs, scopes, look: null });
    for (const violation of violations) await tell(violation);
    options.log("invariants.checked", {
      runs,
      broken: violations.map(({ invariant, run }) => `${invariant} ${run ?? ""}`).slice(0, 100),
    });
  }

  /** One look at a time; one that failed is made up for with the next day's. */
  function lookIfDue(): Promise<void> {
    if (looking !== null) return looking;
    if (clock.now() < dueAt || stopped.signal.aborted) return Promise.resolve();
    dueAt = clock.now() + dayMs;
    looking = clock
      .work(check)
      .catch((error: unknown) =>
        options.log("invariants.failed", { error: error instanceof CountersignError ? error.code : "unknown" }),
      )
      .finally(() => {
        looking = null;
      });
    return looking;
  }

  return {
    start() {
      clock.onTick(lookIfDue);
      clock.nextDue(() => Promise.resolve(dueAt));
      loop = (async () => {
        while (!stopped.signal.aborted) {
          await lookIfDue();
          await delay(pollMs, undefined, { signal: stopped.signal }).catch(() => {});
        }
      })();
    },
    async stop() {
      stopped.abort();
      await loop;
      await looking;
    },
  };
}
