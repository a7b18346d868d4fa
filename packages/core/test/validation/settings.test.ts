import { describe, expect, it } from "vitest";
import { isKnown, type Known, makePlan, rulesOf, settingsOf, type ValidationInput, validate } from "../../src/index.ts";
import { ada, bob, cyd, good, inWorld, now, row, sam, underPolicy } from "./samples.ts";

const known = (input: ValidationInput): Known => {
  if (!isKnown(input)) throw new Error("expected row, world and policy");
  return input;
};
const settings = (input: ValidationInput) => settingsOf(known(input));

describe("what a plan is made with", () => {
  it("names the people who may approve: by role, ownership and level, never the requester", () => {
    expect(settings({ ...good, request: { ...good.request, requester: bob } }).approvals.require).toEqual([
      { role: "app-owner", count: 1, people: [ada] },
      { role: "platform", count: 1, people: [ada, cyd] },
    ]);
  });
  it("adds security when there is a risk", () => {
    expect(
      settings({ ...good, lastPlan: { environment: "dev", prod: true, consumers: [] } }).approvals.require.at(-1),
    ).toEqual({ role: "security", count: 1, people: [sam] });
  });
  it("makes the overlap long enough for the slowest consumer and a tenth", () => {
    expect(settings(good).overlapSeconds).toBe(3_960);
    expect(settings(underPolicy(["{ min: PT1H", "{ min: P3D"])).overlapSeconds).toBe(3 * 86_400);
  });
  it("waits in silence for as long as the rarest consumer sleeps", () =>
    expect(settings(good).quietSeconds).toBe(2 * 86_400));
  it("takes the tenant's lifetime where that is shorter", () => {
    expect(settings(good).lifetimeSeconds).toBe(90 * 86_400);
    expect(
      settings(inWorld({ limits: { credentialsMax: null, lifetimeSecondsMax: 30 * 86_400 } })).lifetimeSeconds,
    ).toBe(30 * 86_400);
  });
  it("findings, risks and settings together make a plan", () => {
    const input = known(good);
    const rules = rulesOf(validate(input)).filter((rule) => rule.result !== "block");
    const frozen = makePlan({
      run: "run_01jd8y0000000000000000000a",
      tenant: { name: "contoso", id: "11111111-2222-4333-8444-555555555555" },
      trigger: "due",
      requester: "system:scanner",
      row,
      world: input.world,
      settings: settingsOf(input),
      notBefore: now,
      rules: rules as Parameters<typeof makePlan>[0]["rules"],
      risks: [],
      policyDigest: `sha256:${"a".repeat(64)}`,
      inventoryDigest: `sha256:${"b".repeat(64)}`,
    });
    expect(frozen.plan.rules).toHaveLength(rules.length);
  });
});
