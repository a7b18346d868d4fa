import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  canonicalBytes,
  canonicalize,
  checkCanonical,
  EvidenceError,
  type Json,
  parseCanonical,
} from "../src/index.ts";

const key = fc.string({ unit: fc.constantFrom(..."abz09 _-.:/~!"), minLength: 1, maxLength: 6 });
const leaf = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.maxSafeInteger(),
  fc.string({ unit: "binary", maxLength: 12 }),
  fc.constantFrom("\u0000\b\t\n\u000b\f\r\u001f", '"\\/', "\u007f\u2028\ufeff", "Müller 🔑", ""),
);
const json = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(key, tie("value"), { maxKeys: 4 }),
  ),
})).value;

/** The slow way: parse, look at every value, write again, compare. The scanner must agree with it on any bytes. */
function isCanonicalTheSlowWay(bytes: Uint8Array): boolean {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return canonicalize(JSON.parse(text) as Json) === text;
  } catch {
    return false;
  }
}

function isCanonical(bytes: Uint8Array): boolean {
  try {
    checkCanonical(bytes);
    return true;
  } catch (error) {
    if (error instanceof EvidenceError) return false;
    throw error;
  }
}

describe("canonical form", () => {
  test("what is written is what is accepted, and reads back as itself", () => {
    fc.assert(
      fc.property(json, (value) => {
        const bytes = canonicalBytes(value);
        expect(canonicalize(parseCanonical(bytes))).toBe(canonicalize(value));
      }),
    );
  });

  test("the one-pass scanner agrees with parsing and writing again, on any edit of any document", () => {
    const edit = fc.record({ at: fc.nat(), remove: fc.nat(2), insert: fc.uint8Array({ maxLength: 2 }) });
    fc.assert(
      fc.property(json, fc.array(edit, { minLength: 1, maxLength: 2 }), (value, edits) => {
        let bytes = Buffer.from(canonicalBytes(value));
        for (const { at, remove, insert } of edits) {
          const i = at % (bytes.length + 1);
          bytes = Buffer.concat([bytes.subarray(0, i), insert, bytes.subarray(i + remove)]);
        }
        expect(isCanonical(bytes)).toBe(isCanonicalTheSlowWay(bytes));
      }),
      { numRuns: 3000 },
    );
  });

  test("no other spelling of the same value is accepted", () => {
    fc.assert(
      fc.property(json, fc.nat(), (value, at) => {
        const text = canonicalize(value);
        const spaced = `${text.slice(0, at % text.length)} ${text.slice(at % text.length)}`;
        const insideString = isCanonicalTheSlowWay(Buffer.from(spaced));
        expect(isCanonical(Buffer.from(spaced))).toBe(insideString);
      }),
    );
  });

  const refused: [string, string | Uint8Array][] = [
    ["whitespace", '{"a": 1}'],
    ["keys out of order", '{"b":1,"a":2}'],
    ["a key twice", '{"a":1,"a":2}'],
    ["a key that begins like the one before", '{"ab":1,"a":2}'],
    ["an escaped key", '{"\\u0061":1}'],
    ["a key that is not ASCII", '{"ä":1}'],
    ["an empty key", '{"":1}'],
    ["a key of 129 characters", `{"${"a".repeat(129)}":1}`],
    ["a float", "1.0"],
    ["an exponent", "1e3"],
    ["minus zero", "-0"],
    ["a leading zero", "01"],
    ["a plus sign", "+1"],
    ["2^53", "9007199254740992"],
    ["-2^53", "-9007199254740992"],
    ["a long integer", "1".repeat(400)],
    ["a long escape", '"\\u000a"'],
    ["an upper-case escape", '"\\u001F"'],
    ["an escaped slash", '"\\/"'],
    ["an escaped letter", '"\\u0041"'],
    ["a raw control character", '"\u0001"'],
    ["a lone surrogate as an escape", '"\\ud800"'],
    ["a lone surrogate in UTF-8", Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])],
    ["an overlong form", Buffer.from([0x22, 0xc0, 0xaf, 0x22])],
    ["a code point above the last", Buffer.from([0x22, 0xf4, 0x90, 0x80, 0x80, 0x22])],
    ["a cut character", Buffer.from([0x22, 0xc3])],
    ["a byte order mark", "\ufeff{}"],
    ["two documents", "{}{}"],
    ["a trailing comma", "[1,]"],
    ["nothing", ""],
    ["NaN", "NaN"],
    ["an open string", '"a'],
    ["an open list", "[1"],
    ["33 levels", "[".repeat(33) + "]".repeat(33)],
    ["100,000 levels", "[".repeat(100_000)],
  ];
  test.each(refused)("refuses %s", (_, bytes) => {
    const input = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
    expect(() => checkCanonical(input)).toThrow(EvidenceError);
    expect(() => parseCanonical(input)).toThrow(EvidenceError);
  });

  test("accepts the edges: 2^53-1, 32 levels, every short escape, DEL and separators as they are", () => {
    for (const text of [
      "9007199254740991",
      "-9007199254740991",
      "0",
      "[".repeat(32) + "]".repeat(32),
      '"\\b\\t\\n\\f\\r\\"\\\\\\u0000\\u001f/\u007f\u2028\ufeff"',
    ]) {
      checkCanonical(Buffer.from(text));
    }
  });

  const unwritable: [string, unknown][] = [
    ["undefined", undefined],
    ["a missing value", { a: undefined }],
    ["a function", () => 1],
    ["a date", new Date(0)],
    ["a map", new Map()],
    ["a big integer", 1n],
    ["a float", 0.5],
    ["not a number", Number.NaN],
    ["minus zero", -0],
    ["a lone surrogate", "\ud800"],
    ["a sparse list", Object.assign([], { length: 2 })],
    ["bytes", new Uint8Array(2)],
  ];
  test.each(unwritable)("does not write %s", (_, value) => {
    expect(() => canonicalize(value as Json)).toThrow(EvidenceError);
  });

  test("refuses more bytes than allowed before it looks at them", () => {
    expect(() => parseCanonical(Buffer.from("[1,2]"), 4)).toThrow(expect.objectContaining({ code: "too-large" }));
  });
});
