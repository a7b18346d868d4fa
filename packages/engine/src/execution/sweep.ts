import { CountersignError, isCode, type Plan, thawPlan } from "@countersign/core";
import type { EngineClock } from "../clock/clock.ts";
import type { StepRow, Store } from "../store/index.ts";
import type { Lease } from "./lease.ts";

/** How often unresolved creations are looked for: none may be orphaned 60 s after it becomes visible (I3). */
const lookMs = 50_000;
/** An unknown creation counts as absent after so long without being seen (I3). */
const absentMs = 24 * 60 * 60_000;
/** A creation that was answered is seen by every replica after so long: a removal that found nothing then is one. */
const seenMs = 60 * 60_000;
const rowsMax = 500;

interface SweepContext {
  readonly run: string;
  readonly clock: EngineClock;
  readonly signal: AbortSignal;
  assertAlive(): void;
  effectSent(): Promise<void>;
}
interface SweepTarget {
  readonly tenant: string;
  readonly objectId: string;
  readonly appId: string;
}

/** Late twins of one run at its target; how they are known and removed is the connector's affair. */
export interface Twins {
  /** What carries a nonce of the run and is not accounted for, and what carries one that is not its own. Changes nothing. */
  find(
    at: SweepContext,
    target: SweepTarget,
    rules: { readonly keep: readonly string[]; readonly nonces: readonly string[] },
  ): Promise<{ readonly twins: readonly string[]; readonly strangers: readonly string[] }>;
  /** Removes one of them by its exact id. `alreadyAbsent`: it was not seen any more, which proves nothing of one seen before. */
  remove(at: SweepContext, target: SweepTarget, credential: string): Promise<{ readonly alreadyAbsent: boolean }>;
}

/**
 * Looks for credentials of creations whose outcome is unknown, and of those whose removal found nothing, also after their run
 * has closed, until they are found and removed or time enough has passed. The run itself went on long ago.
 */
export function createSweep(options: {
  readonly store: Store;
  readonly clock: EngineClock;
  readonly lease: Lease;
  readonly twins: Twins;
  readonly log: (event: string, facts?: Readonly<Record<string, unknown>>) => void;
}): { look(): Promise<void>; nextDue(): Promise<number | null> } {
  const { store, clock, lease } = options;
  let lookedAt = Number.NEGATIVE_INFINITY;

  async function one(row: StepRow): Promise<void> {
    const run = await store.run(row.runId);
    const bytes = run?.planDigest === null || run === null ? null : await store.plan(run.planDigest);
    if (run?.planDigest === null || run === null || bytes === null) return;
    // After the restore of an older backup the journal may not know that what it looks for was found and published.
    if (await store.restoredSince(row.runId)) return store.stepResolve({ run: row.runId, ...row }, clock.now());
    const { plan } = thawPlan(bytes, run.planDigest);
    const journal = await store.steps(row.runId);
    if (plan.target.kind === "entra-application") await removeTwins(plan, row, journal, run.state);
    if (clock.now() >= absentAt(row, journal)) await store.stepResolve({ run: row.runId, ...row }, clock.now());
  }

  async function removeTwins(plan: Plan, row: StepRow, journal: readonly StepRow[], state: string): Promise<void> {
    const created = journal.filter(
      (other) =>
        other.step === row.step &&
        other.direction === "do" &&
        other.outcome !== "unknown" &&
        // Found and not yet taken back: the run does that itself, or a stalled holder may still publish it.
        (other.outcome !== "failed" || other.outcomeData?.facts.reconciled === "left"),
    );
    const discarded = new Set(
      journal
        .filter((other) => other.direction === "discard" && other.outcome === "done")
        .map((other) => other.attempt),
    );
    const keep =
      state === "rolled_back"
        ? []
        : created.filter((other) => !discarded.has(other.attempt)).flatMap((other) => keyIdOf(other));
    // An attempt still open may be about to learn its keyId: nothing is removed then.
    if (created.some((other) => other.outcome === null)) return;
    const { target, tenant } = plan;
    if (target.kind !== "entra-application") return;
    const at: SweepContext = {
      run: row.runId,
      clock,
      signal: lease.signal,
      assertAlive: () => lease.assertAlive(),
      effectSent: async () => {},
    };
    const there: SweepTarget = { tenant: tenant.name, objectId: target.objectId, appId: target.appId };
    // Every nonce of ours: another attempt's late twin is ours as well, not a stranger's.
    const nonces = journal.filter((other) => other.step === row.step).map((other) => other.nonce);
    const seen = await options.twins.find(at, there, { keep, nonces });
    if (seen.strangers.length > 0) options.log("sweep.stranger", { run: row.runId, credentials: seen.strangers });
    if (seen.twins.length === 0) return;
    // The run may have closed long ago, so these entries stand beside its chain and name it.
    const of = { of: row.runId, step: row.step };
    const where = { appId: target.appId, objectId: target.objectId, tenantId: tenant.id };
    const left: string[] = [];
    for (const credential of seen.twins) {
      await store.append({ type: "sweep.intent", data: { credential, ...of, target: where } }, clock.now());
      const outcome = await removed(at, there, credential);
      await store.append({ type: "sweep.outcome", data: { credential, ...of, outcome } }, clock.now());
      if (outcome === "unknown") left.push(credential);
    }
    options.log("sweep.removed", { run: row.runId, credentials: seen.twins, left });
    // Whoever was seen and may still be there is looked for again: its attempt is not closed.
    if (left.length === 0) await store.stepResolve({ run: row.runId, ...row }, clock.now());
  }

  /** A twin was seen a moment ago: that it is not seen now is another replica's word, and no proof that it is gone. */
  async function removed(at: SweepContext, target: SweepTarget, credential: string): Promise<"done" | "unknown"> {
    try {
      const { alreadyAbsent } = await options.twins.remove(at, target, credential);
      return alreadyAbsent ? "unknown" : "done";
    } catch (error) {
      if (isCode(error, "DEADLINE_PASSED") || (isCode(error) && error.code.startsWith("OUTSIDE_"))) return "unknown";
      throw error;
    }
  }

  return {
    async look() {
      if (clock.now() < lookedAt + lookMs) return;
      lookedAt = clock.now();
      for (const row of await store.unresolvedSteps(rowsMax)) {
        await one(row).catch((error: unknown) => {
          if (isCode(error, "LEASE_LOST")) throw error;
          options.log("sweep.failed", {
            run: row.runId,
            error: error instanceof CountersignError ? error.code : "unknown",
          });
        });
      }
    },
    async nextDue() {
      const rows = await store.unresolvedSteps(1);
      return rows.length === 0 ? null : Math.max(lookedAt + lookMs, 0);
    },
  };
}

function keyIdOf(row: StepRow): string[] {
  const id = row.outcomeData?.objectIds.keyId;
  return typeof id === "string" ? [id] : [];
}

/** From when on not having been seen counts as absence. */
function absentAt(row: StepRow, journal: readonly StepRow[]): number {
  if (row.direction === "do") return row.intentAt + absentMs;
  const creations = journal.filter((other) => other.step === row.step && other.direction === "do");
  return Math.max(...creations.map(({ intentAt }) => intentAt)) + seenMs;
}
