import { type History, invariantIds, violationsOf } from "@countersign/core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { tellOnFailure } from "../scenarios/failure.ts";
import { Stage } from "../scenarios/stage.ts";
import { falsified } from "./falsifications.ts";

let stage: Stage;
let clean: History;
beforeAll(async () => {
  stage = await Stage.open({
    applications: [{ name: "app-forth" }, { name: "app-back", consumers: ["latest", "copied"] }],
  });

  const [forth, back] = [await stage.request("app-forth"), await stage.request("app-back")];
  await stage.approve(forth);
  await stage.approve(back);
  await stage.advance(3_600);
  await (await stage.as("ben")).rollBack({ params: { id: back }, body: { reason: "the release was called off" } });
  await stage.advanceUntil(back, ["rolled_back"], { stepSeconds: 600 });
  await stage.advanceUntil(forth, ["completed"], { hoursMax: 48 });
  await stage.advance(120);
  clean = await stage.history();
});
afterAll(() => stage?.close());
beforeEach(() => tellOnFailure(stage));

describe("the history of a rotation and of a roll back", () => {
  it("joins journal, log and what happened outside, and breaks no invariant", () => {
    expect(clean.runs.map(({ state }) => state)).toEqual(["completed", "rolled_back"]);
    const kinds = (clean.outside?.effects ?? []).map(({ kind }) => kind).filter((kind) => kind !== "identify");
    expect(kinds.toSorted()).toEqual([
      "create",
      "create",
      "remove",
      "remove",
      ...Array.from({ length: 6 }, () => "write"),
    ]);
    expect(clean.outside?.signIns?.length).toBeGreaterThan(100);
    expect(violationsOf(clean)).toEqual([]);
  });

  it("is reported under the right invariant, however it is falsified", () => {
    const { tried, missed } = falsified(clean);
    expect(missed).toEqual([]);
    for (const id of invariantIds) expect(tried[id], id).toBeGreaterThan(0);
  });
});
