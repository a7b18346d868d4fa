import {
  appOf,
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
  lookOnly,
  type Procedure,
  type ProcedureInput,
  proofOf,
  recordOf,
  type StepShape,
  stepOf,
  updateLines,
} from "./procedure.ts";

const revoke: StepShape = { id: "revoke", ...removal };
const refused = {
  id: "refused",
  verb: "entra.prove-refused@1",
  phase: "retire",
  undo: lookOnly,
  undoable: false,
} as const satisfies StepShape;
const shape: readonly StepShape[] = [
  ...mintLines,
  ...updateLines(kinds),
  revoke,
  refused,
  confirmLine(kinds, "restore"),
];

/**
 * For a client secret that somebody else may hold: a new one is created, proven and stored, the consumers are written as
 * far as that goes, and then the compromised one is removed at once, without overlap and without asking who still uses
 * it (I5). Only afterwards it is waited for that each consumer is seen on the new one.
 */
export const emergencyRevoke: Procedure = {
  name: "emergency-revoke",
  major: 1,
  shape,
  plan(input: ProcedureInput) {
    const { world, settings, urgent } = input;
    const row = secretRow(input);
    const named = urgent?.compromised ?? null;
    const old = named === null ? replaced(world) : world.credentials.find((credential) => credential.id === named);
    if (old === undefined)
      throw blocked("to know which of the live secrets is compromised, got none", named ?? row.name);
    const revoked = [...new Set([old.id, ...(urgent?.supersedes?.made ?? [])])];
    const { updates, confirms } = consumerSteps(input, shape, { tenant: row.tenant, appId: row.appId, old: old.id });
    const isStored = world.binding.id === old.id && world.record.version !== null;
    const steps = [
      ...mintSteps(input, row),
      ...updates,
      ...revoked.map((keyId, at) =>
        stepOf(
          revoke,
          at === 0 ? "revoke" : `revoke:${at + 1}`,
          `Remove the ${at === 0 ? "compromised secret" : "secret that the superseded run made,"} ${keyId} from ${row.name} at once`,
          world.target,
          { ...removalOf(row, keyId), quietSeconds: 0, consumers: [] },
        ),
      ),
      // Only what the record holds can be tried; of another secret nobody here knows the value.
      ...(isStored
        ? [
            stepOf(
              refused,
              "refused",
              `Show that ${old.id} is refused ${settings.proofTimes} times in a row`,
              world.target,
              { ...appOf(row), record: recordOf(row), version: world.record.version, ...proofOf(settings) },
            ),
          ]
        : []),
      ...confirms,
    ];
    return {
      target: targetOf(row),
      old: oldOf(old, world.binding.id === old.id ? world.binding.by : "unproven"),
      steps,
      lockKeys: secretLocks(input, row),
      irreversible: revoked.map(
        (keyId) => `The secret ${keyId} is dead from the moment it is removed: there is no roll back after that.`,
      ),
      emergency: { leaveBehind: updates.map((step) => step.id), revoke: revoked },
    };
  },
};
