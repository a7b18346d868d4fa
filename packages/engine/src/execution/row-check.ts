import { CountersignError, type Plan } from "@countersign/core";
import { digestOf } from "@countersign/evidence";
import type { RunRow, Store } from "../store/index.ts";

/**
 * Throws AUTHORISATION_INVALID when the run's row or its stored policy is not what the approved plan says. The executor
 * follows neither of them; but a run whose record was edited must not begin, and its evidence could not be proven.
 */
export async function assertRowFitsPlan(store: Store, row: RunRow, plan: Plan): Promise<void> {
  const pairs: readonly (readonly [name: string, planned: string, found: string | null])[] = [
    ["run", plan.run, row.id],
    ["application", plan.target.name, row.targetKey],
    ["tenant", plan.tenant.name, row.tenant],
    ["procedure", `${plan.procedure.name}@${plan.procedure.major}`, row.procedure],
    ["requester", plan.requester, row.requester],
    ["trigger", plan.trigger, row.trigger],
    ["policy", plan.policyDigest, row.policyDigest],
  ];
  for (const [name, planned, found] of pairs) {
    if (planned !== found)
      throw new CountersignError("AUTHORISATION_INVALID", `expected ${name} ${planned} in the run's row, got ${found}`);
  }
  const policy = (await store.attachment(plan.policyDigest))?.bytes ?? null;
  if (policy === null || digestOf(policy) !== plan.policyDigest)
    throw new CountersignError(
      "AUTHORISATION_INVALID",
      "expected the stored policy to have its digest, got other bytes",
    );
}
