import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { tellOnFailure } from "./failure.ts";
import { refusal, Stage } from "./stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open({
    applications: ["app-waiting", "app-overlapping", "app-retiring"].map((name) => ({
      name,
      consumers: ["latest", "copied"] as const,
    })),
  });
});
afterAll(() => stage?.close());
beforeEach(() => tellOnFailure(stage));

describe("the kill switch", () => {
  it("stops an approved run before its first effect, lets others roll back, and only security lifts it", async () => {
    const overlapping = await stage.request("app-overlapping");
    await stage.approve(overlapping);
    await stage.advance(60);
    expect(await stage.stateOf(overlapping)).toBe("overlapping");

    const waiting = await stage.request("app-waiting");
    const platform = await stage.as("ben");
    await platform.freeze({ body: {} });
    await stage.approve(waiting);
    await stage.advance(600);
    expect(await stage.stateOf(waiting)).toBe("scheduled");
    expect(await stage.effects("app-waiting")).toEqual([]);

    await platform.rollBack({ params: { id: overlapping }, body: { reason: "everything is stopped" } });
    await stage.advanceUntil(overlapping, ["rolled_back"], { stepSeconds: 600 });
    expect((await stage.effects("app-overlapping")).at(-1)?.op).toBe("application.removePassword");
    expect((await stage.figures("app-overlapping")).failedSignIns).toBe(0);

    expect(await refusal(platform.liftFreeze({}))).toEqual({ code: "FORBIDDEN", status: 403 });
    expect(await stage.effects("app-waiting")).toEqual([]);
    await (await stage.as("cleo")).liftFreeze({});
    await stage.advance(300);
    expect(await stage.stateOf(waiting)).toBe("overlapping");
    await stage.advanceUntil(waiting, ["completed"], { hoursMax: 36 });
    expect(await stage.verdict(waiting)).toBe("proven");
    expect(await stage.verdict(overlapping)).toBe("proven");
  });

  it("keeps an old secret from being retired, and what it kept waiting goes on when it is lifted", async () => {
    const run = await stage.request("app-retiring");
    await stage.approve(run);
    await stage.advance(3_600);
    await (await stage.as("cleo")).freeze({ body: {} });
    await stage.advance(6 * 3_600);
    expect(await stage.stateOf(run)).toBe("overlapping");
    expect((await stage.effects("app-retiring")).map(({ op }) => op)).not.toContain("application.removePassword");
    await (await stage.as("cleo")).liftFreeze({});
    await stage.advanceUntil(run, ["completed"], { hoursMax: 24 });
    expect((await stage.figures("app-retiring")).failedSignIns).toBe(0);
    expect(await stage.verdict(run)).toBe("proven");
  });
});
