import type { InventoryRow } from "@countersign/core";
import type { FindingInput, Store } from "../store/index.ts";
import { requestRun } from "./request.ts";

/** Live secrets of one application; more than these are no reason to look at the others. */
const credentialsMax = 1_000;

/** How long before expiry a row's credential is due, seconds; null = no policy governs it. */
export type DueSeconds = (row: InventoryRow) => number | null;

/**
 * Looks in the ledger at every application that the inventory lists, and files a request for what expires within its time.
 */
export async function proposeDue(
  store: Store,
  tenant: string,
  rows: readonly InventoryRow[],
  dueSeconds: DueSeconds,
  now: number,
): Promise<FindingInput[]> {
  const found: FindingInput[] = [];
  for (const row of rows) {
    if (row.procedure !== "entra-client-secret" || row.tenant !== tenant) continue;
    const within = dueSeconds(row);
    if (within === null) continue;
    const filter = { tenant, objectId: row.objectId, expiresBefore: now + within * 1_000 + 1, limit: credentialsMax };
    const due = (await store.credentials(filter)).filter(({ kind }) => kind === "client-secret");
    if (due.length > 0)
      await requestRun(store, row, { trigger: "due", requester: "system:scanner", reason: null, at: now });
    for (const { id, expiresAt } of due) {
      if (expiresAt === null) continue;
      const leftSeconds = Math.floor((expiresAt - now) / 1_000);
      found.push({
        code: leftSeconds <= 0 ? "expired" : "expiring",
        result: "warn",
        observed: leftSeconds,
        required: within,
        target: { row: row.name, credential: id },
      });
    }
  }
  return found;
}
