import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { inAscii } from "./programs.mjs";

const run = (code: string): unknown => runInNewContext(code);

describe("a bundle in ASCII", () => {
  it.each([
    ["text", '"Größe … 😀"'],
    ["a template", "`Größe ${1 + 1} 😀`"],
    ["a name", "var größe = 2; größe"],
    ["a pattern", '"Größe".replace(/[äöü]+ß/g, "-")'],
    ["a pattern of code points", '"a😀b".replace(/[😀-😂]/u, "-")'],
  ])("means the same: %s", (_, code) => {
    expect(inAscii(code)).toMatch(/^[\0-\x7f]*$/);
    expect(run(inAscii(code))).toBe(run(code));
  });

  it.each([
    ["behind a backslash", '"\\ß"'],
    ["in a template that is read raw", "String.raw`ß`"],
  ])("is refused where it would not: %s", (_, code) => {
    expect(() => inAscii(code)).toThrow("expected a character that can be escaped");
  });
});
