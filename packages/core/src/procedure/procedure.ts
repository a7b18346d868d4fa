import { digestOf, type Json } from "@countersign/evidence";
import { consumerKinds, consumerTarget, kindOf } from "../consumer-kinds/index.ts";
import { CountersignError } from "../errors.ts";
import type { Consumer, InventoryRow } from "../inventory/row.ts";
import type { Plan, PlanConsumer, PlanStep } from "../plan/plan.ts";
import type { Facts, Grade, VerifyLevel, World } from "../ports/index.ts";
import type { RunState } from "../run/states.ts";

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
  /** In an emergency: by when it is to be contained and restored. */
  readonly emergency?: { readonly containWithinSeconds: number; readonly restoreWithinSeconds: number };
  /** Who may start alone; absent where nobody may. */
  readonly breakGlass?: NonNullable<Plan["breakGlass"]>;
}

/** Everything a procedure may look at. It is a pure function of this. */
export interface ProcedureInput {
  readonly row: InventoryRow;
  readonly world: World;
  readonly settings: Settings;
  /** Only in an emergency. */
  readonly urgent?: Urgent;
  /** The credential that is to go, by id; only where the request names one that the record need not hold. */
  readonly named?: string;
}

/** What an emergency is about. */
export interface Urgent {
  /** The credential that somebody named as compromised; null: the one that the record holds. */
  readonly compromised: string | null;
  /** The open run that is taken over, with every credential that it made. */
  readonly supersedes: { readonly run: string; readonly state: RunState; readonly made: readonly string[] } | null;
}

/** What a procedure decides: the steps in order and what follows from them. */
export interface ProcedureOutput {
  readonly target: Plan["target"];
  readonly old: Plan["old"];
  /** What the record held and this run leaves alone: a roll back goes back to it. Only where the named credential is another. */
  readonly stays?: NonNullable<Plan["stays"]>;
  readonly steps: readonly PlanStep[];
  readonly lockKeys: Plan["lockKeys"];
  readonly irreversible: readonly string[];
  /** Only from an emergency procedure: what it may leave behind and what it revokes. */
  readonly emergency?: Pick<NonNullable<Plan["emergency"]>, "leaveBehind" | "revoke">;
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

/** How often and how long a new credential is tried before it is published, as parameters of a step. */
export function proofOf({ proofTimes, proofSpacingSeconds, proofDeadlineSeconds }: Settings) {
  return { times: proofTimes, spacingSeconds: proofSpacingSeconds, deadlineSeconds: proofDeadlineSeconds };
}

/** The entry of the system of record, as steps name it. */
export function recordOf({ record }: InventoryRow) {
  return { connection: record.connection, name: record.name };
}

/** Parameters of the step that stores what `create` made; `previous` is what a roll back writes again. */
export function storedOf({ row, world, settings }: ProcedureInput) {
  return {
    ...recordOf(row),
    previous: world.record.version,
    created: "create",
    lifetimeSeconds: settings.lifetimeSeconds,
  };
}

const worldOf = (world: World, consumer: Consumer) =>
  world.consumers.find((candidate) => candidate.name === consumer.name);

/** One line per update verb of these kinds, in the order of the table. */
export function updateLines(kinds: readonly Consumer["kind"][]): StepShape[] {
  return kinds.flatMap((kind) => {
    const { update } = consumerKinds[kind];
    if (update === null) return [];
    const { verb, undo, undoable } = update;
    return [{ id: "update", verb, phase: "execute" as const, each: [kind], undo, undoable }];
  });
}

/** Every consumer is confirmed, whatever its kind. */
export function confirmLine(kinds: readonly Consumer["kind"][], phase: "overlap" | "restore" = "overlap"): StepShape {
  return { id: "confirm", verb: "consumer.confirm@1", phase, each: kinds, undo: lookOnly, undoable: false };
}

/** Why a step that only looks has no undo. */
export const lookOnly = "Nothing to undo: it only looks";

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
    target: consumerTarget(consumer, input.row.record) as PlanConsumer["target"],
    identity: (worldOf(input.world, consumer)?.identity ?? {}) as PlanConsumer["identity"],
  }));
}

/**
 * The middle part that both procedures share: write each consumer that must be written, in the inventory's order, then
 * confirm all during the overlap. PLAN_BLOCKED for a consumer that the procedure has no line for: a consumer that is
 * never confirmed would lose its credential at retirement (I1).
 */
export function consumerSteps(
  input: ProcedureInput,
  shape: readonly StepShape[],
  extra: Facts,
): { updates: PlanStep[]; confirms: PlanStep[] } {
  const updates: PlanStep[] = [];
  const confirms: PlanStep[] = [];
  const record = recordOf(input.row);
  const ids = consumerIds(input.row.consumers.map((consumer) => consumer.name));
  for (const [index, consumer] of input.row.consumers.entries()) {
    const id = ids[index] ?? "";
    const kind = kindOf(consumer);
    const lines = shape.filter((line) => line.each?.includes(consumer.kind) === true);
    const update = lines.find((line) => line.phase === "execute");
    const confirm = lines.find((line) => line.id === "confirm");
    const seen = worldOf(input.world, consumer);
    if (confirm === undefined || (update === undefined && kind.update !== null)) {
      throw blocked(`a kind of consumer that this procedure updates and confirms, got ${consumer.kind}`, consumer.name);
    }
    if (seen === undefined || !seen.exists) throw blocked("a consumer that exists, got none", consumer.name);
    const { identity } = seen;
    const target = consumerTarget(consumer, record);
    if (update !== undefined) {
      const more = consumer.kind === "connection-file" ? extra : {};
      const previous = kind.previous === "held" ? seen.holds : input.world.record.version;
      const guard = kind.guarded === true ? { seen: seen.holds } : {};
      const params = { ...target, record, store: "store", created: "create", previous, ...guard, ...more };
      updates.push(stepOf(update, `update:${id}`, kind.update?.describe(consumer) ?? "", identity, params));
    }
    confirms.push(
      stepOf(confirm, `confirm:${id}`, `Confirm that ${consumer.name} uses the new credential`, identity, {
        consumer: consumer.name,
        kind: consumer.kind,
        target,
        record,
        store: "store",
        created: "create",
        update: update === undefined ? "store" : `update:${id}`,
        pickupSeconds: consumer.pickupSeconds,
        callers: [...consumer.callers],
        level: input.settings.retire.consumerLevel,
        ...extra,
      }),
    );
  }
  return { updates, confirms };
}

/** A plan that must not be made: "expected ..." with the consumer or application it is about. */
export function blocked(expected: string, about: string): CountersignError {
  return new CountersignError("PLAN_BLOCKED", `expected ${expected} (${about})`);
}

/** Lock keys of the record and of every consumer target that is written (I2). */
export function targetLocks(input: ProcedureInput): Plan["lockKeys"] {
  const { row } = input;
  const keys = new Set<string>([`entry:${row.record.connection}/${row.record.name}`]);
  for (const consumer of row.consumers) {
    const key = kindOf(consumer).lockKey(consumer);
    if (key !== null) keys.add(key);
  }
  return [...keys].sort().map((key) => ({ key, held: "effects" as const }));
}

/** Names as parts of step ids, each once: names that differ in case or script only get a number. */
export function consumerIds(names: readonly string[]): string[] {
  const ids: string[] = [];
  for (const name of names) {
    const base = name
      .toLowerCase()
      .replaceAll(/[^a-z0-9._-]+/g, "-")
      .slice(0, 60);
    let id = base;
    for (let n = 2; ids.includes(id); n++) id = `${base}-${n}`;
    ids.push(id);
  }
  return ids;
}
