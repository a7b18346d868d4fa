import assert from "node:assert/strict";
import { canonicalBytes, type Json } from "@countersign/evidence";
import { it } from "vitest";
import { type Consumer, kindOf, type PlanStep, type Procedure } from "../../src/index.ts";
import type { ProcedureInput, ProcedureOutput, StepShape } from "../../src/procedure/procedure.ts";
import { type VerbTraits, verbs } from "./verbs.ts";

/** An input to plan from, with a name for the test's title. */
export interface Case {
  readonly name: string;
  readonly input: ProcedureInput;
}

/** A plan under proof, with what it was made of. */
interface Made extends ProcedureOutput {
  readonly procedure: Procedure;
  readonly input: ProcedureInput;
}

/** What must hold for every procedure, whatever it rotates; each throws when it does not. */
export const promises: { readonly [promise: string]: (made: Made) => void } = {
  "says for each line how it is undone, or in a sentence why it cannot be": ({ procedure }) => {
    for (const line of procedure.shape) {
      assert.match(line.undo, /^[A-Z].*( .+){3,}$/, line.id);
      if (traitsOf(line).effect === "look") assert.equal(line.undoable, false, `${line.id} only looks`);
    }
  },

  "gives the same bytes for the same input, and leaves the input alone": ({ procedure, input }) => {
    const before = JSON.stringify(input);
    const bytes = () => Buffer.from(canonicalBytes(procedure.plan(structuredClone(input)) as unknown as Json));
    assert.ok(bytes().equals(bytes()));
    procedure.plan(input);
    assert.equal(JSON.stringify(input), before);
  },

  "has unique step ids, each a line of the shape, phase after phase": ({ procedure, steps }) => {
    assert.equal(new Set(steps.map((step) => step.id)).size, steps.length);
    for (const step of steps) {
      const { phase, undo, undoable } = lineOf(procedure, step);
      const expected = { phase, undoable, undo: undoable ? { describe: undo } : { none: undo } };
      assert.deepEqual({ phase: step.phase, undoable: step.undoable, undo: step.undo }, expected, step.id);
    }
    const order = ["execute", "overlap", "retire", "restore"];
    const phases = steps.map((step) => order.indexOf(step.phase));
    assert.deepEqual(
      phases,
      phases.toSorted((a, b) => a - b),
    );
  },

  "creates, proves, then publishes; before that no consumer can see anything": ({ steps }) => {
    const values = steps.map((step) => traitsOf(step).value);
    assert.deepEqual(values.slice(0, 3), ["yields", "memory", "stores"]);
    assert.equal(traitsOf(steps[1]).effect, "look");
    assert.equal(values.filter((value) => value === "yields" || value === "stores").length, 2);
  },

  "needs the value in memory for nothing after it is stored": ({ steps }) => {
    const stored = steps.findIndex((step) => traitsOf(step).value === "stores");
    for (const step of steps.slice(stored + 1)) {
      assert.ok(["record", "none"].includes(traitsOf(step).value), `${step.id} needs the value in memory`);
      // Later steps take the version that this run stored, not whatever is newest then.
      if (step.phase === "execute") assert.equal(step.params["store"], steps[stored]?.id, step.id);
    }
  },

  "updates every consumer that must be written once, in the inventory's order": ({ procedure, input, steps }) => {
    const updates = steps.filter(
      (step) => lineOf(procedure, step).each !== undefined && traitsOf(step).effect === "change",
    );
    const written = input.row.consumers.filter((consumer) => kindOf(consumer).update !== null);
    assert.deepEqual(updates.map(placeOf), written.map(writtenBy));
    for (const [at, step] of updates.entries()) assert.ok(step.describe.includes(written[at]?.name ?? "?"), step.id);
  },

  "confirms every consumer exactly once, after the step that updated it": ({ input, steps }) => {
    const { consumers } = input.row;
    // In an emergency nobody is waited for before the cut.
    const after = input.urgent === undefined ? "overlap" : "restore";
    const confirms = steps.filter((step) => step.phase === after && step.id !== "switched");
    assert.deepEqual(
      confirms.map((step) => step.params["consumer"]),
      consumers.map((consumer) => consumer.name),
    );
    for (const [at, confirm] of confirms.entries()) {
      const consumer = consumers[at];
      const update = steps.find((step) => step.id === confirm.params["update"]);
      assert.ok(consumer !== undefined && update !== undefined, `${confirm.id} confirms no update`);
      assert.equal(placeOf(update), consumer.kind === "latest" ? recordOf(input) : writtenBy(consumer), confirm.id);
      assert.equal(traitsOf(confirm).effect, "look");
      const seen = input.world.consumers.find((one) => one.name === consumer.name);
      assert.deepEqual(confirm.identity, seen?.identity);
    }
  },

  "has an owner move whoever lives on a credential that is named, and sees them on the new one": ({ input, steps }) => {
    const asked = steps.find((step) => step.id === "switch");
    const shown = steps.find((step) => step.id === "switched");
    if (input.named === undefined || input.named === input.world.binding.id)
      return assert.deepEqual([asked, shown], [undefined, undefined]);
    const seen = (input.world.uses ?? []).filter(({ credential }) => credential === input.named);
    assert.ok(asked?.phase === "execute" && shown?.phase === "overlap");
    assert.equal(shown.params["update"], asked.id);
    assert.deepEqual(shown.params["callers"], [
      ...new Set(seen.toSorted((a, b) => b.at - a.at).flatMap(({ address }) => address ?? [])),
    ]);
    assert.equal(shown.params["level"], seen.length === 0 ? "accepted" : "used");
    assert.ok(String(asked.params["checklist"]).includes(input.named));
  },

  "retires last, alone in its phase, exactly the old credential, and says what cannot be undone": (made) => {
    const { steps, old, input, irreversible } = made;
    const retire = steps.filter((step) => step.phase === "retire");
    const removes = retire.filter((step) => traitsOf(step).effect === "change");
    if (input.urgent === undefined) assert.deepEqual(retire, [steps.at(-1)]);
    const also = input.urgent?.supersedes?.made ?? [];
    assert.deepEqual(removes.length, 1 + also.length);
    for (const [at, id] of also.entries()) assert.ok(Object.values(removes[at + 1]?.params ?? {}).includes(id));
    const [last] = removes;
    assert.equal(last?.undoable, false);
    assert.deepEqual(last.identity, input.world.target);
    assert.equal(old.id, input.named ?? input.world.binding.id);
    assert.ok(Object.values(last.params).includes(old.id));
    assert.ok(irreversible.some((sentence) => sentence.includes(old.id)));
  },

  "can undo every change but the retirement": ({ steps }) => {
    for (const step of steps) {
      if (traitsOf(step).effect === "change") assert.equal(step.undoable, step.phase !== "retire", step.id);
    }
  },

  "names the identity to read back at every step (I11)": ({ steps }) => {
    for (const step of steps) assert.ok(Object.keys(step.identity).length > 0, step.id);
  },

  "locks the application to the end and every place it writes while it writes, sorted (I2)": ({ steps, lockKeys }) => {
    const keys = lockKeys.map(({ key }) => key);
    assert.deepEqual(keys, sorted(keys));
    const [application, ...rest] = lockKeys;
    assert.match(application?.key ?? "", /^application:./);
    assert.equal(application?.held, "run");
    for (const { key, held } of rest) assert.equal(held, "effects", key);
    const places = steps.map(placeOf).filter((place): place is string => place !== null && place !== "application");
    assert.deepEqual(
      rest.map(({ key }) => key),
      sorted(places),
    );
  },

  "carries nothing secret in its parameters": ({ steps }) => {
    for (const step of steps) {
      for (const [path, value] of leaves(step.params)) {
        assert.doesNotMatch(path, /password|secret|value|token|private|credential/i, step.id);
        assert.ok(String(value).length <= 200, `${step.id} ${path}: too long for a name`);
      }
    }
  },
};

/**
 * Proves a procedure: every promise for every case, a test each, so that a failure names what is broken. A procedure is
 * proven by being registered.
 */
export function proveProcedure(procedure: Procedure, cases: readonly Case[]): void {
  for (const { name, input } of cases) {
    for (const [promise, holds] of Object.entries(promises)) {
      it(`${name}: ${promise}`, () => holds({ ...procedure.plan(input), procedure, input }));
    }
  }
}

function traitsOf(step: PlanStep | StepShape | undefined): VerbTraits {
  const traits = verbs[step?.verb ?? ""];
  assert.ok(traits, `expected verb ${step?.verb} in verbs.ts, got none: say there what it does`);
  return traits;
}

function lineOf(procedure: Procedure, step: PlanStep): StepShape {
  const [id] = step.id.split(":");
  const line = procedure.shape.find((one) => one.id === id && one.verb === step.verb);
  assert.ok(line, `expected ${step.id} (${step.verb}) in the shape, got a step without a line`);
  return line;
}

/** The lock that covers what a step writes, made from what the step itself will use. */
function placeOf(step: PlanStep): string | null {
  const { writes } = traitsOf(step);
  return writes === null || writes === "application" ? writes : writes(step.params);
}

const writtenBy = (consumer: Consumer): string | null => kindOf(consumer).lockKey(consumer);

const recordOf = ({ row }: ProcedureInput) => `entry:${row.record.connection}/${row.record.name}`;

/** Each once, in code-unit order: the order in which locks are taken, the same on every machine. */
const sorted = (keys: readonly string[]) => [...new Set(keys)].toSorted((a, b) => (a < b ? -1 : 1));

/** Every scalar of a parameter tree with the path of keys to it. */
function* leaves(value: unknown, path = ""): Generator<[string, unknown]> {
  if (typeof value !== "object" || value === null) yield [path, value];
  else for (const [key, item] of Object.entries(value)) yield* leaves(item, `${path}.${key}`);
}
