import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { allItems, stateOf } from "../src/mission/list.ts";

const root = join(import.meta.dirname, "../../..");
const unescaped = (text: string) => text.replaceAll("\\'", "'").replaceAll('\\"', '"');

describe("the list of what must work", () => {
  it("has every part of the mission, every regression and every danger, each once", () => {
    const range = (letter: string, count: number) => Array.from({ length: count }, (_, n) => `${letter}${n + 1}`);
    const wanted = [range("M", 20), range("D", 14), range("F", 15), range("V", 7), range("P", 18)].flat();
    expect(allItems().map(({ id }) => id)).toEqual(wanted);
  });

  it.each(allItems().flatMap((item) => item.tests.map((test) => [item.id, test] as const)))(
    "%s names a test that exists: %s",
    (_id, test) => {
      const [file = "", name = ""] = test.split(" > ");
      expect(existsSync(join(root, file))).toBe(true);
      const source = unescaped(readFileSync(join(root, file), "utf8"));
      expect(['"', "'", "`"].some((quote) => source.includes(`${quote}${name}${quote}`))).toBe(true);
    },
  );

  it("says what is missing wherever no test shows it", () => {
    for (const item of allItems().filter((one) => stateOf(one) === "not yet"))
      expect(item.missing ?? "", item.id).toMatch(/^[A-Z].+\.$/);
  });
});
