import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodings, Searcher, writings } from "./search.ts";

const secret = fc.string({ unit: "binary", minLength: 12, maxLength: 40 }).filter((text) => text.isWellFormed());
const around = fc.string({ maxLength: 30 });

describe("the search for secrets", () => {
  it.each(encodings)("finds a secret written as %s, whatever stands around it", (encoding) => {
    fc.assert(
      fc.property(secret, around, around, (text, before, after) => {
        const [written = ""] = writings(text, encoding);
        const hits = new Searcher(new Map([["it", text]])).search("here", Buffer.from(`${before}${written}${after}`));
        expect(hits.length).toBeGreaterThan(0);
      }),
    );
  });

  it.each(["base64", "base64url"] as const)(
    "finds a secret inside a longer text that was written as %s",
    (encoding) => {
      fc.assert(
        fc.property(secret, around, around, (text, before, after) => {
          const whole = Buffer.from(`${before}${text}${after}`).toString(encoding);
          expect(new Searcher(new Map([["it", text]])).search("here", Buffer.from(whole)).length).toBeGreaterThan(0);
        }),
      );
    },
  );

  it("finds nothing where nothing is", () => {
    const searcher = new Searcher(new Map([["it", "a-secret-of-some-length"]]));
    expect(searcher.search("here", Buffer.from("a-secret-of-some-other-length"))).toEqual([]);
  });

  it("refuses a secret so short that it stands somewhere by chance", () => {
    expect(() => new Searcher(new Map([["it", "1234567"]]))).toThrow(RangeError);
  });
});
