import { AssertionError } from "node:assert";
import { describe, expect, it } from "vitest";
import { type PlanStep, type Procedure, procedureNamed } from "../../src/index.ts";
import type { ProcedureOutput } from "../../src/procedure/procedure.ts";
import { casesOf } from "./cases.ts";
import { promises } from "./prove.ts";

const real = procedureNamed("entra-client-secret");
const { input } = casesOf(real.name).find(({ name }) => name === "every kind of consumer") ?? { input: undefined };
if (input === undefined) throw new Error("expected a case with every kind of consumer");

/** The real procedure with one breach in what it plans. */
const planning = (breach: (made: ProcedureOutput) => Partial<ProcedureOutput>): Procedure => ({
  ...real,
  plan: (given) => {
    const made = real.plan(given);
    return { ...made, ...breach(made) };
  },
});
const stepping = (breach: (steps: readonly PlanStep[]) => readonly PlanStep[]): Procedure =>
  planning(({ steps }) => ({ steps: breach(steps) }));
const changing = (id: string, change: Partial<PlanStep>): Procedure =>
  stepping((steps) => steps.map((step) => (step.id === id ? { ...step, ...change } : step)));
const params = (id: string, more: PlanStep["params"]): Procedure =>
  stepping((steps) => steps.map((step) => (step.id === id ? { ...step, params: { ...step.params, ...more } } : step)));
const swapping = (one: string, other: string): Procedure =>
  stepping((steps) => {
    const at = (id: string) => steps.find((step) => step.id === id) as PlanStep;
    return steps.map((step) => (step.id === one ? at(other) : step.id === other ? at(one) : step));
  });

let calls = 0;
const breaches: [string, string, Procedure][] = [
  [
    "says for each line",
    "an undo that is no sentence",
    { ...real, shape: real.shape.map((line) => ({ ...line, undo: "no" })) },
  ],
  [
    "says for each line",
    "a look that claims an undo",
    { ...real, shape: real.shape.map((line) => ({ ...line, undoable: true })) },
  ],
  [
    "gives the same bytes",
    "a plan that differs each time",
    params("create", {
      get nth() {
        return ++calls;
      },
    }),
  ],
  ["has unique step ids", "a step id twice", changing("update:reports", { id: "update:batch" })],
  [
    "has unique step ids",
    "a step that is not in the shape",
    stepping((steps) => [...steps, { ...(steps[0] as PlanStep), id: "more" }]),
  ],
  [
    "has unique step ids",
    "an undo that differs from the shape's",
    changing("store", { undo: { describe: "Nothing much" } }),
  ],
  ["has unique step ids", "a retirement before the overlap", swapping("confirm:batch", "retire")],
  ["creates, proves", "a store before the proof", swapping("prove", "store")],
  ["creates, proves", "no proof", stepping((steps) => steps.filter((step) => step.id !== "prove"))],
  ["needs the value in memory", "a proof after the store", stepping((steps) => [...steps, steps[1] as PlanStep])],
  ["needs the value in memory", "an update from whatever is newest", params("update:batch", { store: "newest" })],
  [
    "updates every consumer",
    "a consumer left out",
    stepping((steps) => steps.filter((step) => step.id !== "update:batch")),
  ],
  ["updates every consumer", "another order than the inventory's", swapping("update:batch", "update:reports")],
  ["updates every consumer", "an update of another place", params("update:batch", { path: "elsewhere" })],
  ["has an owner move", "an owner asked about nobody", changing("update:batch", { id: "switch" })],
  [
    "confirms every consumer",
    "a consumer never confirmed",
    stepping((steps) => steps.filter((step) => step.id !== "confirm:batch")),
  ],
  [
    "confirms every consumer",
    "a consumer confirmed by another one's update",
    params("confirm:batch", { update: "update:reports" }),
  ],
  [
    "confirms every consumer",
    "a consumer confirmed at another target",
    changing("confirm:batch", { identity: { of: "reports" } }),
  ],
  ["retires last", "another credential than the one that is bound", params("retire", { keyId: "22222222-foreign" })],
  ["retires last", "another application", changing("retire", { identity: { objectId: "other" } })],
  ["retires last", "silence about what cannot be undone", planning(() => ({ irreversible: [] }))],
  ["can undo every change", "a store without undo", changing("store", { undoable: false })],
  ["names the identity", "a write to whoever has the name", changing("store", { identity: {} })],
  [
    "locks the application",
    "a written place without a lock",
    planning(({ lockKeys }) => ({ lockKeys: lockKeys.slice(0, -1) })),
  ],
  [
    "locks the application",
    "locks in another order",
    planning(({ lockKeys }) => ({ lockKeys: lockKeys.toReversed() })),
  ],
  [
    "locks the application",
    "an application let go too early",
    planning(({ lockKeys }) => ({ lockKeys: lockKeys.map((lock) => ({ ...lock, held: "effects" as const })) })),
  ],
  ["carries nothing secret", "a password in the parameters", params("create", { newPassword: "x" })],
  ["carries nothing secret", "a long text in the parameters", params("create", { note: "x".repeat(300) })],
];

describe("the harness notices", () => {
  it.each(breaches)("%s: %s", (start, _, procedure) => {
    const [promise] = Object.entries(promises).filter(([name]) => name.startsWith(start));
    if (promise === undefined) throw new Error(`expected a promise that starts with ${start}`);
    const [, holds] = promise;
    expect(() => holds({ ...real.plan(input), procedure: real, input })).not.toThrow();
    expect(() => holds({ ...procedure.plan(input), procedure, input })).toThrow(AssertionError);
  });

  it("a breach of each promise", () => {
    const planted = breaches.map(([start]) => start);
    for (const promise of Object.keys(promises)) {
      expect(
        planted.some((start) => promise.startsWith(start)),
        promise,
      ).toBe(true);
    }
  });

  it("a verb that it knows nothing about", () => {
    const procedure = changing("store", { verb: "elsewhere.write@1" });
    const check = promises["can undo every change but the retirement"];
    expect(() => check?.({ ...procedure.plan(input), procedure, input })).toThrow(/say there what it does/);
  });
});
