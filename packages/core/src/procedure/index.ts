import { CountersignError } from "../errors.ts";
import type { InventoryRow } from "../inventory/row.ts";
import { emergencyRevoke } from "./emergency-revoke.ts";
import { entraClientSecret } from "./entra-client-secret.ts";
import { postgresRolePassword } from "./postgres-role-password.ts";
import type { Procedure } from "./procedure.ts";

/** Every released procedure of this build, newest major last. */
export const procedures: readonly Procedure[] = [entraClientSecret, postgresRolePassword, emergencyRevoke];

/** The procedure that revokes a compromised credential of such a row; null where there is none. */
const emergencies: Readonly<Record<InventoryRow["procedure"], string | null>> = {
  "entra-client-secret": emergencyRevoke.name,
  "postgres-role-password": null,
};

/** The name of the procedure for a row: a compromised credential has one of its own. PLAN_BLOCKED where there is none. */
export function procedureNameFor(row: Pick<InventoryRow, "procedure">, trigger: string): string {
  if (trigger !== "compromise") return row.procedure;
  const name = emergencies[row.procedure];
  if (name === null)
    throw new CountersignError("PLAN_BLOCKED", `expected a kind with an emergency procedure, got ${row.procedure}`);
  return name;
}

/** The newest procedure of that name. */
export function procedureNamed(name: string): Procedure {
  const found = procedures.findLast((procedure) => procedure.name === name);
  if (found === undefined) throw new CountersignError("VERB_UNKNOWN", `expected a known procedure, got ${name}`);
  return found;
}
