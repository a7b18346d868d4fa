import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { channelOf, deliveriesOf, failPartner, roomText, ticketsOf, told } from "./channels.ts";
import { personId } from "./documents.ts";
import { tellOnFailure } from "./failure.ts";
import { Stage } from "./stage.ts";
import { allChannels } from "./telling.ts";
import { secretsToldOf } from "./told-secrets.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open({
    applications: [
      "app-trouble",
      "app-dead",
      "app-hung",
      "app-asked",
      "app-decided",
      "app-lag",
      "app-closed",
      "app-lost",
      "app-ends",
    ].map((name) => ({ name })),
    channels: allChannels,
    notices: `{ remindAfterSeconds: [14400, 43200], escalate: { beforeExpirySeconds: 14400, role: security }, digest: { cron: "0 7 * * *", zone: UTC, itemsMax: 3, kinds: [run.blocked] } }`,
  });
});
afterAll(() => stage?.close());
beforeEach(() => tellOnFailure(stage));

/** Lets it fail, and waits until it is rolled back. */
async function rolledBack(application: string): Promise<string> {
  const run = await stage.request(application);
  await stage.approve(run);
  await stage.advanceUntil(run, ["rolled_back"], { stepSeconds: 300 });
  await stage.settle();
  return run;
}

describe("a run that is rolled back", () => {
  it("is told in every channel with its facts and a link, never a button; one ticket per matter follows it to the end", async () => {
    const mend = await failPartner(stage, "app-trouble");
    const run = await rolledBack("app-trouble");

    for (const room of ["ops", "team"]) {
      const texts = (await roomText(stage, room)).filter((text) => text.includes("app-trouble"));
      expect(texts.some((text) => text.includes("was rolled back"))).toBe(true);
      expect(texts.every((text) => text.includes(`${stage.url}/runs/${run}`))).toBe(true);
      expect(texts.join(" ")).not.toMatch(/"type":"(?:button|actions|Action\\.(?:Submit|Execute|Http))"/);
    }
    const asked =
      (await roomText(stage, "ops")).find((text) => text.includes("Approval needed: rotation of app-trouble")) ?? "";
    const { appId } = stage.idsOf("app-trouble");
    for (const fact of [appId, "What will be done, in this order", "If it fails", "Decide until", `/runs/${run}`])
      expect(asked).toContain(fact);

    for (const desk of ["jira", "snow"]) {
      const tickets = await ticketsOf(stage, desk, "app-trouble");
      expect(tickets).toHaveLength(1);
      expect(tickets[0]).toMatchObject({ closed: false, title: expect.stringContaining("is rolled back") });
      expect(tickets[0]?.labels).toContain(`cs-${run}`);
      expect(tickets[0]?.comments.map(({ text }) => text.split("\n")[0])).toEqual([
        "The rotation of app-trouble was rolled back; the old credential is still in use",
      ]);
    }
    // How each step ended so far, and after the way back.
    const [opened] = await ticketsOf(stage, "jira", "app-trouble");
    expect(opened?.text).toContain("What was done:\n- create: done");
    expect(opened?.text).toMatch(/- update:app-trouble-copied: failed; OUTSIDE_FORBIDDEN: /);
    for (const line of ["- store, put back: done", "- create, discarded: done"])
      expect(opened?.comments[0]?.text).toContain(line);
    const ticket = (await deliveriesOf(stage, run, "jira")).at(-1);
    expect(ticket).toMatchObject({ kind: "run.rolled-back", state: "sent", ticket: { key: "OPS-1", state: "open" } });
    const entries = (await stage.run(run)).story.filter(({ type }) => type === "notice.sent");
    expect(entries.map(({ what }) => what)).toContain("run.rolling-back");

    await mend();
    const again = await stage.request("app-trouble");
    await stage.approve(again);
    await stage.advanceUntil(again, ["completed"], { hoursMax: 30 });
    await stage.settle();
    for (const desk of ["jira", "snow"]) {
      const [ticket, ...more] = await ticketsOf(stage, desk, "app-trouble");
      expect(more).toEqual([]);
      expect(ticket?.closed).toBe(true);
      expect(ticket?.comments.at(-1)?.text).toContain("The credential of app-trouble was rotated");
    }
    expect(await stage.verdict(run)).toBe("proven");
  });
});

describe("a dead channel", () => {
  it("delays neither the roll back nor the other channels, which are told; it is retried and given up", async () => {
    const { id } = (await stage.manage("POST", "/faults", { op: "slack.post", kind: "503", times: "always" })) as {
      id: string;
    };
    await failPartner(stage, "app-dead");
    const run = await rolledBack("app-dead");
    expect((await ticketsOf(stage, "jira", "app-dead"))[0]?.comments).toHaveLength(1);
    expect((await roomText(stage, "team")).some((text) => text.includes("app-dead was rolled back"))).toBe(true);
    const dead = await stage.sink.until(({ type, data }) => type === "channel.dead" && data.channel === "ops");
    expect(dead.data).toMatchObject({ because: { code: "status-503" } });
    expect(await channelOf(stage, "ops")).toMatchObject({ state: "dead", lastStatus: 503 });
    const { notices } = await (await stage.as("cleo")).getStatus({});
    expect(notices.channels.find(({ name }) => name === "ops")?.state).toBe("dead");
    expect(await channelOf(stage, "team")).toMatchObject({ state: "ok" });

    await stage.advance(40 * 3_600);
    expect((await deliveriesOf(stage, run, "ops")).map(({ state }) => state)).toContain("failed");
    const refused = (await stage.run(run)).story.filter(
      ({ type, outcome }) => type === "notice.sent" && outcome === "failed",
    );
    expect(refused.length).toBeGreaterThan(0);

    await stage.manage("DELETE", `/faults/${id}`);
    await (await stage.as("cleo")).testChannel({ params: { name: "ops" }, body: {} });
    await stage.advance(3_600);
    expect(await channelOf(stage, "ops")).toMatchObject({ state: "ok", failures: 0 });
    await stage.sink.until(({ type, data }) => type === "channel.recovered" && data.channel === "ops");
  });

  it("that never answers is waited for by nobody but itself", async () => {
    const { id } = (await stage.manage("POST", "/faults", { op: "teams.post", kind: "timeout", times: "always" })) as {
      id: string;
    };
    await failPartner(stage, "app-hung");
    const run = await rolledBack("app-hung");
    const [rolled] = (await roomText(stage, "ops")).filter((text) => text.includes("app-hung was rolled back"));
    expect(rolled).toContain(`${stage.url}/runs/${run}`);
    const story = (await stage.run(run)).story;
    const times = story.flatMap(({ at, to }) => (to === "rolled_back" ? [Date.parse(at)] : []));
    const room = (await told(stage)).chat.ops?.find(({ payload }) =>
      JSON.stringify(payload).includes("app-hung was rolled back"),
    );
    expect(Date.parse(room?.at ?? "") - (times[0] ?? 0)).toBeLessThan(5_000);
    await stage.manage("DELETE", `/faults/${id}`);
  });
});

describe("a plan that nobody decides", () => {
  it("is reminded of at the configured times, once each, whatever is restarted; then a further role is told; it expires with a ticket", async () => {
    const run = await stage.request("app-asked");
    const reminders = async () =>
      (await roomText(stage, "ops")).filter((text) =>
        text.includes("Still waiting for your approval: rotation of app-asked"),
      );
    await stage.advance(4 * 3_600 - 60);
    expect(await reminders()).toHaveLength(0);
    await stage.stop();
    await stage.start();
    await stage.advance(120);
    expect(await reminders()).toHaveLength(1);
    // Who has decided is not asked again.
    await stage.decide("ada", run, "app-owner");
    await stage.stop();
    await stage.start();
    await stage.advance(9 * 3_600);
    const texts = await reminders();
    expect(texts).toHaveLength(2);
    expect(texts[0]).toMatch(/For\\n[^"]*\bada\b/);
    expect(texts[1]).not.toMatch(/For\\n[^"]*\bada\b/);
    await stage.advance(8 * 3_600);
    const escalated = (await roomText(stage, "ops")).filter((text) =>
      text.includes("Nobody has decided, and the time runs out: rotation of app-asked"),
    );
    expect(escalated).toHaveLength(1);
    // The further role is told; it gains no right: the plan names who may approve.
    expect(escalated[0]).toContain("cleo");
    expect((await stage.run(run)).approvals.missing.map(({ role }) => role)).toEqual(["platform"]);
    await stage.advanceUntil(run, ["expired"], { hoursMax: 6 });
    await stage.settle();
    expect(await ticketsOf(stage, "jira", "app-asked")).toHaveLength(1);
    expect(await reminders()).toHaveLength(2);
  });

  it("is not reminded of once it was decided", async () => {
    const run = await stage.request("app-decided");
    await stage.approve(run);
    await stage.advance(26 * 3_600);
    expect(
      (await roomText(stage, "ops")).filter(
        (text) => /Still waiting|Nobody has decided/.test(text) && text.includes(run),
      ),
    ).toEqual([]);
  });
});

describe("a lost answer", () => {
  it("to the creation of a ticket leads to no second one, however long the search lags", async () => {
    await stage.manage("PUT", "/knobs", { ticketSearchLagSeconds: [200, 200] });
    await stage.manage("POST", "/faults", { op: "issue.create", kind: "reset", position: "after-effect" });
    await stage.manage("POST", "/faults", { op: "record.create", kind: "504", position: "after-effect" });
    await failPartner(stage, "app-lag");
    const run = await rolledBack("app-lag");
    await stage.advance(900);
    await stage.manage("PUT", "/knobs", { ticketSearchLagSeconds: [0, 0] });
    for (const desk of ["jira", "snow"]) {
      const tickets = await ticketsOf(stage, desk, "app-lag");
      expect(tickets, desk).toHaveLength(1);
      expect(tickets[0]?.comments, desk).toHaveLength(1);
      const states = (await deliveriesOf(stage, run, desk)).map(({ kind, state }) => `${kind} ${state}`);
      expect(states, desk).toEqual(["run.rolling-back sent", "run.rolled-back sent"]);
    }
  });

  it("to a comment leads to no second one; a throttled desk is left alone as long as it asks", async () => {
    await stage.manage("POST", "/faults", { op: "comment.add", kind: "reset", position: "after-effect" });
    await stage.manage("POST", "/faults", { op: "record.update", kind: "429", retryAfterSeconds: 700 });
    await failPartner(stage, "app-lost");
    const run = await rolledBack("app-lost");
    expect((await channelOf(stage, "snow"))?.pausedUntil).not.toBeNull();
    expect((await ticketsOf(stage, "snow", "app-lost"))[0]?.comments).toHaveLength(0);
    await stage.advance(800);
    for (const desk of ["jira", "snow"]) {
      expect((await ticketsOf(stage, desk, "app-lost"))[0]?.comments, desk).toHaveLength(1);
      expect((await deliveriesOf(stage, run, desk)).at(-1)).toMatchObject({ state: "sent" });
    }
  });
});

describe("a ticket that somebody closed by hand", () => {
  it("is not written into when the trouble goes on: that is a new one", async () => {
    const mend = await failPartner(stage, "app-closed");
    await rolledBack("app-closed");
    const [first] = await ticketsOf(stage, "jira", "app-closed");
    await stage.manage("POST", `/desks/jira/${first?.key}/close`);
    await rolledBack("app-closed");
    const tickets = await ticketsOf(stage, "jira", "app-closed");
    expect(tickets.map(({ closed }) => closed)).toEqual([true, false]);
    expect(tickets[0]?.comments).toHaveLength(first?.comments.length ?? 0);
    expect(tickets[1]?.text).toContain(`Follows ${first?.key}, which was closed while the trouble went on.`);
    await mend();
  });
});

describe("every end of a run", () => {
  it("is told, whoever brought it about: refused, taken back, blocked with the owners that the inventory knows", async () => {
    const refused = await stage.request("app-ends");
    await stage.decide("ada", refused, "app-owner", "reject");
    const withdrawn = await stage.request("app-ends");
    await (await stage.as("cleo")).withdraw({ params: { id: withdrawn }, body: {} });
    await stage.editRow("app-ends", (row) => row.replace("connection: main, name", "connection: other, name"));
    const blocked = await stage.request("app-ends");
    await stage.settle();
    const ends = [
      [refused, "run.rejected"],
      [withdrawn, "run.withdrawn"],
      [blocked, "run.blocked"],
    ] as const;
    for (const [run, kind] of ends) {
      const notice = await stage.sink.until(({ type, data }) => type === kind && data.run === run);
      expect(notice.data).toMatchObject({ application: "app-ends", owners: [personId("ada"), personId("dora")] });
      expect((await deliveriesOf(stage, run, "ops")).at(-1)).toMatchObject({ kind, state: "sent" });
      expect(await stage.verdict(run)).toBe("proven");
    }
    // Only the last of them is trouble.
    const [ticket, ...more] = await ticketsOf(stage, "jira", "app-ends");
    expect(more).toEqual([]);
    expect(ticket?.title).toBe("app-ends cannot be rotated");
    expect(ticket?.text).toContain("Owners: ada, dora");
  });
});

describe("what a channel bundles", () => {
  it("goes out once a day, with so many items and a word about the rest", async () => {
    await stage.editRow("app-decided", (row) => row.replace(/owners: \[.*\]/, "owners: []"));
    for (let n = 0; n < 5; n += 1) await stage.request("app-decided");
    expect(await roomText(stage, "daily")).toEqual([]);
    await stage.stop();
    await stage.start();
    await stage.advance(24 * 3_600);
    const texts = await roomText(stage, "daily");
    expect(texts).toHaveLength(1);
    expect(texts[0]).toContain("6 things about your applications");
    expect(texts[0]?.match(/cannot be rotated/g)).toHaveLength(3);
    expect(texts[0]).toContain("and 3 more");
    // That of another application came before. One ticket for all five: the matter is the application.
    expect(await ticketsOf(stage, "jira", "app-decided")).toHaveLength(1);
  });
});

describe("no secret", () => {
  it("is in anything that was told over any channel, or stands in the outbox, in any encoding", async () => {
    const { secrets, bytes, hits } = await secretsToldOf(stage);
    // Those of nine applications, what their runs have made, and what the channels themselves are reached with.
    expect(secrets).toBeGreaterThan(20);
    expect(bytes).toBeGreaterThan(100_000);
    expect(hits).toEqual([]);
  });

  it("would be found: one that is put there on purpose is", async () => {
    const { hits } = await secretsToldOf(
      stage,
      (secret) => `{"note":"${Buffer.from(`x${secret}`).toString("base64")}"}`,
    );
    // The reader's secret is one of the tenant's.
    expect(hits).toContainEqual({ name: "value 1", encoding: "base64", place: "planted" });
  });
});
