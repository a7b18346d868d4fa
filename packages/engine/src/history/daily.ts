import type { History, Violation } from "@countersign/core";
import type { EngineClock } from "../clock/clock.ts";
import { type ClockJob, clockJob } from "../clock/job.ts";
import type { Store } from "../store/index.ts";
import { checkInvariants } from "./check.ts";

const dayMs = 24 * 60 * 60_000;
/** After a start whatever was due meanwhile is taken up first (domain time). */
const firstMs = 10 * 60_000;

/**
 * Judges the installation by every invariant, shortly after a start and then once a day, and tells each broken one to its
 * operators, once. It reads the database only; `countersign doctor --invariants` looks outside as well.
 */
export function createInvariantsJob(options: {
  readonly store: Store;
  readonly clock: EngineClock;
  readonly scopes: History["scopes"];
  readonly log: (event: string, facts?: Readonly<Record<string, unknown>>) => void;
}): ClockJob {
  const { store, clock, scopes } = options;
  let dueAt = clock.now() + firstMs;

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

  return clockJob({
    clock,
    isDue: () => clock.now() >= dueAt,
    look() {
      dueAt = clock.now() + dayMs;
      return check();
    },
    nextDue: () => dueAt,
    failed: (error) => options.log("invariants.failed", { error }),
  });
}
