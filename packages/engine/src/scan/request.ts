import type { InventoryRow } from "@countersign/core";
import { newRunId } from "../execution/run-id.ts";
import type { Store } from "../store/index.ts";

/** Files a request for a row, unless a run of the same application is open: then that run is the answer. */
export function requestRun(
  store: Store,
  row: InventoryRow,
  why: {
    readonly id?: string;
    readonly trigger: "due" | "manual";
    readonly requester: string;
    readonly reason: Uint8Array | null;
    readonly at: number;
  },
): Promise<string> {
  const target: Record<string, string> =
    row.procedure === "entra-client-secret"
      ? { appId: row.appId, objectId: row.objectId, row: row.name }
      : { connection: row.connection, row: row.name };
  return store.submitRun({
    id: why.id ?? newRunId(why.at),
    tenant: row.tenant,
    environment: row.environment,
    targetKey: row.name,
    target,
    procedure: `${row.procedure}@1`,
    trigger: why.trigger,
    requester: why.requester,
    reason: why.reason,
    at: why.at,
    unlessOpen: why.trigger === "due",
  });
}
