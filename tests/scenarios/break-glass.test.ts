import { digestOf, generateKeyPem, parseStatement, signApproval, signerFromPem } from "@countersign/evidence";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { roomText, ticketsOf } from "./channels.ts";
import { personId, withEmergencyTerms } from "./documents.ts";
import { tellOnFailure } from "./failure.ts";
import { refusal, Stage } from "./stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open({
    applications: [
      { name: "app-alone", instant: true },
      { name: "app-late", instant: true },
      { name: "app-objected", instant: true },
      // Due soon, so that every scan would ask for it.
      { name: "app-back", expiresInDays: 13 },
      { name: "app-forged", instant: true },
      { name: "app-lent", instant: true },
    ],
    policy: (yaml) => goingBack(withEmergencyTerms(yaml)),
    channels: ["ops", "jira"],
  });
});
afterAll(() => stage?.close());
beforeEach(() => tellOnFailure(stage));

/** For app-back a use that nobody confirms is rolled back; of two policies the stricter word holds. */
function goingBack(yaml: string): string {
  const [, dev = ""] = /\n( {2}dev:\n[\s\S]*?)(?=\n {2}test:)/.exec(yaml) ?? [];
  const narrow = dev
    .replace("  dev:", "  back:")
    .replace("match: { environment: dev }", "match: { names: [app-back] }")
    .replace("unconfirmed: hold", "unconfirmed: roll-back");
  return `${yaml.trimEnd()}\n${narrow}\n`;
}

const reason = "the repository was public since noon, nobody of security answers";

async function leak(application: string): Promise<{ run: string; leaked: string }> {
  const [leaked = ""] = await stage.secretsOf(application);
  return { run: await stage.report(application, leaked), leaked };
}

const people = (...logins: string[]) => logins.map(personId).sort();

const lockOf = async (application: string) =>
  (await (await stage.as("cleo")).getApplication({ params: { name: application } })).application.locked;

describe("one person alone", () => {
  it("starts an emergency with a reason, a second one confirms it, a review ends it: more evidence, not less", async () => {
    const { run, leaked } = await leak("app-alone");
    // Without a reason, in a role that the policy does not name, or as somebody else: no.
    expect((await refusal(stage.say("ben", run, "platform", "break-glass"))).code).toBe("INPUT_INVALID");
    expect((await refusal(stage.say("cleo", run, "security", "break-glass", reason))).code).toBe("FORBIDDEN");
    await stage.say("ben", run, "platform", "break-glass", reason);
    // Told at once to owners, to security, and to all who may confirm it.
    const used = await stage.sink.until(({ type, data }) => type === "breakglass.used" && data.run === run);
    expect(used.data).toMatchObject({ person: personId("ben"), audience: people("ada", "cleo", "dora") });
    await stage.advance(120);
    const [loud] = (await roomText(stage, "ops")).filter(
      (text) => text.includes("one person alone") && text.includes(run),
    );
    for (const fact of [
      /EMERGENCY: Break-glass/,
      /Started alone by\\nben"/,
      /May confirm\\n(?:(?:ada|cleo|dora)(?:, )?){3}"/,
    ])
      expect(loud).toMatch(fact);
    expect((await ticketsOf(stage, "jira", "app-alone"))[0]).toMatchObject({
      closed: false,
      title: "EMERGENCY: Break-glass: one person alone let the rotation of app-alone start",
    });
    expect(await stage.secretsOf("app-alone")).not.toContain(leaked);
    // It is not complete before somebody else has confirmed, and ben is nobody else.
    await stage.advance(1_800);
    expect(await stage.stateOf(run)).toBe("retiring");
    expect((await refusal(stage.say("ben", run, "platform", "confirm"))).code).toBe("FORBIDDEN");
    await stage.say("ada", run, "app-owner", "confirm");
    await stage.sink.until(({ type, data }) => type === "breakglass.confirmed" && data.person === personId("ada"));
    await stage.advanceUntil(run, ["completed"], { stepSeconds: 60, hoursMax: 1 });
    await stage.settle();
    expect((await ticketsOf(stage, "jira", "app-alone")).map(({ closed }) => closed)).toEqual([true]);

    expect(await lockOf("app-alone")).toMatchObject({ run, person: personId("ben") });
    expect((await refusal(stage.say("ben", run, "platform", "accept"))).code).toBe("FORBIDDEN");
    await stage.say("cleo", run, "security", "accept", "it was the right thing to do");
    expect(await lockOf("app-alone")).toBeNull();
    const reviewed = await stage.sink.until(({ type, data }) => type === "breakglass.reviewed" && data.run === run);
    expect(reviewed.data).toMatchObject({ person: personId("cleo"), result: "accepted" });
    const { breakGlass } = await stage.run(run);
    expect(breakGlass?.use).toMatchObject({
      granted: { person: personId("ben"), role: "platform", reason },
      confirmed: { person: personId("ada") },
      reviews: [{ person: personId("cleo"), result: "accepted" }],
    });
    const { failedSignIns, orphans } = await stage.figures("app-alone");
    expect({ failedSignIns, orphans }).toEqual({ failedSignIns: 0, orphans: [] });
    expect([await stage.verdict(run), stage.secondVerdict(run)]).toEqual(["proven", "proven"]);
  });

  it("who is not confirmed in time is stopped, and goes on with the word that was missing", async () => {
    const { run } = await leak("app-late");
    await stage.say("ben", run, "platform", "break-glass", reason);
    await stage.advance(2 * 3_600 + 60);
    expect((await stage.run(run)).run).toMatchObject({ state: "held", because: { code: "break-glass-unconfirmed" } });
    await (await stage.as("ben")).decideHold({
      params: { id: run },
      body: { choice: "roll-forward", reason: "it is fine, I say" },
    });
    await stage.advance(60);
    expect(await stage.stateOf(run)).toBe("held");
    const stopped = await stage.sink.until(({ type, data }) => type === "run.held" && data.run === run);
    expect(stopped.data.audience).toEqual(people("ada", "cleo", "dora"));
    await stage.say("cleo", run, "security", "confirm");
    await stage.advanceUntil(run, ["completed"], { stepSeconds: 60, hoursMax: 1 });
    expect([await stage.verdict(run), stage.secondVerdict(run)]).toEqual(["proven", "proven"]);

    // Nobody reviews it: that is told each day, until somebody does.
    await stage.advance(2 * 86_400);
    const late = await stage.sink.until(({ type, data }) => type === "breakglass.review-late" && data.run === run);
    expect(late.data).toMatchObject({ application: "app-late", audience: people("ada", "cleo", "dora") });
    // Its own ticket, since the rotation's was closed with it; whoever accepts it closes that.
    expect((await ticketsOf(stage, "jira", "app-late")).map(({ closed }) => closed)).toEqual([true, false]);
    await stage.say("ada", run, "app-owner", "accept", "it was right, and late");
    await stage.settle();
    expect((await ticketsOf(stage, "jira", "app-late")).map(({ closed }) => closed)).toEqual([true, true]);
  });

  it("whose use is objected to leaves the application locked until a review accepts it", async () => {
    const { run } = await leak("app-objected");
    await stage.say("ben", run, "platform", "break-glass", reason);
    await stage.advance(120);
    await stage.say("ada", run, "app-owner", "confirm");
    await stage.advanceUntil(run, ["completed"], { stepSeconds: 60, hoursMax: 1 });
    expect((await refusal(stage.say("cleo", run, "security", "object"))).code).toBe("INPUT_INVALID");
    await stage.say("cleo", run, "security", "object", "security was on duty and was not called");
    expect(await lockOf("app-objected")).toMatchObject({ run });
    expect([await stage.verdict(run), stage.secondVerdict(run)]).toEqual(["proven", "proven"]);
    await stage.say("ada", run, "app-owner", "accept", "the on-call list was wrong and is mended");
    expect(await lockOf("app-objected")).toBeNull();
  });

  it("who starts an ordinary rotation and is not confirmed is rolled back, and the scans ask for nothing until it is reviewed", async () => {
    // The daily scan has asked for it.
    const run = (await stage.newestOf("app-back")) ?? "";
    await stage.say("ben", run, "platform", "break-glass", reason);
    await stage.advanceUntil(run, ["rolled_back"], { stepSeconds: 900, hoursMax: 8 });
    expect((await stage.run(run)).story.findLast(({ to }) => to === "rolling_back")?.because).toMatchObject({
      code: "break-glass-unconfirmed",
    });
    const { failedSignIns, orphans } = await stage.figures("app-back");
    expect({ failedSignIns, orphans }).toEqual({ failedSignIns: 0, orphans: [] });
    expect([await stage.verdict(run), stage.secondVerdict(run)]).toEqual(["proven", "proven"]);

    await stage.advance(2 * 86_400);
    expect(await stage.newestOf("app-back")).toBe(run);
    expect(await lockOf("app-back")).toMatchObject({ run });
    await stage.say("cleo", run, "security", "accept", "no harm was done");
    await stage.advance(86_400);
    expect(await stage.newestOf("app-back")).not.toBe(run);
  });
});

describe("a grant that nobody gave", () => {
  it("signed by a stranger's key, in rows and log as if the API had written it, has no effect", async () => {
    const { run } = await leak("app-forged");
    const asked = await (await stage.as("ben")).makeUseStatement({
      params: { id: run },
      body: { decision: "break-glass", role: "platform", reason },
    });
    // ben was only shown it. Somebody who owns the database signs in his name.
    const statement = Buffer.from(asked.statement, "base64");
    await forge(run, statement, await signApproval(statement, signerFromPem(generateKeyPem(), "a stranger")));
    await stage.advance(600);
    expect((await stage.run(run)).run).toMatchObject({ state: "blocked", because: { code: "AUTHORISATION_INVALID" } });
    expect(await stage.effects("app-forged")).toEqual([]);
  });

  it("lent from another run, signed by our own key, has no effect", async () => {
    const source = await stage.newestOf("app-objected");
    const { run } = await leak("app-lent");
    const [word] = await stage.asDatabaseOwner(
      async (owner) =>
        (
          await owner.query<{ statement: Buffer; envelope: Buffer }>(
            `select s.bytes as statement, e.bytes as envelope from cs.break_glass b
               join cs.attachment s on s.digest = b.statement_digest join cs.attachment e on e.digest = b.evidence_digest
             where b.run_id = $1`,
            [source],
          )
        ).rows,
    );
    if (word === undefined) throw new Error("expected a use to lend");
    expect(parseStatement(word.statement).decision).toBe("break-glass");
    await forge(run, word.statement, word.envelope);
    await stage.advance(600);
    expect((await stage.run(run)).run).toMatchObject({ state: "blocked", because: { code: "AUTHORISATION_INVALID" } });
    expect(await stage.effects("app-lent")).toEqual([]);
  });
});

/** Writes a use as the owner of the database could, and lets the run go. */
function forge(run: string, statement: Uint8Array, envelope: Uint8Array): Promise<unknown> {
  // On purpose: the row is moved past its log, in which no `run.moved` says so.
  stage.expectBroken(run, "I9");
  return stage.asDatabaseOwner(async (owner) => {
    for (const [kind, bytes] of [
      ["statement", statement],
      ["envelope", envelope],
    ] as const)
      await owner.query(
        "insert into cs.attachment (digest, kind, bytes, stored_at) values ($1, $2, $3, 0) on conflict do nothing",
        [digestOf(bytes), kind, Buffer.from(bytes)],
      );
    await owner.query(
      `insert into cs.break_glass (run_id, target_key, plan_digest, person, role, level, statement_digest, evidence_digest, at,
         confirm_until, review_until)
       select id, target_key, plan_digest, $2, 'platform', 'session', $3, $4, updated_at, updated_at + 7200000, updated_at + 86400000
       from cs.run where id = $1`,
      [run, personId("ben"), digestOf(statement), digestOf(envelope)],
    );
    await owner.query("update cs.run set state = 'approved', not_before = updated_at where id = $1", [run]);
  });
}
