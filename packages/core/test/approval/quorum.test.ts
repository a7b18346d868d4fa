import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CountedApproval, evaluateQuorum, type Plan } from "../../src/index.ts";

const people = ["p_1", "p_2", "p_3", "p_4"];
const roles = ["app-owner", "platform", "security"];
const both: Plan["approvals"]["separation"] = ["requester-cannot-approve", "one-person-one-role"];

const approval: fc.Arbitrary<CountedApproval> = fc.record({
  person: fc.constantFrom(...people, "p_stranger"),
  role: fc.constantFrom(...roles, "role-nobody-asked"),
  decision: fc.constantFrom("approve", "approve", "approve", "reject"),
});
const yes = approval.map((one): CountedApproval => ({ ...one, decision: "approve" }));
const requirement: fc.Arbitrary<Plan["approvals"]> = fc
  .uniqueArray(
    fc.record({
      role: fc.constantFrom(...roles),
      count: fc.integer({ min: 1, max: 3 }),
      people: fc.subarray(people),
    }),
    { minLength: 1, selector: (item) => item.role },
  )
  .map((require) => ({ expiresAfterSeconds: 60, minLevel: "session", require, separation: both }));
const requester = fc.constantFrom(...people, "system:scanner");

/** The outcome without the order in which refusals are listed. */
function outcome(asked: Plan["approvals"], by: string, approvals: readonly CountedApproval[]) {
  const { refused, ...rest } = evaluateQuorum(asked, by, approvals);
  return { ...rest, refused: refused.map((one) => JSON.stringify(one)).sort() };
}

describe("any quorum", () => {
  it("has the same outcome in every order of the approvals", () => {
    const shuffled = fc
      .array(approval, { maxLength: 8 })
      .chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })));
    fc.assert(
      fc.property(requirement, requester, shuffled, (asked, by, [list, other]) => {
        expect(outcome(asked, by, other)).toEqual(outcome(asked, by, list));
      }),
      { numRuns: 2_000 },
    );
  });

  it("is met only by as many different eligible people as it asks for, in distinct roles, none the requester", () => {
    let met = 0;
    fc.assert(
      fc.property(requirement, requester, fc.array(yes, { maxLength: 12 }), (asked, by, list) => {
        const quorum = evaluateQuorum(asked, by, list);
        if (!quorum.met) return;
        met++;
        const refused = new Set(quorum.refused.map((one) => `${one.person} ${one.role}`));
        const seen = new Set<string>();
        for (const { role, count, people: eligible } of asked.require) {
          const givers = new Set(list.filter((one) => one.role === role).map((one) => one.person));
          const counted = [...givers].filter((one) => eligible.includes(one) && one !== by && !seen.has(one));
          expect(counted.length).toBeGreaterThanOrEqual(count);
          for (const one of counted) if (!refused.has(`${one} ${role}`)) seen.add(one);
        }
        const needed = asked.require.reduce((sum, item) => sum + item.count, 0);
        expect(new Set(list.map((one) => one.person)).size).toBeGreaterThanOrEqual(needed);
      }),
      { numRuns: 5_000 },
    );
    expect(met).toBeGreaterThan(20);
  });

  it("is never met by copies: with every approval repeated it misses what it missed before", () => {
    const copies = fc.integer({ min: 2, max: 5 });
    fc.assert(
      fc.property(requirement, requester, fc.array(approval), copies, (asked, by, list, times) => {
        const once = evaluateQuorum(asked, by, list);
        const often = evaluateQuorum(asked, by, Array.from({ length: times }, () => list).flat());
        expect({ ...often, refused: [] }).toEqual({ ...once, refused: [] });
      }),
    );
  });

  it("never counts the requester", () => {
    fc.assert(
      fc.property(requirement, fc.constantFrom(...people), fc.array(yes), (asked, by, list) => {
        const without = list.filter((one) => one.person !== by);
        expect(evaluateQuorum(asked, by, list).missing).toEqual(evaluateQuorum(asked, by, without).missing);
      }),
    );
  });

  it("never counts strangers or roles that nobody asked for", () => {
    fc.assert(
      fc.property(requirement, requester, fc.array(approval), (asked, by, list) => {
        const eligible = list.filter((one) =>
          asked.require.some((item) => item.role === one.role && item.people.includes(one.person)),
        );
        const { refused: _all, ...counted } = evaluateQuorum(asked, by, list);
        expect(counted).toEqual({ ...evaluateQuorum(asked, by, eligible), refused: undefined });
      }),
    );
  });

  it("is ended by one reject of an eligible person, whatever else was said", () => {
    fc.assert(
      fc.property(requirement, requester, fc.array(approval), fc.nat(), (asked, by, list, at) => {
        const item = asked.require.find(({ people: eligible }) => eligible.length > 0);
        fc.pre(item !== undefined);
        const reject: CountedApproval = { person: item.people[0] ?? "", role: item.role, decision: "reject" };
        const place = at % (list.length + 1);
        const quorum = evaluateQuorum(asked, by, [...list.slice(0, place), reject, ...list.slice(place)]);
        expect(quorum).toMatchObject({ rejected: true, met: false });
      }),
    );
  });

  it("is not ended by a reject of somebody who has no say", () => {
    fc.assert(
      fc.property(requirement, requester, fc.array(yes), fc.constantFrom(...roles), (asked, by, list, role) => {
        const quorum = evaluateQuorum(asked, by, [...list, { person: "p_stranger", role, decision: "reject" }]);
        expect(quorum.rejected).toBe(false);
      }),
    );
  });
});

describe("one person who is eligible for two roles", () => {
  const asked: Plan["approvals"] = {
    expiresAfterSeconds: 60,
    minLevel: "session",
    require: [
      { role: "app-owner", count: 1, people: ["p_1", "p_2"] },
      { role: "platform", count: 1, people: ["p_1"] },
    ],
    separation: both,
  };
  const as = (person: string, role: string): CountedApproval => ({ person, role, decision: "approve" });

  it("fills the role they approved in", () => {
    expect(evaluateQuorum(asked, "p_4", [as("p_1", "platform"), as("p_2", "app-owner")]).met).toBe(true);
  });

  it("fills neither when they approved in both, so that no order of rows can choose for them", () => {
    const quorum = evaluateQuorum(asked, "p_4", [
      as("p_1", "app-owner"),
      as("p_2", "app-owner"),
      as("p_1", "platform"),
    ]);
    expect(quorum.met).toBe(false);
    expect(quorum.missing.map((item) => item.role)).toEqual(["platform"]);
    expect(quorum.refused.map((one) => one.because)).toEqual(["one-person-one-role", "one-person-one-role"]);
  });

  it("says why each approval does not count", () => {
    const quorum = evaluateQuorum(asked, "p_1", [
      as("p_1", "platform"),
      as("p_2", "app-owner"),
      as("p_2", "app-owner"),
      as("p_2", "platform"),
      as("p_2", "security"),
    ]);
    expect(quorum.refused.map((one) => one.because)).toEqual([
      "requester-cannot-approve",
      "duplicate",
      "not-eligible-for-role",
      "role-not-required",
    ]);
  });

  it("may be the requester where a solo installation has no one else", () => {
    const solo = { ...asked, require: asked.require.slice(0, 1), separation: [] };
    expect(evaluateQuorum(solo, "p_1", [as("p_1", "app-owner")]).met).toBe(true);
  });
});
