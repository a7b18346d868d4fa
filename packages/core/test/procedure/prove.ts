import { canonicalBytes, type Json } from "@countersign/evidence";
import { expect, it } from "vitest";
import type { PlanStep } from "../../src/index.ts";
import { type Consumer, type Procedure, type ProcedureOutput, procedureDigest } from "../../src/index.ts";
import { type ProcedureInput, type StepShape } from "../../src/procedure/procedure.ts";
import { type VerbTraits, verbs } from "./verbs.ts";

/** An input to plan from, with a name for the test's title. */
export interface Case {
  readonly name: string;
  readonly input: ProcedureInput;
}

/**
 * Proves what must hold for every procedure, whatever it rotates. A procedure is proven by being registered; each
 * promise is one test, so that a failure names what is broken.
 */
export function proveProcedure(procedure: Procedure, cases: readonly Case[]): void {
  it("says for each line how it is undone, or in a sentence why it cannot be", () => {
    for (const line of procedure.shape) expect(line.undo, line.id).toMatch(/^[A-Z].{15,}$/);
    for (const line of procedure.shape)
      if (traitsOf(line).effect === "look") expect(line.undoable, line.id).toBe(false);
  });

  it("has a name, a major and a digest that a plan can hold", () => {
    expect(procedure.name).toMatch(/^[a-z][a-z0-9-]*$/);
    expect(Number.isInteger(procedure.major) && procedure.major >= 1).toBe(true);
    expect(procedureDigest(procedure)).toMatch(/^sha256:[0-9a-f]{64}$/);
  });

  for (const { name, input } of cases) {
    const plan = (): ProcedureOutput => procedure.plan(input);
    const { consumers } = input.row;

    it(`${name}: gives the same bytes for the same input, and leaves the input alone`, () => {
      const before = JSON.stringify(input);
      const [first, second] = [plan(), procedure.plan(structuredClone(input))];
      expect(second).toEqual(first);
      expect(canonicalBytes(second as unknown as Json)).toEqual(canonicalBytes(first as unknown as Json));
      expect(JSON.stringify(input)).toBe(before);
    });

    it(`${name}: has unique step ids, each a line of the shape, in the shape's phases`, () => {
      const { steps } = plan();
      expect(new Set(steps.map((step) => step.id)).size).toBe(steps.length);
      for (const step of steps) {
        const line = lineOf(procedure, step);
        expect(step.phase).toBe(line.phase);
        expect(step.undoable).toBe(line.undoable);
        expect(step.undo).toEqual(line.undoable ? { describe: line.undo } : { none: line.undo });
      }
      const order = ["execute", "overlap", "retire"];
      const phases = steps.map((step) => order.indexOf(step.phase));
      expect(phases).toEqual([...phases].sort());
    });

    it(`${name}: creates, proves, then publishes; nothing before that can be seen by a consumer`, () => {
      const { steps } = plan();
      const values = steps.map((step) => traitsOf(step).value);
      expect(values.filter((value) => value === "yields")).toHaveLength(1);
      expect(values.filter((value) => value === "stores")).toHaveLength(1);
      expect(values.slice(0, 3)).toEqual(["yields", "memory", "stores"]);
      expect(traitsOf(steps[1]).effect).toBe("look");
    });

    it(`${name}: needs the value in memory for nothing after it is stored`, () => {
      const { steps } = plan();
      const stored = steps.findIndex((step) => traitsOf(step).value === "stores");
      for (const step of steps.slice(stored + 1)) {
        expect(["record", "none"], step.id).toContain(traitsOf(step).value);
        // Where a later step takes the value from: the version that this run stored, not whatever is newest then.
        if (step.phase === "execute") expect(step.params, step.id).toMatchObject({ store: steps[stored]?.id });
      }
    });

    it(`${name}: updates every consumer that must be written once, in the inventory's order`, () => {
      const updates = plan().steps.filter(
        (step) => lineOf(procedure, step).each !== undefined && step.phase === "execute",
      );
      const written = consumers.filter((consumer) => consumer.kind !== "latest");
      expect(updates.map(placeOf)).toEqual(written.map(writtenBy));
      expect(updates.map((step) => step.describe)).toEqual(
        written.map(({ name: who }) => expect.stringContaining(who)),
      );
    });

    it(`${name}: confirms every consumer exactly once, by the step that updated it`, () => {
      const { steps } = plan();
      const confirms = steps.filter((step) => step.phase === "overlap");
      expect(confirms.map((step) => step.params.consumer)).toEqual(consumers.map((consumer) => consumer.name));
      for (const [at, confirm] of confirms.entries()) {
        expect(traitsOf(confirm).effect).toBe("look");
        const update = steps.find((step) => step.id === confirm.params.update);
        const consumer = consumers[at];
        if (consumer === undefined || update === undefined) throw new Error(`${confirm.id} confirms no update`);
        expect(placeOf(update)).toBe(consumer.kind === "latest" ? recordOf(input) : writtenBy(consumer));
        expect(confirm.identity).toEqual(input.world.consumers.find((seen) => seen.name === consumer.name)?.identity);
      }
    });

    it(`${name}: retires last, alone in its phase, exactly the old credential, and says that it cannot be undone`, () => {
      const { steps, old, irreversible } = plan();
      const last = steps.at(-1);
      expect(steps.filter((step) => step.phase === "retire")).toEqual([last]);
      expect(last).toMatchObject({ undoable: false, identity: input.world.target });
      expect(Object.values(last?.params ?? {})).toContain(old.id);
      expect(old.id).toBe(input.world.binding.id);
      expect(input.world.credentials.map((credential) => credential.id)).toContain(old.id);
      expect(irreversible.join()).toContain(old.id);
    });

    it(`${name}: undoes every change but the retirement`, () => {
      for (const step of plan().steps) {
        if (traitsOf(step).effect === "change") expect(step.undoable, step.id).toBe(step.phase !== "retire");
      }
    });

    it(`${name}: reads back an immutable identity before every step (I11)`, () => {
      for (const step of plan().steps) expect(Object.keys(step.identity).length, step.id).toBeGreaterThan(0);
    });

    it(`${name}: locks the application to the end and every place it writes while it writes, in sorted order (I2)`, () => {
      const { steps, lockKeys } = plan();
      const keys = lockKeys.map(({ key }) => key);
      expect(keys).toEqual([...new Set(keys)].sort());
      const [application, ...rest] = lockKeys;
      expect(application).toMatchObject({ key: expect.stringMatching(/^application:./), held: "run" });
      expect(rest.map(({ held }) => held)).toEqual(rest.map(() => "effects"));
      const places = steps.map(placeOf).filter((place) => place !== null && place !== "application");
      expect(rest.map(({ key }) => key)).toEqual([...new Set(places)].sort());
    });

    it(`${name}: carries nothing secret in its parameters`, () => {
      for (const step of plan().steps) {
        for (const [path, value] of leaves(step.params)) {
          expect(path, step.id).not.toMatch(/password|secret|value|token|private|credential/i);
          expect(String(value).length, `${step.id} ${path}`).toBeLessThanOrEqual(200);
        }
      }
    });
  }
}

function traitsOf(step: PlanStep | StepShape | undefined): VerbTraits {
  const traits = verbs[step?.verb ?? ""];
  if (traits === undefined) throw new Error(`expected verb ${step?.verb} in verbs.ts, got none: say what it does`);
  return traits;
}

function lineOf(procedure: Procedure, step: PlanStep): StepShape {
  const [id] = step.id.split(":");
  const line = procedure.shape.find((one) => one.id === id && one.verb === step.verb);
  if (line === undefined) throw new Error(`expected ${step.id} (${step.verb}) in the shape, got a step without a line`);
  return line;
}

/** The lock that covers what a step writes, made from what the step itself will use. */
function placeOf(step: PlanStep): string | null {
  const { writes } = traitsOf(step);
  if (writes === null || writes === "application") return writes;
  return `${writes.lock}:${String(step.params.connection)}/${String(step.params[writes.by])}`;
}

function writtenBy(consumer: Consumer): string | null {
  if (consumer.kind === "latest") return null;
  return consumer.kind === "copied"
    ? `entry:${consumer.connection}/${consumer.entry}`
    : `file:${consumer.connection}/${consumer.path}`;
}

const recordOf = ({ row }: ProcedureInput) => `entry:${row.record.connection}/${row.record.name}`;

/** Every scalar of a parameter tree with the path of keys to it. */
function* leaves(value: unknown, path = ""): Generator<[string, unknown]> {
  if (typeof value !== "object" || value === null) yield [path, value];
  else for (const [key, item] of Object.entries(value)) yield* leaves(item, `${path}.${key}`);
}
