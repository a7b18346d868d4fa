import { isCode, pointersOf, type ReadContext, type VaultEntry } from "@countersign/core";
import type { EngineClock } from "../clock/clock.ts";
import { type ClockJob, clockJob } from "../clock/job.ts";
import type { Store } from "../store/index.ts";

const dayMs = 24 * 60 * 60_000;
/** After a start whatever was due meanwhile is taken up first (domain time). */
const firstMs = 10 * 60_000;
/** Applications that are looked up in one statement. */
const batchMax = 1_000;

/** Lists the entries of vaults, no values; null: we may not list them. */
export interface VaultLister {
  readonly vaults: readonly string[];
  entries(ctx: ReadContext, connection: string): Promise<readonly VaultEntry[] | null>;
}

/**
 * Looks once a day, where a tenant was listed since, which entries of vaults point at an application. It is the executor that looks:
 * no other process may sign in to a vault. What may not be listed is said to be so, and nothing is concluded from it.
 */
export function createVaultLook(options: {
  readonly store: Store;
  readonly clock: EngineClock;
  readonly tenants: readonly string[];
  readonly lister: VaultLister;
  readonly log: (event: string, facts?: Readonly<Record<string, unknown>>) => void;
}): ClockJob {
  const { store, clock, lister, tenants } = options;
  const stopped = new AbortController();
  let dueAt = clock.now() + firstMs;

  async function look(): Promise<void> {
    dueAt = clock.now() + dayMs;
    const listed = await store.lastFullScans(tenants);
    if (lister.vaults.length === 0 || listed.length === 0) return;
    const at = clock.now();
    const seen: { connection: string; available: boolean | null }[] = [];
    const entries: VaultEntry[] = [];
    for (const connection of lister.vaults) {
      const found = await entriesOf(connection);
      seen.push({ connection, available: found === undefined ? null : found !== null });
      entries.push(...(found ?? []));
    }
    const read = seen.flatMap(({ connection, available }) => (available === true ? [connection] : []));
    let found = 0;
    if (read.length > 0) for (const { tenant } of listed) found += await pointAt(tenant, read, entries);
    await store.vaultsRead(seen, at);
    options.log("vaults.read", { vaults: seen.length, read: read.length, entries: entries.length, found });
  }

  /** Undefined: it did not answer. */
  async function entriesOf(connection: string): Promise<readonly VaultEntry[] | null | undefined> {
    try {
      return await lister.entries({ clock, signal: stopped.signal }, connection);
    } catch (error) {
      if (isCode(error, "DATABASE_UNAVAILABLE") || stopped.signal.aborted) throw error;
      options.log("vaults.failed", { connection, error: error instanceof Error ? error.message : "unknown" });
      return undefined;
    }
  }

  async function pointAt(tenant: string, read: readonly string[], entries: readonly VaultEntry[]): Promise<number> {
    const entriesTo = pointersOf(entries);
    let count = 0;
    for (let after: string | undefined = ""; after !== undefined; ) {
      const batch = await store.applicationsAfter(tenant, after, batchMax);
      const objects = batch.map(({ objectId }) => objectId);
      const found = batch.flatMap((application) =>
        entriesTo(application).map((entry) => ({ ...entry, objectId: application.objectId })),
      );
      if (objects.length > 0) await store.entriesPut(tenant, objects, read, found);
      count += found.length;
      after = objects.at(-1);
    }
    return count;
  }

  const job = clockJob({
    clock,
    isDue: () => clock.now() >= dueAt,
    look,
    nextDue: () => dueAt,
    failed: (error) => options.log("vaults.failed", { error }),
  });
  return {
    start: () => job.start(),
    async stop() {
      stopped.abort();
      await job.stop();
    },
  };
}
