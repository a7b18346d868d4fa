import { type InventoryRow, procedureNamed, procedureNameFor } from "@countersign/core";
import { newRunId } from "../execution/run-id.ts";
import type { RunRequest, Store } from "../store/index.ts";

/** Why a run is asked for. */
export interface Why {
  readonly id?: string;
  readonly trigger: "due" | "manual" | "compromise" | "event";
  /** With trigger `compromise`: which credential, and since when that is known (RFC 3339). */
  readonly compromised?: { readonly credential: string; readonly reportedAt: string };
  /** Without that trigger: the credential that is to be replaced, whatever the record holds; by id. */
  readonly named?: string;
  readonly requester: string;
  readonly reason: Uint8Array | null;
  readonly at: number;
}

/** The request for a row. Whoever asks by itself gets the run of the same application that is open, where there is one. */
export function runRequest(row: InventoryRow, why: Why): RunRequest {
  const target: Record<string, string> =
    row.procedure === "entra-client-secret"
      ? { appId: row.appId, objectId: row.objectId, row: row.name }
      : { connection: row.connection, row: row.name };
  const procedure = procedureNamed(procedureNameFor(row, { trigger: why.trigger, named: why.named !== undefined }));
  return {
    id: why.id ?? newRunId(why.at),
    tenant: row.tenant,
    environment: row.environment,
    targetKey: row.name,
    target: { ...target, ...(why.named === undefined ? {} : { credential: why.named }), ...why.compromised },
    procedure: `${procedure.name}@${procedure.major}`,
    trigger: why.trigger,
    requester: why.requester,
    reason: why.reason,
    at: why.at,
    unlessOpen: why.trigger !== "compromise",
  };
}

/** Files a request for a row, unless a run of the same application is open: then that run is the answer. */
export function requestRun(store: Store, row: InventoryRow, why: Why): Promise<string> {
  return store.submitRun(runRequest(row, why));
}
