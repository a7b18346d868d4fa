import { expect, test } from "vitest";
import { moves } from "@countersign/core";
import { LEGAL_MOVES } from "@countersign/evidence";

test("the verifier's table of legal moves is the one the product moves by", () => {
  expect(LEGAL_MOVES).toEqual(moves);
});
