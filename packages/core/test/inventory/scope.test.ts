import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { inScope, isPattern, matchesPattern } from "../../src/index.ts";

describe("scope patterns", () => {
  it.each([
    ["billing-api", "billing-*", true],
    ["billing-", "billing-*", true],
    ["xbilling-api", "billing-*", false],
    ["billing/a.ref", "billing/*.ref", true],
    ["billing/x/a.ref", "billing/*.ref", false],
    ["billing/../payroll.ref", "billing/*.ref", false],
    ["billing/..", "billing/*", false],
    ["billing\\..\\x.ref", "billing/*.ref", false],
    ["axref", "a.ref", false],
    ["aaa", "a*a", true],
    ["ab", "a*b*", true],
    ["", "*", false],
    ["Billing-api", "billing-*", false],
  ])("%j against %j: %s", (name, pattern, expected) => expect(matchesPattern(name, pattern)).toBe(expected));

  it.each([
    "a+",
    "(a|b)",
    "[ab]",
    "a?",
    "^a$",
    "\\w",
    "a{1,2}",
    "../x",
    "/abs",
    "a//b",
    "",
    "*",
    "*/*",
    "a b",
    "a\u0000",
  ])("%j is no pattern", (text) => expect(isPattern(text)).toBe(false));

  it("nothing is in an empty scope", () => expect(inScope("billing-api", [])).toBe(false));

  it("a pattern without a star fits itself and nothing else", () => {
    const name = fc.stringMatching(/^[a-z0-9.()+?[\]^$|-]{1,12}$/).filter((text) => text !== "." && text !== "..");
    fc.assert(fc.property(name, name, (a, b) => matchesPattern(a, b) === (a === b)));
  });

  it("agrees with a plain search for prefix and suffix", () => {
    const part = fc.stringMatching(/^[a-c]{0,4}$/);
    fc.assert(
      fc.property(
        part,
        part,
        fc.stringMatching(/^[a-c]{1,10}$/),
        (head, tail, name) =>
          matchesPattern(name, `${head}*${tail}`) ===
          (name.length >= head.length + tail.length && name.startsWith(head) && name.endsWith(tail)),
      ),
    );
  });

  it("many stars take no exponential time", () => {
    const started = performance.now();
    expect(matchesPattern(`${"a".repeat(200)}!`, `${"a*".repeat(90)}b`)).toBe(false);
    expect(performance.now() - started).toBeLessThan(1_000);
  });
});
