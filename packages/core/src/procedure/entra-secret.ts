import type { Consumer } from "../inventory/row.ts";
import type { Plan, PlanStep } from "../plan/plan.ts";
import type { World, WorldCredential } from "../ports/index.ts";
import {
  lookOnly,
  type ProcedureInput,
  proofOf,
  recordOf,
  type StepShape,
  stepOf,
  storedOf,
  targetLocks,
} from "./procedure.ts";

/** Kinds of consumers that the procedures over a client secret update and confirm. A new kind is a new major of each, and no silent change. */
export const kinds = [
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

/** How a new secret comes to be: created, proven before anybody can read it, stored. */
export const mintLines = [create, prove, store] as const satisfies readonly StepShape[];

/** How a secret is removed, by its keyId alone. */
export const removal = {
  verb: "entra.remove-password@1",
  phase: "retire",
  undo: "A removed client secret cannot be brought back: Entra never shows its value again",
  undoable: false,
} as const satisfies Omit<StepShape, "id">;

/** The row of the procedures here, and no other. */
export type SecretRow = Extract<ProcedureInput["row"], { procedure: "entra-client-secret" }>;

/** The row, which must be one of an Entra client secret. */
export function secretRow({ row }: ProcedureInput): SecretRow {
  if (row.procedure !== "entra-client-secret")
    throw new TypeError(`expected an entra-client-secret row, got ${row.procedure}`);
  return row;
}

/** The application as every step over it names it. */
export function appOf(row: SecretRow) {
  return { tenant: row.tenant, objectId: row.objectId, appId: row.appId };
}

/** The steps of `mintLines`. */
export function mintSteps(input: ProcedureInput, row: SecretRow): PlanStep[] {
  const { world, settings } = input;
  const app = appOf(row);
  return [
    stepOf(
      create,
      "create",
      `Create a client secret on ${row.name}, valid for ${days(settings.lifetimeSeconds)}`,
      world.target,
      { ...app, lifetimeSeconds: settings.lifetimeSeconds },
    ),
    stepOf(prove, "prove", `Sign in with it ${settings.proofTimes} times in a row`, world.target, {
      ...app,
      ...proofOf(settings),
    }),
    stepOf(
      store,
      "store",
      `Store it in ${row.record.connection} as the newest version of ${row.record.name}; whoever reads "latest" gets it from now on`,
      world.record.identity,
      storedOf(input),
    ),
  ];
}

/** Parameters of a removal: which secret, on evidence of whom, and what must be stored before. */
export function removalOf(row: SecretRow, keyId: string) {
  return { ...appOf(row), keyId, created: "create", store: "store", record: recordOf(row) };
}

/** What a plan over a client secret says of its target and of the secret that goes. */
export function targetOf(row: SecretRow): Plan["target"] {
  return { kind: "entra-application", name: row.name, objectId: row.objectId, appId: row.appId };
}

/** The old secret as the plan names it. */
export function oldOf({ id, expiresAt }: WorldCredential, binding: Plan["old"]["binding"]): Plan["old"] {
  return { id, expiresAt: expiresAt === null ? null : new Date(expiresAt).toISOString(), binding };
}

/** The application for the whole run, the record and the consumers' targets while there are effects (I2). */
export function secretLocks(input: ProcedureInput, row: SecretRow): Plan["lockKeys"] {
  const key = `application:${String(input.world.target.tenantId)}/${row.objectId}`;
  return [{ key, held: "run" }, ...targetLocks(input)];
}

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
function days(seconds: number): string {
  return seconds % 86_400 === 0 ? `${seconds / 86_400} days` : `${Math.round(seconds / 3_600)} hours`;
}
