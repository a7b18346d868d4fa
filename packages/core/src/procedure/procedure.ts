import { digestOf, type Json } from "@countersign/evidence";
import type { Consumer, InventoryRow } from "../inventory/row.ts";
import type { Plan, PlanConsumer, PlanStep } from "../plan/plan.ts";
import type { Facts, Grade, VerifyLevel, World } from "../ports.ts";

/** What policy decided for this rotation, in seconds; every value has been checked against floors and ceilings. */
export interface Settings {
  readonly prod: boolean;
  readonly overlapSeconds: number;
  readonly lifetimeSeconds: number;
  readonly proofTimes: number;
  readonly proofSpacingSeconds: number;
  readonly proofDeadlineSeconds: number;
  readonly rollbackMinRemainingSeconds: number;
  readonly quietSeconds: number;
  readonly retire: { readonly minGrade: Grade; readonly consumerLevel: VerifyLevel };
  readonly approvals: Plan["approvals"];
}

/** Everything a procedure may look at. It is a pure function of this. */
export interface ProcedureInput {
  readonly row: InventoryRow;
  readonly world: World;
  readonly settings: Settings;
}

/** What a procedure decides: the steps in order and what follows from them. */
export interface ProcedureOutput {
  readonly target: Plan["target"];
  readonly old: Plan["old"];
  readonly steps: readonly PlanStep[];
  readonly lockKeys: Plan["lockKeys"];
  readonly irreversible: readonly string[];
}

/**
 * A released procedure is immutable: its shape is pinned by a golden file and its digest stands in every plan.
 * A change is a new major.
 */
export interface Procedure {
  readonly name: string;
  readonly major: number;
  /** The order, as a person reads it to an auditor; what the digest covers. */
  readonly shape: readonly StepShape[];
  plan(input: ProcedureInput): ProcedureOutput;
}

/** One line of a procedure. `each` repeats it per consumer of those kinds. */
export interface StepShape {
  readonly id: string;
  readonly verb: string;
  readonly phase: PlanStep["phase"];
  readonly each?: readonly Consumer["kind"][];
  readonly undo: string;
  readonly undoable: boolean;
}

/** Content digest of a procedure: name, major and shape. */
export function procedureDigest(procedure: Procedure): string {
  return digestOf({ name: procedure.name, major: procedure.major, shape: procedure.shape as unknown as Json } as Json);
}

/** Builds one plan step from its line in the shape. */
export function stepOf(shape: StepShape, id: string, describe: string, identity: Facts, params: Facts): PlanStep {
  return {
    id,
    verb: shape.verb,
    phase: shape.phase,
    params: params as PlanStep["params"],
    identity: identity as PlanStep["identity"],
    describe,
    undo: shape.undoable ? { describe: shape.undo } : { none: shape.undo },
    undoable: shape.undoable,
  };
}

/** Which verb updates a consumer of each kind; `latest` is updated by the store write itself. */
export const updateVerb: Readonly<Record<Exclude<Consumer["kind"], "latest">, string>> = {
  pinned: "reference-file.point@1",
  copied: "keyvault.copy@1",
  "connection-file": "connection-file.write@1",
};

const worldOf = (world: World, consumer: Consumer) => world.consumers.find((candidate) => candidate.name === consumer.name);

/** Where a consumer's value or reference stands, for people and for parameters. */
export function consumerTarget(consumer: Consumer, row: InventoryRow): Facts {
  switch (consumer.kind) {
    case "latest":
      return { connection: row.record.connection, name: row.record.name };
    case "copied":
      return { connection: consumer.connection, name: consumer.entry };
    default:
      return { connection: consumer.connection, path: consumer.path };
  }
}

/** Consumers as the plan lists them, each with the identity that was read. */
export function planConsumers(input: ProcedureInput): PlanConsumer[] {
  return input.row.consumers.map((consumer) => ({
    name: consumer.name,
    kind: consumer.kind,
    environment: consumer.environment,
    pickupSeconds: consumer.pickupSeconds,
    cadenceSeconds: consumer.cadenceSeconds,
    level: input.settings.retire.consumerLevel,
    callers: [...consumer.callers],
    target: consumerTarget(consumer, input.row) as PlanConsumer["target"],
    identity: (worldOf(input.world, consumer)?.identity ?? {}) as PlanConsumer["identity"],
  }));
}

/** The middle part that both procedures share: write each consumer that must be written, in the inventory's order, then confirm all during the overlap. */
export function consumerSteps(input: ProcedureInput, shape: readonly StepShape[], extra: Facts): { updates: PlanStep[]; confirms: PlanStep[] } {
  const updates: PlanStep[] = [];
  const confirms: PlanStep[] = [];
  const record = { connection: input.row.record.connection, name: input.row.record.name };
  for (const consumer of input.row.consumers) {
    const seen = worldOf(input.world, consumer);
    const identity = seen?.identity ?? {};
    const target = consumerTarget(consumer, input.row);
    const update = shape.find((line) => line.each?.includes(consumer.kind) === true && line.phase === "execute");
    if (update !== undefined) {
      const params = { ...target, record, store: "store", created: "create", previous: seen?.holds ?? null, ...(consumer.kind === "connection-file" ? extra : {}) };
      updates.push(stepOf(update, `update:${slug(consumer.name)}`, describeUpdate(consumer), identity, params));
    }
    const confirm = shape.find((line) => line.each?.includes(consumer.kind) === true && line.phase === "overlap");
    if (confirm !== undefined) {
      confirms.push(
        stepOf(confirm, `confirm:${slug(consumer.name)}`, `Confirm that ${consumer.name} uses the new credential`, identity, {
          consumer: consumer.name,
          kind: consumer.kind,
          target,
          record,
          store: "store",
          created: "create",
          update: update === undefined ? "store" : `update:${slug(consumer.name)}`,
          pickupSeconds: consumer.pickupSeconds,
          callers: [...consumer.callers],
          level: input.settings.retire.consumerLevel,
          ...extra,
        }),
      );
    }
  }
  return { updates, confirms };
}

function describeUpdate(consumer: Exclude<Consumer, { kind: "latest" }> | Consumer): string {
  switch (consumer.kind) {
    case "pinned":
      return `Point ${consumer.name} (${consumer.path}) to the new version`;
    case "copied":
      return `Copy the new value for ${consumer.name} into ${consumer.entry}`;
    case "connection-file":
      return `Write the connection file of ${consumer.name} (${consumer.path})`;
    default:
      return `Nothing to write for ${consumer.name}: it reads the newest version`;
  }
}

/** Lock keys of the record and of every consumer target that is written (I2). */
export function targetLocks(input: ProcedureInput): Plan["lockKeys"] {
  const keys = new Set<string>([`record:${input.row.record.connection}/${input.row.record.name}`]);
  for (const consumer of input.row.consumers) {
    const target = consumerTarget(consumer, input.row);
    if (consumer.kind !== "latest") keys.add(`consumer:${String(target.connection)}/${String(target.path ?? target.name)}`);
  }
  return [...keys].sort().map((key) => ({ key, held: "effects" as const }));
}

/** A name as part of a step id. */
export function slug(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9._-]+/g, "-").slice(0, 60);
}
