import { canonicalBytes, digestOf, type Json, parsePlan } from "@countersign/evidence";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ErrorCode, type FrozenPlan, freezePlan, isCode, makePlan, type Plan, thawPlan } from "../../src/index.ts";
import { mutantsOf, reversed } from "./mutants.ts";
import { entraRow, frozenOf, inputOf, samples, settings, withSecurity, worldOf } from "./samples.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const asJson = (plan: Plan) => plan as unknown as Json;
const asPlan = (value: unknown) => value as Plan;

/** The digest of what `make` gives; null when it refuses with that code. Any other error is the test's failure. */
function digestOr(code: ErrorCode, make: () => FrozenPlan): string | null {
  try {
    return make().digest;
  } catch (error) {
    if (isCode(error, code)) return null;
    throw error;
  }
}
const digestOfMutant = (value: Json) => digestOr("PLAN_BLOCKED", () => freezePlan(asPlan(value)));

describe.each(samples)("a plan for $procedure", (row) => {
  const frozen = frozenOf(row);

  it("has the same bytes for the same input", () => {
    expect(text(makePlan(structuredClone(inputOf(row))).bytes)).toBe(text(frozen.bytes));
  });

  it("has the same digest whatever the order of its keys", () => {
    const turned = reversed(asJson(frozen.plan));
    expect(JSON.stringify(turned)).not.toBe(JSON.stringify(frozen.plan));
    expect(freezePlan(asPlan(turned)).digest).toBe(frozen.digest);
  });

  it("thaws to what was frozen", () => {
    expect(thawPlan(frozen.bytes, frozen.digest)).toEqual(frozen);
  });

  it("is a plan that the offline verifier reads", () => {
    expect(parsePlan(frozen.bytes)).toMatchObject({ run: frozen.plan.run, requester: frozen.plan.requester });
  });

  it("has another digest after any single change, and its old digest refuses the changed bytes", () => {
    let mutants = 0;
    let wellFormed = 0;
    const silent: string[] = [];
    for (const { path, value } of mutantsOf(asJson(frozen.plan))) {
      mutants++;
      const digest = digestOfMutant(value);
      if (digest !== null) wellFormed++;
      if (digest === frozen.digest) silent.push(`${path}: same digest`);
      const bytes = canonicalBytes(value);
      const thawed = digestOr("AUTHORISATION_INVALID", () => thawPlan(bytes, frozen.digest));
      if (thawed !== null) silent.push(`${path}: thawed under the old digest`);
    }
    expect(silent).toEqual([]);
    expect(mutants).toBeGreaterThan(5_000);
    // Else the test would only show that nonsense is refused.
    expect(wellFormed).toBeGreaterThan(1_000);
  });

  it("refuses bytes that were altered anywhere", () => {
    fc.assert(
      fc.property(fc.nat(frozen.bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const bytes = Uint8Array.from(frozen.bytes);
        bytes[at] = (bytes[at] ?? 0) ^ flip;
        expect(() => thawPlan(bytes, frozen.digest)).toThrow(/expected plan sha256/);
      }),
      { numRuns: 300 },
    );
  });

  it("agrees with the offline verifier: what can be frozen, the verifier reads", () => {
    let nth = 0;
    for (const { value } of mutantsOf(asJson(frozen.plan))) {
      // Every fifth, a number prime to the mutants per character: all fields have their turn.
      if (nth++ % 5 !== 0 || digestOfMutant(value) === null) continue;
      expect(() => parsePlan(canonicalBytes(value))).not.toThrow();
    }
  });
});

describe("a plan for a secret that the request names", () => {
  const { uses: _none, ...world } = worldOf(entraRow);
  const named = { ...inputOf(entraRow, world), settings: withSecurity, trigger: "event", named: "22222222-foreign" };
  const frozen = makePlan(named);
  const { plan } = frozen;
  const without = (id: string) => ({ ...plan, steps: plan.steps.filter((step) => step.id !== id) });

  it("agrees with the offline verifier: what can be frozen, the verifier reads", () => {
    let nth = 0;
    for (const { value } of mutantsOf(asJson(plan))) {
      if (nth++ % 11 !== 0 || digestOfMutant(value) === null) continue;
      expect(() => parsePlan(canonicalBytes(value))).not.toThrow();
    }
    expect(parsePlan(frozen.bytes).old).toMatchObject({ id: "22222222-foreign", binding: "named" });
  });

  const wrong: [string, unknown][] = [
    ["without a yes of security", { ...plan, approvals: settings.approvals }],
    ["that goes whatever the gate says of its use", { ...plan, retire: { ...plan.retire, minGrade: "none" } }],
    ["that nobody is asked to move", without("switch")],
    ["that nobody sees moved", without("switched")],
    ["by a procedure for another kind", { ...plan, procedure: { ...plan.procedure, name: "entra-client-secret" } }],
    ["beside a second one", { ...plan, steps: [...plan.steps, { ...plan.steps.at(-1), id: "retire:2" }] }],
    ["while another one is removed", { ...plan, old: { ...plan.old, id: "11111111-old" } }],
  ];
  it.each(wrong)("%s is refused", (_, value) => {
    expect(() => freezePlan(asPlan(value))).toThrow(expect.objectContaining({ code: "PLAN_BLOCKED" }));
  });
});

describe("what cannot be a plan", () => {
  const { plan } = frozenOf();
  const [first, second] = plan.steps;
  const thawed = (value: Json) => () => thawPlan(canonicalBytes(value), digestOf(value));

  const wrong: [string, unknown][] = [
    ["two steps with one id", { ...plan, steps: [first, { ...second, id: first?.id }] }],
    [
      "a role asked for twice, which one approval would fill",
      { ...plan, approvals: { ...plan.approvals, require: [plan.approvals.require[0], plan.approvals.require[0]] } },
    ],
    ["no approval at all", { ...plan, approvals: { ...plan.approvals, require: [] } }],
    ["a requester who is nobody", { ...plan, requester: "ada" }],
    ["a name that repaints the screen", { ...plan, target: { ...plan.target, name: "billing\u202etest" } }],
    ["a sentence with a line break", { ...plan, irreversible: ["harmless\nAll good."] }],
    ["an unknown key", { ...plan, comment: "x" }],
  ];
  it.each(wrong)("%s is refused when frozen and when thawed", (_, value) => {
    expect(() => freezePlan(asPlan(value))).toThrow(expect.objectContaining({ code: "PLAN_BLOCKED" }));
    expect(thawed(value as Json)).toThrow(expect.objectContaining({ code: "AUTHORISATION_INVALID" }));
  });

  it("a number with a fraction, which has no canonical form", () => {
    const params = { lifetimeSeconds: 0.5 };
    const fraction = asPlan({ ...plan, steps: [{ ...first, params }] });
    expect(() => freezePlan(fraction)).toThrow(expect.objectContaining({ code: "PLAN_BLOCKED" }));
  });

  it("bytes with the right digest that are not canonical", () => {
    const bytes = new TextEncoder().encode(JSON.stringify(plan, null, 1));
    expect(() => thawPlan(bytes, digestOf(bytes))).toThrow(expect.objectContaining({ code: "AUTHORISATION_INVALID" }));
  });

  it("one that is too large to be kept as evidence", () => {
    const big = "x".repeat(600);
    const steps = Array.from({ length: 300 }, (_, n) => ({ ...first, id: `s${n}`, params: { a: Array(6).fill(big) } }));
    expect(() => freezePlan(asPlan({ ...plan, steps }))).toThrow(/at most 1048576 bytes/);
  });
});
