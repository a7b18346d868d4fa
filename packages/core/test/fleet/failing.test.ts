import { describe, expect, it } from "vitest";
import { type FleetObject, type FleetTerms, fleetFindings } from "../../src/index.ts";

const now = Date.UTC(2026, 10, 22, 12);
const minute = 60_000;
const terms: FleetTerms = {
  row: { owners: 2, unreachable: [] },
  expiringSeconds: 0,
  lifetimeSecondsMax: 10 * 365 * 86_400,
  quietSeconds: 86_400,
  failingSeconds: 86_400,
  failingMin: 3,
  liveSecretsMax: 1,
  hasOpenRun: false,
};
type Failure = FleetObject["failures"][number];
const failure = (change: Partial<Failure> = {}): Failure => ({
  credential: null,
  error: 7_000_215,
  firstAt: now - 60 * minute,
  lastAt: now - 5 * minute,
  count: 12,
  addresses: ["192.0.2.7"],
  ...change,
});

function said(failures: Failure[], change: Partial<FleetObject> = {}) {
  const object: FleetObject = {
    kind: "application",
    objectId: "o",
    gone: false,
    credentials: [
      {
        id: "key-a",
        kind: "client-secret",
        state: "foreign",
        startsAt: now - 86_400_000,
        expiresAt: now + 30 * 86_400_000,
        use: null,
      },
    ],
    changes: [],
    failures,
    undeclared: [],
    owners: null,
    tenantLifetimeSecondsMax: null,
    ...change,
  };
  return fleetFindings(object, terms, now).filter(({ code }) => code === "failing");
}

describe("refused sign-ins are said", () => {
  it("of the application, with how, since when and from where, the same at every look", () => {
    const first = said([failure()]);
    expect(first).toEqual([
      {
        code: "failing",
        credential: null,
        observed: "AADSTS7000215, a wrong secret, since 2026-11-22T11:00:00Z, from 192.0.2.7",
        required: "no refused sign-in for 24 h",
      },
    ]);
    expect(said([failure({ lastAt: now, count: 99 })])).toEqual(first);
  });

  it("of the credential that the log names, if the application has it", () => {
    const expired = { error: 7_000_222, addresses: [] };
    expect(said([failure({ ...expired, credential: "KEY-A" }), failure()]).map(({ credential }) => credential)).toEqual(
      ["key-a", null],
    );
    const [both, ...none] = said([failure({ ...expired, credential: "key-of-once" }), failure()]);
    expect(none).toEqual([]);
    expect(both).toMatchObject({
      credential: null,
      observed:
        "AADSTS7000215, a wrong secret; AADSTS7000222, an expired secret, since 2026-11-22T11:00:00Z, from 192.0.2.7",
    });
  });

  it("with addresses only while they say something", () => {
    const [one] = said([failure({ addresses: ["a", "b"] }), failure({ error: 7_000_222, addresses: ["c", "d"] })]);
    expect(one?.observed).toMatch(/from many addresses$/);
  });
});

describe("refused sign-ins are not said", () => {
  it("where they are fewer than the configuration asks for", () => {
    expect(said([failure({ count: 2 })])).toEqual([]);
    expect(said([failure({ count: 3 })])).toHaveLength(1);
  });

  it("while a new secret is not yet known everywhere", () => {
    expect(said([failure({ firstAt: now - 14 * minute })])).toEqual([]);
    expect(said([failure({ firstAt: now - 15 * minute })])).toHaveLength(1);
  });

  it("once they have stopped for as long as the configuration looks back", () => {
    const old = { firstAt: now - 30 * 3_600_000 };
    expect(said([failure({ ...old, lastAt: now - 86_400_000 })])).toEqual([]);
    expect(said([failure({ ...old, lastAt: now - 86_400_000 + 1 })])).toHaveLength(1);
  });

  it("of what the directory has no more", () => expect(said([failure()], { gone: true })).toEqual([]));
});
