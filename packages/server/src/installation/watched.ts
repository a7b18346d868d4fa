import { type RowOwners, resolvePolicy } from "@countersign/core";
import type { Ground, Watched } from "@countersign/engine";
import { shownGround } from "./readiness.ts";

/** The applications of the inventory, and what policy says of telling their owners; where it does not count, nothing. */
export function watchedOf(ground: Ground): readonly Watched[] {
  const { rows, policyDigest } = shownGround(ground);
  const policy = policyDigest === null ? null : ground.policy().policy;
  return rows.map((row) => {
    const resolved = policy === null ? null : resolvePolicy(policy, row);
    const { owners, businessOwners, credentialOwners }: RowOwners = row;
    return {
      name: row.name,
      tenant: row.tenant,
      environment: row.environment,
      owners,
      businessOwners,
      credentialOwners,
      objectId: row.procedure === "entra-client-secret" ? row.objectId : null,
      tellSeconds: resolved?.tellBeforeExpirySeconds ?? [],
      dueSeconds: resolved?.rotateWhenExpiresInSeconds ?? null,
    };
  });
}
