import { CountersignError } from "../errors.ts";
import { entraClientSecret } from "./entra-client-secret.ts";
import { postgresRolePassword } from "./postgres-role-password.ts";
import type { Procedure } from "./procedure.ts";

/** Every released procedure of this build, newest major last. */
export const procedures: readonly Procedure[] = [entraClientSecret, postgresRolePassword];

/** The newest procedure of that name. */
export function procedureNamed(name: string): Procedure {
  const found = procedures.findLast((procedure) => procedure.name === name);
  if (found === undefined) throw new CountersignError("VERB_UNKNOWN", `expected a known procedure, got ${name}`);
  return found;
}
