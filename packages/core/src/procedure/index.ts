import { CountersignError } from "../errors.ts";
import type { InventoryRow } from "../inventory/row.ts";
import { emergencyRevoke } from "./emergency-revoke.ts";
import { entraClientSecret } from "./entra-client-secret.ts";
import { entraReplaceForeign } from "./entra-replace-foreign.ts";
import { postgresRolePassword } from "./postgres-role-password.ts";
import type { Procedure } from "./procedure.ts";

/** Every released procedure of this build, newest major last. */
export const procedures: readonly Procedure[] = [
  entraClientSecret,
  postgresRolePassword,
  emergencyRevoke,
  entraReplaceForeign,
];

/** The procedure that revokes a compromised credential of such a row; null where there is none. */
const emergencies: Readonly<Record<InventoryRow["procedure"], string | null>> = {
  "entra-client-secret": emergencyRevoke.name,
  "postgres-role-password": null,
};

/** The procedure that retires a credential which a request names, whatever the record holds; null where there is none. */
const replacements: Readonly<Record<InventoryRow["procedure"], string | null>> = {
  "entra-client-secret": entraReplaceForeign.name,
  "postgres-role-password": null,
};

/**
 * The name of the procedure for a row: a compromised credential has one of its own, and so has one that the request names.
 * PLAN_BLOCKED where there is none.
 */
export function procedureNameFor(
  row: Pick<InventoryRow, "procedure">,
  asked: { readonly trigger: string; readonly named: boolean },
): string {
  const urgent = asked.trigger === "compromise";
  if (!urgent && !asked.named) return row.procedure;
  const name = (urgent ? emergencies : replacements)[row.procedure];
  if (name === null)
    throw new CountersignError(
      "PLAN_BLOCKED",
      `expected a kind with ${urgent ? "an emergency procedure" : "a procedure for a named credential"}, got ${row.procedure}`,
    );
  return name;
}

/** The newest procedure of that name. */
export function procedureNamed(name: string): Procedure {
  const found = procedures.findLast((procedure) => procedure.name === name);
  if (found === undefined) throw new CountersignError("VERB_UNKNOWN", `expected a known procedure, got ${name}`);
  return found;
}
