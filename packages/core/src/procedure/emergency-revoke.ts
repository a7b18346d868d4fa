import type { Consumer } from "../inventory/row.ts";
import { days, replaced } from "./entra-client-secret.ts";
import {
  blocked,
  confirmLine,
  consumerSteps,
  lookOnly,
  type Procedure,
  type ProcedureInput,
  type StepShape,
  stepOf,
  targetLocks,
  updateLines,
} from "./procedure.ts";

/** Kinds of consumers that this major updates and confirms. Listed here, so that a new kind is a new major and no silent change. */
const kinds = [
  "latest",
  "pinned",
  "copied",
  "devops-variable",
  "app-setting",
  "app-reference",
  "github-secret",
  "kubernetes-secret",
  "rest",
  "manual",
] as const satisfies readonly Consumer["kind"][];

const create = {
  id: "create",
  verb: "entra.add-password@1",
  phase: "execute",
  undo: "Remove the created secret by its keyId, once no consumer can hold it any more",
  undoable: true,
} as const satisfies StepShape;
const prove = {
  id: "prove",
  verb: "entra.prove@1",
  phase: "execute",
  undo: lookOnly,
  undoable: false,
} as const satisfies StepShape;
const store = {
  id: "store",
  verb: "keyvault.write@1",
  phase: "execute",
  undo: "Write the previous value as the newest version again",
  undoable: true,
} as const satisfies StepShape;
const revoke = {
  id: "revoke",
  verb: "entra.remove-password@1",
  phase: "retire",
  undo: "A removed client secret cannot be brought back: Entra never shows its value again",
  undoable: false,
} as const satisfies StepShape;
const refused = {
  id: "refused",
  verb: "entra.prove-refused@1",
  phase: "retire",
  undo: lookOnly,
  undoable: false,
} as const satisfies StepShape;
const shape: readonly StepShape[] = [
  create,
  prove,
  store,
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
    const { row, world, settings, urgent } = input;
    if (row.procedure !== "entra-client-secret")
      throw new TypeError(`expected an entra-client-secret row, got ${row.procedure}`);
    const app = { tenant: row.tenant, objectId: row.objectId, appId: row.appId };
    const named = urgent?.compromised ?? null;
    const old = named === null ? replaced(world) : world.credentials.find((credential) => credential.id === named);
    if (old === undefined)
      throw blocked("to know which of the live secrets is compromised, got none", named ?? row.name);
    const { id: oldId, expiresAt } = old;
    const revoked = [...new Set([oldId, ...(urgent?.supersedes?.made ?? [])])];
    const { updates, confirms } = consumerSteps(input, shape, { tenant: row.tenant, appId: row.appId, old: oldId });
    const isStored = world.binding.id === oldId && world.record.version !== null;
    const steps = [
      stepOf(
        create,
        "create",
        `Create a client secret on ${row.name}, valid for ${days(settings.lifetimeSeconds)}`,
        world.target,
        { ...app, lifetimeSeconds: settings.lifetimeSeconds },
      ),
      stepOf(prove, "prove", `Sign in with it ${settings.proofTimes} times in a row`, world.target, {
        ...app,
        times: settings.proofTimes,
        spacingSeconds: settings.proofSpacingSeconds,
        deadlineSeconds: settings.proofDeadlineSeconds,
      }),
      stepOf(
        store,
        "store",
        `Store it in ${row.record.connection} as the newest version of ${row.record.name}; whoever reads "latest" gets it from now on`,
        world.record.identity,
        {
          connection: row.record.connection,
          name: row.record.name,
          previous: world.record.version,
          created: "create",
          lifetimeSeconds: settings.lifetimeSeconds,
        },
      ),
      ...updates,
      ...revoked.map((keyId, at) =>
        stepOf(
          revoke,
          at === 0 ? "revoke" : `revoke:${at + 1}`,
          `Remove the ${at === 0 ? "compromised secret" : "secret that the superseded run made,"} ${keyId} from ${row.name} at once`,
          world.target,
          {
            ...app,
            keyId,
            created: "create",
            store: "store",
            record: { connection: row.record.connection, name: row.record.name },
            quietSeconds: 0,
            consumers: [],
          },
        ),
      ),
      // Only what the record holds can be tried; of another secret nobody here knows the value.
      ...(isStored
        ? [
            stepOf(
              refused,
              "refused",
              `Show that ${oldId} is refused ${settings.proofTimes} times in a row`,
              world.target,
              {
                ...app,
                record: { connection: row.record.connection, name: row.record.name },
                version: world.record.version,
                times: settings.proofTimes,
                spacingSeconds: settings.proofSpacingSeconds,
                deadlineSeconds: settings.proofDeadlineSeconds,
              },
            ),
          ]
        : []),
      ...confirms,
    ];
    return {
      target: { kind: "entra-application", name: row.name, objectId: row.objectId, appId: row.appId },
      old: {
        id: oldId,
        expiresAt: expiresAt === null ? null : new Date(expiresAt).toISOString(),
        binding: world.binding.id === oldId ? world.binding.by : "unproven",
      },
      steps,
      lockKeys: [
        { key: `application:${String(world.target.tenantId)}/${row.objectId}`, held: "run" },
        ...targetLocks(input),
      ],
      irreversible: revoked.map(
        (keyId) => `The secret ${keyId} is dead from the moment it is removed: there is no roll back after that.`,
      ),
      emergency: { leaveBehind: updates.map((step) => step.id), revoke: revoked },
    };
  },
};
