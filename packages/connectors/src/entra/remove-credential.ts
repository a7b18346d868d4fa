import { isCode } from "@countersign/core";
import type { Leave } from "../kit/leave.ts";
import { lookTwice } from "../kit/twice.ts";
import { type ApplicationRef, credentialOf, readApplication } from "./application.ts";
import { graphCall, type Tenant } from "./graph.ts";

/** What became of a removal. */
export interface Removed {
  /** HTTP status of the removal that was believed; null when nothing had to be removed. */
  readonly status: number | null;
  readonly alreadyAbsent: boolean;
  readonly requestIds: readonly string[];
}

/**
 * Removes one secret by its exact keyId; twice is once (Graph docs, application: removePassword).
 *
 * Graph says 400 "No password credential found" both for a secret that is gone and for one that has not reached this
 * replica yet, and 409 for a concurrent write. So a refusal is followed by reads: absent twice is done, present is tried again.
 */
export async function removeCredential(
  leave: Leave,
  tenant: Tenant,
  ref: ApplicationRef,
  keyId: string,
): Promise<Removed> {
  for (let tries = 1; ; tries += 1) {
    try {
      const answer = await graphCall(leave, tenant, {
        name: "application.removePassword",
        method: "POST",
        path: `/v1.0/applications/${encodeURIComponent(ref.objectId)}/removePassword`,
        json: { keyId },
        retry: "idempotent",
        effect: true,
        expect: [204, 200],
        answer: null,
        as: "writer",
        priority: "high",
      });
      return { status: answer.status, alreadyAbsent: false, requestIds: [answer.requestId] };
    } catch (error) {
      if (!isCode(error, "OUTSIDE_INVALID", "OUTSIDE_NOT_FOUND")) throw error;
      if (await absentTwice(leave, tenant, ref, keyId)) return { status: null, alreadyAbsent: true, requestIds: [] };
      if (tries >= 5) throw error;
      await leave.clock.sleep(tenant.waits.agreeMs * tries, leave.signal);
    }
  }
}

/** Whether two reads in a row lack the secret. */
export async function absentTwice(leave: Leave, tenant: Tenant, ref: ApplicationRef, keyId: string): Promise<boolean> {
  const present = async () => credentialOf(await readApplication(leave, tenant, ref, "writer"), keyId) !== undefined;
  const seen = await lookTwice(leave, tenant.waits.agreeMs, present, (there) => there);
  return seen.every((there) => !there);
}
