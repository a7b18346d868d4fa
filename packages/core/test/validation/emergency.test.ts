import { describe, expect, it } from "vitest";
import {
  emergencyRisksOf,
  isKnown,
  type Known,
  resolvePolicy,
  settingsOf,
  type ValidationInput,
} from "../../src/index.ts";
import { environmentWith, policyOf } from "../policy/samples.ts";
import { ada, bob, day, good, now, row, sam, worldOf } from "./samples.ts";

const emergency =
  "emergency: { approvals: { expiresAfter: PT1H, require: [{ role: security, from: role:security, count: 1 }] }, containWithin: PT30M, restoreWithin: PT2H }";
const breakGlass =
  "breakGlass: { roles: [security], confirm: [app-owner, security], expiresAfter: PT15M, confirmWithin: PT1H, reviewWithin: P1D, unconfirmed: hold }";
const environment = (...more: string[]) =>
  environmentWith(["mode: supervised", [...more, "mode: supervised"].join("\n")]);
const under = (environments: Record<string, string>, trigger: "compromise" | "manual" = "compromise"): Known => {
  const input: ValidationInput = {
    ...good,
    policy: resolvePolicy(policyOf(environments), row),
    request: { ...good.request, trigger, requester: ada, reasonGiven: true },
  };
  if (!isKnown(input)) throw new Error("expected a whole sample");
  return input;
};

describe("who decides on an emergency", () => {
  it("is whom policy names for it, for as long as it says, without any overlap", () => {
    const settings = settingsOf(under({ all: environment(emergency) }));
    expect(settings.approvals).toMatchObject({
      expiresAfterSeconds: 3_600,
      require: [{ role: "security", count: 1, people: [sam] }],
    });
    expect(settings).toMatchObject({
      overlapSeconds: 0,
      emergency: { containWithinSeconds: 1_800, restoreWithinSeconds: 7_200 },
    });
  });

  it("is everybody who decides otherwise, and security, where policy says nothing", () => {
    const { require } = settingsOf(under({ all: environment() })).approvals;
    expect(require.map(({ role, count }) => `${count} ${role}`)).toEqual(["1 app-owner", "1 platform", "1 security"]);
  });

  it("is the stricter of two policies", () => {
    const { require } = settingsOf(under({ all: environment(emergency), more: environment() })).approvals;
    expect(require.map(({ role }) => role).sort()).toEqual(["app-owner", "platform", "security"]);
  });

  it("has no say in an ordinary rotation", () => {
    const settings = settingsOf(under({ all: environment(emergency) }, "manual"));
    expect(settings.emergency).toBeUndefined();
    expect(settings.overlapSeconds).toBeGreaterThan(0);
  });
});

describe("who may start alone", () => {
  it("is nobody where policy does not say so, or one of two policies does not", () => {
    expect(settingsOf(under({ all: environment() })).breakGlass).toBeUndefined();
    expect(settingsOf(under({ all: environment(breakGlass), more: environment() })).breakGlass).toBeUndefined();
  });

  it("is whom policy names, with the people who can confirm it", () => {
    expect(settingsOf(under({ all: environment(breakGlass) }, "manual")).breakGlass).toEqual({
      grant: [{ role: "security", people: [sam] }],
      confirm: [
        { role: "app-owner", people: [ada, bob] },
        { role: "security", people: [sam] },
      ],
      minLevel: "session",
      expiresAfterSeconds: 900,
      confirmWithinSeconds: 3_600,
      reviewWithinSeconds: 86_400,
      unconfirmed: "hold",
    });
  });

  it("is nobody in prod where a session is enough, and where nobody else could confirm", () => {
    const known = under({ all: environment(breakGlass) });
    const connections = known.config.connections.map((one) => ({ ...one, prod: true }));
    expect(settingsOf({ ...known, config: { ...known.config, connections } }).breakGlass).toBeUndefined();
    const alone = breakGlass.replace("confirm: [app-owner, security]", "confirm: [security]");
    expect(settingsOf(under({ all: environment(alone) })).breakGlass).toBeUndefined();
  });
});

describe("what an approver of an emergency reads first", () => {
  const risks = (uses: Known["world"]["uses"]) => {
    const world = worldOf(row, uses === undefined ? {} : { uses });
    return emergencyRisksOf({ ...under({ all: environment(emergency) }), world }, "old", {
      compromised: null,
      supersedes: { run: "run_other", state: "held", made: ["half-made"] },
    });
  };

  it("is that the yes is the forced retirement, who fails for how long, and what is taken over", () => {
    const found = risks(undefined);
    expect(found[0]?.code).toBe("forced-retirement");
    expect(found.filter(({ code }) => code === "consumer-fails").map(({ sentence }) => sentence)).toEqual([
      expect.stringMatching(/^web may fail for up to PT1H /),
      expect.stringMatching(/^batch may fail for up to PT1M /),
    ]);
    expect(found.at(-1)).toMatchObject({ code: "supersedes", sentence: expect.stringContaining("half-made") });
    expect(found.map(({ code }) => code)).toContain("uses-unknown");
    expect(found.map(({ code }) => code)).toContain("tokens-outlive");
  });

  it("names who used it lately and is no declared consumer, the last one first", () => {
    const found = risks([
      { credential: "old", address: "192.0.2.1", at: now - 3 * 3_600_000 },
      { credential: "old", address: null, at: now - 3_600_000 },
      { credential: "old", address: "192.0.2.2", at: now - 30 * day },
      { credential: "another", address: "192.0.2.3", at: now },
    ]);
    expect(found.filter(({ code }) => code === "straggler").map(({ sentence }) => sentence)).toEqual([
      expect.stringMatching(/^An address that was not logged used the compromised secret PT1H ago/),
      expect.stringMatching(/^192.0.2.1 used the compromised secret PT3H ago/),
    ]);
    expect(found.map(({ code }) => code)).not.toContain("uses-unknown");
  });
});
