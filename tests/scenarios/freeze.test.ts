import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { tellOnFailure } from "./failure.ts";
import { refusal, Stage } from "./stage.ts";

/** The kill switch over many runs at once, measured from the effect log in real time. */
const names = Array.from({ length: 4 }, (_, n) => `app-storm-${n}`);
const limitMs = 2_000;

let stage: Stage;
beforeAll(async () => {
  // A fifth of the calls is slow and some are refused for the moment, so that many steps are in the middle.
  stage = await Stage.open({
    applications: names.map((name) => ({ name, consumers: ["latest", "copied"] as const })),
    knobs: { preset: "off", slow: 0.2, slowMs: [50, 250], concurrency: 0.1 },
  });
});
afterAll(() => stage?.close());
beforeEach(() => tellOnFailure(stage));

const all = async () => (await Promise.all(names.map((name) => stage.effects(name)))).flat();

describe("freeze --all over a storm of runs", () => {
  it("lets no new effect happen after two seconds; roll back goes on; security alone lifts it", async () => {
    const runs: string[] = [];
    for (const name of names) runs.push(await stage.file(name));
    await stage.settle();
    for (const run of runs) await stage.approve(run);
    const moving = stage.advance(300);
    while ((await all()).length < 3) await delay(20);

    await (await stage.as("ben")).freeze({ body: {} });
    // Not a wait for something to happen, but the promise itself: after so much real time nothing may.
    await delay(limitMs);
    const before = await all();
    await moving;
    await stage.advance(1_200);
    expect(await all()).toHaveLength(before.length);
    expect(before.length).toBeLessThan(names.length * 3);
    const states = await Promise.all(runs.map((run) => stage.stateOf(run)));
    const others = runs.filter((_, n) => !["scheduled", "executing", "overlapping"].includes(states[n] ?? ""));
    expect(await Promise.all(others.map(async (run) => (await stage.run(run)).run))).toEqual([]);

    const back = runs[states.findIndex((state) => state !== "scheduled")];
    if (back === undefined) throw new Error("expected a run that had begun, got none");
    await (await stage.as("ben")).rollBack({ params: { id: back }, body: { reason: "everything is stopped" } });
    await stage.advanceUntil(back, ["rolled_back"], { stepSeconds: 600 });

    expect(await refusal((await stage.as("ben")).liftFreeze({}))).toEqual({ code: "FORBIDDEN", status: 403 });
    expect(await refusal((await stage.as("ada")).liftFreeze({}))).toEqual({ code: "FORBIDDEN", status: 403 });
    await (await stage.as("cleo")).liftFreeze({});
    await stage.advance(600);
    await stage.manage("PUT", "/knobs", { preset: "off" });
    for (const run of runs)
      if (run !== back) await stage.advanceUntil(run, ["completed"], { stepSeconds: 4 * 3_600, hoursMax: 60 });
    await stage.advance(3_600);
    for (const name of names) {
      const { failedSignIns, orphans } = await stage.figures(name);
      expect({ name, failedSignIns, orphans }).toEqual({ name, failedSignIns: 0, orphans: [] });
    }
    expect(await stage.verdict(back)).toBe("proven");
  });
});
