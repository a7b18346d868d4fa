import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { DocumentCode } from "../../src/documents/problem.ts";
import { readYaml } from "../../src/documents/yaml.ts";
import { CountersignError } from "../../src/index.ts";

const form = z.strictObject({
  a: z.int().optional(),
  list: z.array(z.strictObject({ mode: z.enum(["on", "off"]) })).optional(),
  secret: z.string().max(5).optional(),
  text: z.string().optional(),
});
const read = (text: Uint8Array | string, code: DocumentCode = "CONFIG_INVALID") => readYaml(text, code, form).value;

function refusal(text: Uint8Array | string, code: DocumentCode = "CONFIG_INVALID"): CountersignError {
  try {
    read(text, code);
  } catch (error) {
    if (error instanceof CountersignError) return error;
    throw error;
  }
  throw new Error("expected a refusal, got a value");
}

describe("a document is refused before anything in it is believed", () => {
  const deepFlow = "[".repeat(100_000);
  const hostile: readonly (readonly [string, Uint8Array | string, string])[] = [
    ["a NUL", "a: 1\ntext: 'x\u0000'", "U+0000"],
    ["an escape sequence", "text: \u001b[31mred", "U+001B"],
    ["a direction override", "text: 'abc\u202edef'", "U+202E"],
    ["a direction override written as an escape", 'text: "abc\\u202edef"', "U+202E"],
    ["an isolate", "# \u2066 comment\na: 1", "U+2066"],
    ["a zero-width space in a key", "'a\u200b': 1", "U+200B"],
    ["a line separator", "text: 'a\u2028b'", "U+2028"],
    ["a byte order mark", "\ufeffa: 1", "U+FEFF"],
    ["half a surrogate pair written as an escape", 'text: "\\ud800"', "U+D800"],
    ["bytes that are not UTF-8", new Uint8Array([0x61, 0x3a, 0x20, 0xff]), "expected UTF-8"],
    ["__proto__ as a key", "__proto__: { a: 1 }", "ordinary key"],
    ["constructor as a nested key", "list: [{ constructor: 1 }]", "ordinary key"],
    ["a quoted prototype key", '"prototype": 1', "ordinary key"],
    ["an over-long text", `text: ${"x".repeat(2_001)}`, "at most 2000 characters"],
    ["an anchor", "a: &x 1", "no anchors"],
    ["an alias", "a: &x 1\ntext: *x", "expected"],
    ["a merge key", "<<: { a: 1 }", "ordinary key"],
    ["a tag", "a: !!int 1", "no tags"],
    ["an unknown tag", "a: !!js/function 'x'", "expected"],
    ["a duplicate key", "a: 1\na: 2", "duplicate key"],
    ["a number as a key", "1: a", "expected"],
    ["two documents", "a: 1\n---\na: 2", "multiple docs"],
    ["an empty document", "", "empty document"],
    ["a comment only", "# nothing", "empty document"],
    ["a scalar", "hello", "expected a mapping"],
    ["a tab as indentation", "list:\n\t- mode: on", "expected valid YAML"],
    ["a flow nested without end", deepFlow, "nesting"],
    ["a flow nested with spaces", "[ \n".repeat(50_000), "nesting"],
    ["a list nested in one line", "- ".repeat(50_000), "nesting"],
    ["a mapping nested in one line", "? ".repeat(50_000), "nesting"],
    [
      "mappings nested 20 deep",
      Array.from({ length: 20 }, (_, depth) => `${" ".repeat(depth)}k:`).join("\n"),
      "nesting",
    ],
    ["a document over the size limit", `# ${"x".repeat(8 * 1024 * 1024)}`, "at most 8388608 bytes"],
    ["bytes over the size limit", new Uint8Array(8 * 1024 * 1024 + 1), "at most 8388608 bytes"],
    ["yes in place of true is text, never true", "a: yes", 'expected a number, got "yes"'],
  ];
  it.each(hostile)("refuses %s", (_name, text, why) => {
    const error = refusal(text);
    expect(error.code).toBe("CONFIG_INVALID");
    expect(error.message).toContain(why);
    expect(error.message).toMatch(/^\d+:\d+ /);
  });

  it("names line, column, path and both sides of every mistake, in the order of the document", () => {
    expect(refusal("a: x\nlist:\n  - mode: maybe\n  - { mode: on, more: 1 }\n").message).toBe(
      [
        '1:4 a: expected a number, got "x"',
        '3:11 list[0].mode: expected on | off, got "maybe"',
        '4:17 list[1]: expected only known keys, got "more"',
      ].join("\n"),
    );
  });

  it("says where a missing field belongs", () => {
    expect(refusal("list:\n  - {}\n").message).toBe("2:5 list[0].mode: expected on | off, got nothing");
  });

  it("never repeats what stands in a secret's place", () => {
    expect(refusal("secret: 12345678").message).not.toContain("12345678");
    expect(refusal("secret: hunter2hunter2").message).not.toContain("hunter2");
  });

  it("shows twenty problems and counts the rest", () => {
    const many = refusal(`list:\n${"  - { mode: x }\n".repeat(30)}`);
    expect(many.message.split("\n")).toHaveLength(21);
    expect(many.message).toContain("and 10 more");
    expect(many.facts.problems).toBe(30);
  });

  it.each(["CONFIG_INVALID", "INVENTORY_INVALID", "POLICY_INVALID"] as const)(
    "carries the code of its document: %s",
    (code) => {
      expect(refusal("a: x", code).code).toBe(code);
    },
  );

  it("reads an ordinary document, CRLF and umlauts included", () => {
    expect(read("a: 1\r\ntext: Grüße 🎉\r\n")).toEqual({ a: 1, text: "Grüße 🎉" });
  });
});

it("a prototype key never reaches an object", () => {
  expect(() => read("__proto__: { polluted: true }")).toThrow("ordinary key");
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});
