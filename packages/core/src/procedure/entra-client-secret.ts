import {
  kinds,
  mintLines,
  mintSteps,
  oldOf,
  removal,
  removalOf,
  replaced,
  secretLocks,
  secretRow,
  targetOf,
} from "./entra-secret.ts";
import {
  blocked,
  confirmLine,
  consumerSteps,
  type Procedure,
  type ProcedureInput,
  type StepShape,
  stepOf,
  updateLines,
} from "./procedure.ts";

const retire: StepShape = { id: "retire", ...removal };
const shape: readonly StepShape[] = [...mintLines, ...updateLines(kinds), confirmLine(kinds), retire];

/** Rotates one client secret of an Entra application: create, prove, store, update consumers, overlap, retire. */
export const entraClientSecret: Procedure = {
  name: "entra-client-secret",
  major: 1,
  shape,
  plan(input: ProcedureInput) {
    const { world, settings } = input;
    const row = secretRow(input);
    const old = replaced(world);
    if (old === undefined) throw blocked("to know which of the live secrets is to be replaced, got none", row.name);
    const { updates, confirms } = consumerSteps(input, shape, { tenant: row.tenant, appId: row.appId, old: old.id });
    return {
      target: targetOf(row),
      old: oldOf(old, world.binding.by),
      steps: [
        ...mintSteps(input, row),
        ...updates,
        ...confirms,
        stepOf(retire, "retire", `Remove the old secret ${old.id} from ${row.name}`, world.target, {
          ...removalOf(row, old.id),
          quietSeconds: settings.quietSeconds,
          consumers: row.consumers.map((consumer) => ({ name: consumer.name, callers: [...consumer.callers] })),
        }),
      ],
      lockKeys: secretLocks(input, row),
      irreversible: [`After retirement the old secret ${old.id} cannot be used or restored.`],
    };
  },
};
