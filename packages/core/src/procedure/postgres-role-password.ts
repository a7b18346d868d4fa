import type { Consumer } from "../inventory/row.ts";
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
  storedOf,
  targetLocks,
  updateLines,
} from "./procedure.ts";

/** Kinds of consumers that this major updates and confirms. Listed here, so that a new kind is a new major and no silent change. */
const kinds = [
  "latest",
  "pinned",
  "copied",
  "connection-file",
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
  verb: "postgres.set-password@1",
  phase: "execute",
  undo: "Take LOGIN from the idle role again, once no consumer can hold it any more",
  undoable: true,
} as const satisfies StepShape;
const prove = {
  id: "prove",
  verb: "postgres.prove@1",
  phase: "execute",
  undo: lookOnly,
  undoable: false,
} as const satisfies StepShape;
const store = {
  id: "store",
  verb: "keyvault.write@1",
  phase: "execute",
  undo: "Write the previous user and password as the newest version again",
  undoable: true,
} as const satisfies StepShape;
const retire = {
  id: "retire",
  verb: "postgres.disable-role@1",
  phase: "retire",
  undo: "Sessions that are ended cannot be brought back; the role itself gets its next password in the next rotation",
  undoable: false,
} as const satisfies StepShape;
const shape: readonly StepShape[] = [create, prove, store, ...updateLines(kinds), confirmLine(kinds), retire];

/** Rotates between two login roles of a PostgreSQL database: the idle one gets a new password and takes over. */
export const postgresRolePassword: Procedure = {
  name: "postgres-role-password",
  major: 1,
  shape,
  plan(input: ProcedureInput) {
    const { row, world, settings } = input;
    if (row.procedure !== "postgres-role-password")
      throw new TypeError(`expected a postgres-role-password row, got ${row.procedure}`);
    const active = row.roles.find((role) => role === world.binding.id);
    const idle = row.roles.find((role) => role !== active);
    // A guess could give the role that is in use a new password: every consumer would fail at once.
    if (active === undefined || idle === undefined) {
      throw blocked("to know which of the two roles is in use, got neither", row.name);
    }
    const server = { server: row.connection };
    const { updates, confirms } = consumerSteps(input, shape, { ...server, role: idle, old: active });
    const steps = [
      stepOf(create, "create", `Give the idle role ${idle} a new password and LOGIN`, world.target, {
        ...server,
        role: idle,
        other: active,
      }),
      stepOf(prove, "prove", `Log in as ${idle} ${settings.proofTimes} times in a row`, world.target, {
        ...server,
        role: idle,
        ...proofOf(settings),
      }),
      stepOf(
        store,
        "store",
        `Store user and password in ${row.record.connection} as the newest version of ${row.record.name}`,
        world.record.identity,
        storedOf(input),
      ),
      ...updates,
      ...confirms,
      stepOf(retire, "retire", `Take LOGIN from the old role ${active} and end its sessions`, world.target, {
        ...server,
        role: active,
        created: "create",
        store: "store",
        record: recordOf(row),
        quietSeconds: settings.quietSeconds,
      }),
    ];
    return {
      target: {
        kind: "postgres-database",
        name: row.name,
        systemIdentifier: String(world.target.systemIdentifier),
        database: String(world.target.database),
        roles: [...row.roles],
      },
      old: { id: active, expiresAt: null, binding: world.binding.by },
      steps,
      lockKeys: [
        {
          key: `application:postgres/${String(world.target.systemIdentifier)}/${[...row.roles].sort().join("+")}`,
          held: "run",
        },
        ...targetLocks(input),
      ],
      irreversible: [`At retirement open sessions of ${active} are ended.`],
    };
  },
};
