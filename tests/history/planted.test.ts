import { invariantIds } from "@countersign/core";
import { beforeAll, describe, expect, it } from "vitest";
import { type Broken, runBroken } from "./broken.ts";
import { text } from "./check.ts";
import { plantedBreaches } from "./planted.ts";

let broken: Broken;

beforeAll(async () => {
  broken = await runBroken();
});

describe("a product in which every invariant is broken once", () => {
  it("has a breach for each", () => {
    expect(plantedBreaches.map(({ invariant }) => invariant)).toEqual([...invariantIds]);
  });

  for (const { invariant, does } of plantedBreaches)
    it(`that ${does} is caught under ${invariant}`, () => {
      const own = broken.of(invariant);
      expect(
        own.map((violation) => violation.invariant),
        own.map(text).join("\n"),
      ).toContain(invariant);
    });

  it("is not reported of an application on which nothing is broken", () => {
    expect(broken.clean).toEqual({ state: "completed", violations: [] });
  });
});
