import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Fixture, fixture } from "./fixture.ts";
import { addRun, entraRow, now, people, runId, stepDone } from "./world.ts";

let f: Fixture;
const run = runId("h");
const step = "update:fax-gateway";
const ada = people[0]?.person ?? "";

beforeEach(async () => {
  f = await fixture();
  const row = entraRow("fax-sender", 200);
  const byHand = {
    kind: "manual" as const,
    name: "fax-gateway",
    environment: "dev",
    pickupSeconds: 600,
    cadenceSeconds: 86_400,
    callers: [],
    checklist: ["Open the page of the gateway", "Paste the newest value of the record"],
  };
  addRun(f.store, run, { ...row, consumers: [byHand] }, ada, now - 3_600_000);
  f.store.move(run, "approved", now - 3_000_000);
  f.store.move(run, "executing", now - 2_000_000);
});
afterEach(() => f.app.close());

const ask = () => stepDone(f.store, run, step, "manual.ask@1", "owner.ask", now - 1_000_000);

async function say(login: string, body: object) {
  return f.app.inject({
    method: "POST",
    url: `/v1/runs/${run}/confirmations`,
    payload: { step, direction: "do", confirmation: "given", ...body },
    headers: { authorization: `Bearer ${await f.token(login)}`, "idempotency-key": crypto.randomUUID() },
  });
}

async function hand(login = "ada") {
  const headers = { authorization: `Bearer ${await f.token(login)}` };
  return (await f.app.inject({ url: `/v1/runs/${run}`, headers })).json<{ hand: Record<string, unknown>[] }>().hand;
}

describe("a step that is done by hand", () => {
  it("is shown once it was asked for, with its checklist, and whether one may confirm it", async () => {
    expect(await hand()).toEqual([]);
    ask();
    expect(await hand()).toMatchObject([
      {
        step,
        direction: "do",
        checklist: ["Open the page of the gateway", "Paste the newest value of the record"],
        confirmed: null,
        you: { allowed: true, why: null },
      },
    ]);
    expect(await hand("ben")).toMatchObject([{ you: { allowed: false } }]);
  });

  it("is confirmed by an owner, whose word stands until it is taken back", async () => {
    ask();
    expect((await say("ada", {})).statusCode).toBe(200);
    expect(await hand()).toMatchObject([{ confirmed: { person: ada } }]);
    expect((await say("ada", { confirmation: "withdrawn" })).statusCode).toBe(200);
    expect(await hand()).toMatchObject([{ confirmed: null }]);
  });

  it("is confirmed by nobody else, before it was asked for, or in the other direction", async () => {
    expect((await say("ada", {})).json()).toMatchObject({ code: "STATE_CONFLICT" });
    ask();
    expect((await say("ben", {})).json()).toMatchObject({ code: "FORBIDDEN" });
    expect((await say("ada", { direction: "undo" })).json()).toMatchObject({ code: "STATE_CONFLICT" });
    expect((await say("ada", { step: "store" })).json()).toMatchObject({ code: "STATE_CONFLICT" });
    expect(await hand()).toMatchObject([{ confirmed: null }]);
  });

  it("is to be put back once the run rolls back, also while that is held; the first word does not count for it", async () => {
    ask();
    await say("ada", {});
    f.store.move(run, "rolling_back", now);
    expect(await hand()).toMatchObject([{ direction: "undo", confirmed: null, you: { allowed: true } }]);
    f.store.move(run, "held", now);
    expect(await hand()).toMatchObject([{ direction: "undo", you: { allowed: true } }]);
    expect((await say("ada", { direction: "undo" })).statusCode).toBe(200);
    expect(await hand()).toMatchObject([{ direction: "undo", confirmed: { person: ada } }]);
  });

  it("cannot be confirmed any more once the run retires", async () => {
    ask();
    f.store.move(run, "overlapping", now);
    f.store.move(run, "retiring", now);
    expect(await hand()).toMatchObject([{ you: { allowed: false, why: "The run does not wait for this any more." } }]);
    expect((await say("ada", {})).json()).toMatchObject({ code: "FORBIDDEN" });
  });
});
