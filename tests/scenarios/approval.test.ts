import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { tellOnFailure } from "./failure.ts";
import { refusal, Stage } from "./stage.ts";

let stage: Stage;
const names = ["own", "twice", "reject", "expire", "late", "withdraw", "begun", "forged"].map((name) => `app-${name}`);
beforeAll(async () => {
  stage = await Stage.open({
    applications: names.map((name) => ({ name, consumers: ["latest"] as const })),
    policy: (yaml) => yaml.replaceAll("expiresAfter: P1D", "expiresAfter: PT1H"),
  });
});
afterAll(() => stage?.close());
beforeEach(() => tellOnFailure(stage));

describe("an approval", () => {
  it("is not given by who asked for the run", async () => {
    const run = await stage.request("app-own", "ada");
    expect(await refusal(stage.decide("ada", run, "app-owner"))).toEqual({ code: "FORBIDDEN", status: 403 });
    // Somebody else who owns it may, and without one more platform vote nothing begins.
    await stage.decide("dora", run, "app-owner");
    await stage.advance(1_800);
    expect(await stage.stateOf(run)).toBe("awaiting_approval");
    expect(await stage.effects("app-own")).toEqual([]);
  });

  it("counts in one role only, however many the person holds", async () => {
    const run = await stage.request("app-twice");
    await stage.decide("dora", run, "app-owner");
    expect((await refusal(stage.decide("dora", run, "platform"))).status).toBeGreaterThanOrEqual(403);
    await stage.advance(1_800);
    expect(await stage.stateOf(run)).toBe("awaiting_approval");
    expect(await stage.effects("app-twice")).toEqual([]);
    await stage.decide("ben", run, "platform");
    await stage.advance(60);
    expect(await stage.stateOf(run)).toBe("overlapping");
  });

  it("that is refused ends the run, and a bundle proves the refusal", async () => {
    const run = await stage.request("app-reject");
    await stage.decide("ada", run, "app-owner");
    const answer = await stage.decide("ben", run, "platform", "reject");
    expect(answer.state).toBe("rejected");
    await stage.settle();
    expect(await stage.verdict(run)).toBe("proven");
    expect(await stage.effects("app-reject")).toEqual([]);
    // The next request stands on its own.
    expect(await stage.stateOf(await stage.request("app-reject"))).toBe("awaiting_approval");
  });

  it("that nobody gives in time lets the run expire, and a late one is refused", async () => {
    const run = await stage.request("app-expire");
    await stage.decide("ada", run, "app-owner");
    await stage.advance(2 * 3_600);
    expect(await stage.stateOf(run)).toBe("expired");
    expect((await refusal(stage.decide("ben", run, "platform"))).code).toBe("STATE_CONFLICT");
    expect(await stage.effects("app-expire")).toEqual([]);
    expect(await stage.verdict(run)).toBe("proven");
  });

  it("does not outlive its time while something holds up the start", async () => {
    const run = await stage.request("app-late");
    const security = await stage.as("cleo");
    await security.freeze({ body: {} });
    await stage.approve(run);
    await stage.advance(2 * 3_600);
    await security.liftFreeze({});
    await stage.advance(1_800);
    expect(await stage.stateOf(run)).toBe("expired");
    expect(await stage.effects("app-late")).toEqual([]);
  });

  it("is worth nothing after the request was withdrawn", async () => {
    const run = await stage.request("app-withdraw");
    await stage.decide("ada", run, "app-owner");
    await (await stage.as("cleo")).withdraw({ params: { id: run }, body: {} });
    expect(await stage.stateOf(run)).toBe("withdrawn");
    expect((await refusal(stage.decide("ben", run, "platform"))).code).toBe("STATE_CONFLICT");
    await stage.advance(1_800);
    expect(await stage.effects("app-withdraw")).toEqual([]);
    expect(await stage.verdict(run)).toBe("proven");
  });

  it("cannot be withdrawn from a run that has begun: that is rolled back", async () => {
    const run = await stage.request("app-begun");
    await stage.approve(run);
    await stage.advance(60);
    expect(await refusal((await stage.as("cleo")).withdraw({ params: { id: run }, body: {} }))).toEqual({
      code: "STATE_CONFLICT",
      status: 409,
    });
    expect(await stage.stateOf(run)).toBe("overlapping");
  });

  it("says exactly what was shown: another digest, an edited statement, another person's statement are refused", async () => {
    const run = await stage.request("app-forged");
    const [ada, ben] = await Promise.all([stage.as("ada"), stage.as("ben")]);
    const shown = await ada.makeStatement({ params: { id: run }, body: { decision: "approve", role: "app-owner" } });
    const { statement, planDigest } = shown;
    const other = `sha256:${"0".repeat(64)}`;
    const send = (
      client: typeof ada,
      body: { statement: string; planDigest: string },
      ifMatch = `"${body.planDigest}"`,
    ) => refusal(client.decide({ params: { id: run }, body, headers: { "if-match": ifMatch } }));
    const edited = (from: string, to: string) =>
      Buffer.from(Buffer.from(statement, "base64").toString("utf8").replace(from, to)).toString("base64");

    expect(await send(ada, { statement, planDigest }, `"${other}"`)).toEqual({ code: "INPUT_INVALID", status: 428 });
    expect(await send(ada, { statement, planDigest: other })).toEqual({ code: "PLAN_DRIFTED", status: 412 });
    expect(await send(ada, { statement: edited(planDigest, other), planDigest })).toMatchObject({
      code: "INPUT_INVALID",
    });
    expect(await send(ada, { statement: edited("app-owner", "security"), planDigest })).toMatchObject({ status: 403 });
    expect(await send(ada, { statement: Buffer.from("{}").toString("base64"), planDigest })).toMatchObject({
      status: 400,
    });
    expect((await send(ben, { statement, planDigest })).status).toBeGreaterThanOrEqual(400);
    expect((await stage.run(run)).approvals.given).toEqual([]);
  });
});
