import fc from "fast-check";
import { expect, it } from "vitest";
import { type FleetObject, type FleetTerms, fleetFindings, fleetTurnsAt } from "../../src/index.ts";

const day = 86_400_000;
const now = Date.UTC(2026, 10, 22);
const time = fc.option(fc.integer({ min: -400, max: 400 }).map((days) => now + days * day));

const object: fc.Arbitrary<FleetObject> = fc.record({
  kind: fc.constant("application" as const),
  objectId: fc.constant("o"),
  gone: fc.boolean(),
  owners: fc.constant([]),
  changes: fc.constant([]),
  undeclared: fc.constantFrom([], ["203.0.113.9"]),
  failures: fc.array(
    fc.record({
      credential: fc.constant(null),
      error: fc.constant(7_000_215),
      firstAt: fc.constant(now - 20 * day),
      lastAt: fc.integer({ min: -10, max: 1 }).map((days) => now + days * day),
      count: fc.integer({ min: 1, max: 5 }),
      addresses: fc.constant([]),
    }),
    { maxLength: 2 },
  ),
  tenantLifetimeSecondsMax: fc.constant(null),
  credentials: fc.array(
    fc.record({
      id: fc.uuid(),
      kind: fc.constantFrom("client-secret" as const, "certificate" as const),
      state: fc.constantFrom("foreign" as const, "ours-active" as const),
      startsAt: time,
      expiresAt: time,
      use: fc.option(fc.record({ readAt: fc.constant(now - day), lastUsedAt: time })),
    }),
    { maxLength: 4 },
  ),
});
const terms: fc.Arbitrary<FleetTerms> = fc.record({
  row: fc.option(fc.record({ owners: fc.integer({ min: 0, max: 3 }), unreachable: fc.subarray(["p_1", "p_2"]) })),
  expiringSeconds: fc.constantFrom(0, 7 * 86_400, 30 * 86_400),
  lifetimeSecondsMax: fc.constant(180 * 86_400),
  quietSeconds: fc.constantFrom(0, 90 * 86_400),
  failingSeconds: fc.constantFrom(3_600, 7 * 86_400),
  failingMin: fc.constant(3),
  liveSecretsMax: fc.constant(1),
  hasOpenRun: fc.boolean(),
});
/** As a later look sees it, for which the report was read once more. */
const later = (of: FleetObject, readAt: number): FleetObject => ({
  ...of,
  credentials: of.credentials.map((one) => ({ ...one, use: one.use === null ? null : { ...one.use, readAt } })),
});

it("says the same of an object until the instant at which it turns, whenever the report was read meanwhile", () => {
  fc.assert(
    fc.property(object, terms, fc.nat(), fc.nat(), (of, asked, a, b) => {
      const turns = fleetTurnsAt(of, asked, now) ?? now + 1_000 * day;
      if (turns <= now) return;
      const at = now + (a % (turns - now));
      const readAt = now - day + (b % (at - (now - day) + 1));
      expect(fleetFindings(later(of, readAt), asked, at)).toEqual(fleetFindings(of, asked, now));
    }),
    { numRuns: 500 },
  );
});

it("turns when a secret begins to expire, when it ends, and once nobody has used it for too long", () => {
  const asked: FleetTerms = {
    row: null,
    expiringSeconds: 30 * 86_400,
    lifetimeSecondsMax: 1_000 * 86_400,
    quietSeconds: 90 * 86_400,
    failingSeconds: 86_400,
    failingMin: 3,
    liveSecretsMax: 1,
    hasOpenRun: false,
  };
  const credential = { id: "c", kind: "client-secret", state: "foreign" } as const;
  const of: FleetObject = {
    kind: "application",
    objectId: "o",
    gone: false,
    owners: null,
    changes: [],
    failures: [],
    undeclared: [],
    tenantLifetimeSecondsMax: null,
    credentials: [
      {
        ...credential,
        startsAt: now - 10 * day,
        expiresAt: now + 100 * day,
        use: { readAt: now, lastUsedAt: now - 5 * day },
      },
    ],
  };
  const turns: number[] = [];
  for (let at: number | null = now; at !== null; ) {
    at = fleetTurnsAt(later(of, at), asked, at);
    if (at !== null) turns.push(at);
  }
  expect(turns).toEqual([now + 70 * day, now + 85 * day + 1, now + 100 * day]);
});
