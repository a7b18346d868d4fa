import type { RunDetail } from "@countersign/contract";
import { fromBase64, parseEnvelope, parseStatement, toBase64 } from "@countersign/evidence";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { emergencies, seedEmergencies } from "./emergencies.ts";
import { type Fixture, fixture } from "./fixture.ts";
import { now, oldKey, people, runId } from "./world.ts";

let f: Fixture;
const { waiting, alone, objected } = emergencies;
const [ada, ben, cleo] = people.map((person) => person.person) as [string, string, string];
const ordinary = runId("a");
beforeEach(async () => {
  f = await fixture();
  await seedEmergencies(f.store);
});
afterEach(() => f.app.close());

interface Made {
  statement: string;
  planDigest: string;
  reasonAttachment: string | null;
}

async function post(login: string, url: string, payload: object, headers: Record<string, string> = {}) {
  return f.app.inject({
    method: "POST",
    url,
    payload,
    headers: { authorization: `Bearer ${await f.token(login)}`, "idempotency-key": crypto.randomUUID(), ...headers },
  });
}

const ask = (login: string, run: string, role: string, decision: string, reason?: string) =>
  post(login, `/v1/runs/${run}/break-glass/statement`, { decision, role, ...(reason === undefined ? {} : { reason }) });

async function made(...said: Parameters<typeof ask>): Promise<Made> {
  const answer = await ask(...said);
  expect(answer.statusCode, answer.body).toBe(200);
  return answer.json<Made>();
}

const sign = (login: string, run: string, { statement, planDigest, reasonAttachment }: Made, headers = {}) =>
  post(
    login,
    `/v1/runs/${run}/break-glass`,
    { statement, planDigest, reasonAttachment },
    { "if-match": `"${planDigest}"`, ...headers },
  );

async function say(...said: Parameters<typeof ask>) {
  const answer = await sign(said[0], said[1], await made(...said));
  expect(answer.statusCode, answer.body).toBe(200);
  return answer.json<{ state: string; decision: string; statementDigest: string }>();
}

async function seen(login: string, run: string): Promise<RunDetail> {
  const headers = { authorization: `Bearer ${await f.token(login)}` };
  return (await f.app.inject({ url: `/v1/runs/${run}`, headers })).json<RunDetail>();
}

const lockOf = async (name: string) =>
  (
    await f.app.inject({
      url: `/v1/applications/${name}`,
      headers: { authorization: `Bearer ${await f.token("ada")}` },
    })
  ).json<{ application: { locked: { run: string } | null } }>().application.locked;

/** The refused call left everything as it was. */
async function unchanged(
  act: () => Promise<{ statusCode: number; body: string; json(): { code?: string } }>,
  code: string,
): Promise<void> {
  const before = f.store.fingerprint();
  const answer = await act();
  expect(answer.json().code, answer.body).toBe(code);
  expect(f.store.fingerprint()).toBe(before);
}

const because = "Nobody of security answers, and it is used already.";

describe("to start alone", () => {
  it("moves the run at once, and leaves a statement signed for exactly this plan and person", async () => {
    const answer = await say("ben", waiting.run, "platform", "break-glass", because);
    expect(answer).toMatchObject({ state: "approved", decision: "break-glass" });
    const envelope = f.store.attachments.get(answer.statementDigest);
    expect(parseStatement(envelope ?? new Uint8Array())).toMatchObject({
      decision: "break-glass",
      role: "platform",
      runId: waiting.run,
      approver: { sub: "ben" },
      subjects: [{ digest: f.store.records.get(waiting.run)?.planDigest, kind: "plan" }],
    });
    const envelopes = [...f.store.attachments.values()].map((bytes) => new TextDecoder().decode(bytes));
    const signed = envelopes
      .filter((text) => text.includes("payloadType"))
      .map((text) => parseEnvelope(Buffer.from(text)));
    expect(signed.map(({ payload }) => parseStatement(fromBase64(payload, "payload")).runId)).toEqual([waiting.run]);
    const { breakGlass } = await seen("cleo", waiting.run);
    expect(breakGlass?.use).toMatchObject({
      granted: { person: ben, role: "platform", reason: because },
      confirmed: null,
      reviews: [],
    });
    expect(breakGlass?.you).toMatchObject({
      grant: { allowed: false },
      confirm: { allowed: true, roles: ["security"] },
      review: { allowed: true, roles: ["security"] },
    });
    expect(await lockOf(waiting.application)).toMatchObject({ run: waiting.run });
  });

  it("leaves nothing to go back to once the compromised credential was taken away, and the page does not offer it", async () => {
    f.store.move(alone.run, "held", now);
    const { actions } = await seen("cleo", alone.run);
    expect(actions.holdDecision.allowed).toBe(true);
    expect(actions.rollBack).toEqual({ allowed: false, why: expect.stringContaining("nothing to go back to") });
    await unchanged(
      () => post("cleo", `/v1/runs/${alone.run}/hold-decisions`, { choice: "roll-back", reason: "go back" }),
      "STATE_CONFLICT",
    );
  });

  it("shows an application as locked where all are listed, and not as ready", async () => {
    const headers = { authorization: `Bearer ${await f.token("ada")}` };
    const listed = await f.app.inject({ url: "/v1/applications?readiness=locked", headers });
    expect(listed.json<{ items: { name: string }[] }>().items.map(({ name }) => name)).toEqual([objected.application]);
  });

  it("is for the people whom the plan names in the role that it names", async () => {
    await unchanged(() => ask("ada", waiting.run, "app-owner", "break-glass", because), "FORBIDDEN");
    await unchanged(() => ask("cleo", waiting.run, "security", "break-glass", because), "FORBIDDEN");
    await unchanged(() => ask("ben", waiting.run, "security", "break-glass", because), "FORBIDDEN");
    await unchanged(() => ask("dag", waiting.run, "auditor", "break-glass", because), "FORBIDDEN");
    expect((await seen("ada", waiting.run)).breakGlass?.you.grant).toMatchObject({ allowed: false, roles: [] });
  });

  it("needs a reason, a plan that allows it, and a run that waits", async () => {
    await unchanged(() => ask("ben", waiting.run, "platform", "break-glass"), "INPUT_INVALID");
    await unchanged(() => ask("ben", waiting.run, "platform", "break-glass", " "), "INPUT_INVALID");
    await unchanged(() => ask("ben", ordinary, "platform", "break-glass", because), "FORBIDDEN");
    await unchanged(() => ask("ben", alone.run, "platform", "break-glass", because), "FORBIDDEN");
    await unchanged(() => ask("ben", runId("q"), "platform", "break-glass", because), "NOT_FOUND");
    expect((await seen("ben", ordinary)).breakGlass).toBeNull();
  });

  it("a statement without its reason, with another one, or with another decision is not signed", async () => {
    const { statement, planDigest, reasonAttachment } = await made(
      "ben",
      waiting.run,
      "platform",
      "break-glass",
      because,
    );
    const other = await made("ben", waiting.run, "platform", "break-glass", "Some other reason altogether.");
    const attachments = [null, other.reasonAttachment];
    for (const attachment of attachments)
      await unchanged(
        () => sign("ben", waiting.run, { statement, planDigest, reasonAttachment: attachment }),
        "INPUT_INVALID",
      );
    const text = new TextDecoder().decode(fromBase64(statement, "statement"));
    // An approval is no grant, and the other way round: each route signs its own words only.
    const approval = toBase64(
      new TextEncoder().encode(text.replace('"decision":"break-glass"', '"decision":"approve"')),
    );
    await unchanged(
      () => sign("ben", waiting.run, { statement: approval, planDigest, reasonAttachment }),
      "INPUT_INVALID",
    );
    await unchanged(
      () =>
        post(
          "ben",
          `/v1/runs/${waiting.run}/decisions`,
          { statement, planDigest, reasonAttachment },
          { "if-match": `"${planDigest}"` },
        ),
      "INPUT_INVALID",
    );
  });

  it("somebody else's statement, another run's, and one that has expired are refused", async () => {
    const mine = await made("ben", waiting.run, "platform", "break-glass", because);
    await unchanged(() => sign("cleo", waiting.run, mine), "FORBIDDEN");
    await unchanged(() => sign("ben", alone.run, mine), "PLAN_DRIFTED");
    await unchanged(() => sign("ben", waiting.run, mine, { "if-match": `W/"${mine.planDigest}"` }), "INPUT_INVALID");
    // A quarter of an hour to start alone, not as long as an approval.
    f.time.domain = now + 901_000;
    await unchanged(() => sign("ben", waiting.run, mine), "INPUT_INVALID");
  });

  it("twice with one key is once; with another key it is refused", async () => {
    const mine = await made("ben", waiting.run, "platform", "break-glass", because);
    const key = { "idempotency-key": "start-alone-once" };
    const first = await sign("ben", waiting.run, mine, key);
    const before = f.store.fingerprint();
    const second = await sign("ben", waiting.run, mine, key);
    expect([second.statusCode, second.body]).toEqual([200, first.body]);
    expect(second.headers["idempotent-replayed"]).toBe("true");
    expect(f.store.fingerprint()).toBe(before);
    await unchanged(() => sign("ben", waiting.run, mine), "FORBIDDEN");
    await unchanged(() => sign("ben", waiting.run, { ...mine, reasonAttachment: null }, key), "CONFLICT");
  });

  it("is impossible while the installation is read-only, and without a key or a session", async () => {
    const mine = await made("ben", waiting.run, "platform", "break-glass", because);
    await unchanged(() => sign("ben", waiting.run, mine, { "idempotency-key": "" }), "INPUT_INVALID");
    await unchanged(() => sign("ben", waiting.run, mine, { authorization: "" }), "NOT_SIGNED_IN");
    const readOnly = await fixture({
      store: f.store,
      readiness: async () => ({ mode: "read-only", reasons: [] }),
    });
    const { statement, planDigest, reasonAttachment } = mine;
    const body = { statement, planDigest, reasonAttachment };
    const before = f.store.fingerprint();
    const answer = await readOnly.app.inject({
      method: "POST",
      url: `/v1/runs/${waiting.run}/break-glass`,
      payload: body,
      headers: {
        authorization: `Bearer ${await readOnly.token("ben")}`,
        "if-match": `"${mine.planDigest}"`,
        "idempotency-key": "read-only-1",
      },
    });
    expect(answer.json().code, answer.body).toBe("READ_ONLY");
    expect(f.store.fingerprint()).toBe(before);
    await readOnly.app.close();
  });
});

describe("the second person", () => {
  it("confirms without a reason, once, and is somebody else", async () => {
    await unchanged(() => ask("ben", alone.run, "platform", "confirm"), "FORBIDDEN");
    const { breakGlass } = await seen("ben", alone.run);
    expect(breakGlass?.you.confirm.why).toMatch(/Somebody else must confirm/);
    const late = await made("cleo", alone.run, "security", "confirm");
    expect(await say("ada", alone.run, "app-owner", "confirm")).toMatchObject({ state: "retiring" });
    expect((await seen("ben", alone.run)).breakGlass?.use?.confirmed).toMatchObject({ person: ada, reason: null });
    await unchanged(() => sign("cleo", alone.run, late), "FORBIDDEN");
  });

  it("cannot confirm what nobody has started, or what has ended", async () => {
    await unchanged(() => ask("cleo", waiting.run, "security", "confirm"), "FORBIDDEN");
    await unchanged(() => ask("cleo", objected.run, "security", "confirm"), "FORBIDDEN");
  });
});

describe("the review", () => {
  it("is somebody else's; an objection needs a reason and leaves the lock, an acceptance lifts it", async () => {
    await unchanged(() => ask("ben", objected.run, "platform", "accept"), "FORBIDDEN");
    await unchanged(() => ask("cleo", objected.run, "security", "object"), "INPUT_INVALID");
    expect(await lockOf(objected.application)).toMatchObject({ run: objected.run });
    expect((await seen("ada", objected.run)).breakGlass?.use?.reviews).toMatchObject([
      { person: cleo, result: "objected", reason: "Security was on duty." },
    ]);
    await say("ada", objected.run, "app-owner", "accept", "The list of who is on duty was wrong; it is mended.");
    expect(await lockOf(objected.application)).toBeNull();
    await unchanged(() => ask("cleo", objected.run, "security", "object", "Too late for that."), "FORBIDDEN");
  });
});

describe("a reported compromise", () => {
  const report = (login: string, change: object = {}, headers = {}) =>
    post(
      login,
      "/v1/requests",
      { row: "service-020", reason: "It stood in a log.", trigger: "compromise", credential: oldKey, ...change },
      headers,
    );

  it("becomes a run that says which credential and since when; who reports may not approve it", async () => {
    const answer = await report("dag", { reportedAt: "2026-11-22T20:00:00.000Z" });
    expect(answer.statusCode, answer.body).toBe(202);
    const { run } = answer.json<{ run: string }>();
    const detail = await seen("dag", run);
    expect(detail.run).toMatchObject({ trigger: "compromise", requester: people[3]?.person });
    expect(detail.compromise).toMatchObject({ credential: oldKey, reportedAt: "2026-11-22T20:00:00.000Z" });
    expect((await seen("ada", waiting.run)).approvals.you).toMatchObject({ allowed: false });
    expect((await seen("cleo", waiting.run)).approvals).toMatchObject({
      you: { allowed: true },
      missing: [{ role: "security", count: 1, people: [cleo] }],
    });
  });

  it("that names no credential, a rotation that names one, the future, and unheard-of words are refused", async () => {
    for (const [change, code] of [
      [{ credential: undefined }, "INPUT_INVALID"],
      [{ trigger: undefined }, "INPUT_INVALID"],
      [{ trigger: "manual" }, "INPUT_INVALID"],
      [{ trigger: "due" }, "INPUT_INVALID"],
      [{ credential: "" }, "INPUT_INVALID"],
      [{ credential: "two words" }, "INPUT_INVALID"],
      [{ credential: "x".repeat(201) }, "INPUT_INVALID"],
      [{ reason: "" }, "INPUT_INVALID"],
      [{ reportedAt: "yesterday" }, "INPUT_INVALID"],
      [{ reportedAt: new Date(now + 1_000).toISOString() }, "INPUT_INVALID"],
      [{ row: "no-such-application" }, "NOT_FOUND"],
    ] as const)
      await unchanged(() => report("ada", change), code);
  });

  it("goes beside an open rotation, but there is one emergency of an application at a time", async () => {
    expect((await report("ada", { row: "billing-api" })).statusCode).toBe(202);
    await unchanged(() => report("cleo", { row: "billing-api" }), "STATE_CONFLICT");
    await unchanged(() => report("ada", { row: waiting.application }), "STATE_CONFLICT");
  });

  it("sent again with its key files nothing more", async () => {
    const key = { "idempotency-key": "report-it-once" };
    const first = await report("ada", {}, key);
    const before = f.store.fingerprint();
    const second = await report("ada", {}, key);
    expect([second.statusCode, second.body]).toEqual([202, first.body]);
    expect(f.store.fingerprint()).toBe(before);
    await unchanged(() => report("ada", { reason: "It stood in another log." }, key), "CONFLICT");
  });
});
