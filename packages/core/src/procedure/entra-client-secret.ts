import type { Consumer } from "../inventory/row.ts";
import type { World, WorldCredential } from "../ports.ts";
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

const removeByKeyId = "Remove the created secret by its keyId, once no consumer can hold it any more";

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
  undo: removeByKeyId,
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
const retire = {
  id: "retire",
  verb: "entra.remove-password@1",
  phase: "retire",
  undo: "A removed client secret cannot be brought back: Entra never shows its value again",
  undoable: false,
} as const satisfies StepShape;
const shape: readonly StepShape[] = [create, prove, store, ...updateLines(kinds), confirmLine(kinds), retire];

/** Rotates one client secret of an Entra application: create, prove, store, update consumers, overlap, retire. */
export const entraClientSecret: Procedure = {
  name: "entra-client-secret",
  major: 1,
  shape,
  plan(input: ProcedureInput) {
    const { row, world, settings } = input;
    if (row.procedure !== "entra-client-secret")
      throw new TypeError(`expected an entra-client-secret row, got ${row.procedure}`);
    const app = { tenant: row.tenant, objectId: row.objectId, appId: row.appId };
    const old = replaced(world);
    if (old === undefined) throw blocked("to know which of the live secrets is to be replaced, got none", row.name);
    const { id: oldId, expiresAt } = old;
    const { updates, confirms } = consumerSteps(input, shape, { tenant: row.tenant, appId: row.appId, old: oldId });
    const steps = [
      stepOf(
        create,
        "create",
        `Create a client secret on ${row.name}, valid for ${days(settings.lifetimeSeconds)}`,
        world.target,
        {
          ...app,
          lifetimeSeconds: settings.lifetimeSeconds,
        },
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
      ...confirms,
      stepOf(retire, "retire", `Remove the old secret ${oldId} from ${row.name}`, world.target, {
        ...app,
        keyId: oldId,
        created: "create",
        store: "store",
        record: { connection: row.record.connection, name: row.record.name },
        quietSeconds: settings.quietSeconds,
        consumers: row.consumers.map((consumer) => ({ name: consumer.name, callers: [...consumer.callers] })),
      }),
    ];
    return {
      target: { kind: "entra-application", name: row.name, objectId: row.objectId, appId: row.appId },
      old: {
        id: oldId,
        expiresAt: expiresAt === null ? null : new Date(expiresAt).toISOString(),
        binding: world.binding.by,
      },
      steps,
      lockKeys: [
        { key: `application:${String(world.target.tenantId)}/${row.objectId}`, held: "run" },
        ...targetLocks(input),
      ],
      irreversible: [`After retirement the old secret ${oldId} cannot be used or restored.`],
    };
  },
};

/**
 * The secret to be replaced: the one that the record holds. When that cannot be shown, the live one that expires first:
 * the plan says `unproven`, approvers read it, and a gate never opens for it by itself.
 */
export function replaced({ binding, credentials, readAt }: World): WorldCredential | undefined {
  const bound = credentials.find((credential) => credential.id === binding.id);
  if (bound !== undefined || binding.by !== "unproven") return bound;
  const end = (credential: WorldCredential) => credential.expiresAt ?? Number.POSITIVE_INFINITY;
  const live = credentials.filter((credential) => end(credential) > readAt);
  const candidates = live.length > 0 ? live : credentials;
  return candidates.toSorted((a, b) => end(a) - end(b) || (a.id < b.id ? -1 : 1))[0];
}

/** Seconds as days or hours for a sentence. */
export function days(seconds: number): string {
  return seconds % 86_400 === 0 ? `${seconds / 86_400} days` : `${Math.round(seconds / 3_600)} hours`;
}
