import {
  fromBase64,
  keyIdOf,
  parseEnvelope,
  parseStatement,
  signerFromSeed,
  toBase64,
  verifyApproval,
} from "@countersign/evidence";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Fixture, fixture } from "./fixture.ts";
import { addRun, day, entraRow, now, people, runId } from "./world.ts";

let f: Fixture;
const run = runId("a");
beforeEach(async () => {
  f = await fixture();
});
afterEach(() => f.app.close());

interface Made {
  statement: string;
  planDigest: string;
  reasonAttachment: string | null;
  digest: string;
}

async function post(login: string, url: string, payload: object, headers: Record<string, string> = {}) {
  return f.app.inject({
    method: "POST",
    url,
    payload,
    headers: { authorization: `Bearer ${await f.token(login)}`, "idempotency-key": crypto.randomUUID(), ...headers },
  });
}

async function statement(login: string, role: string, decision = "approve", reason?: string): Promise<Made> {
  const answer = await post(login, `/v1/runs/${run}/statement`, {
    decision,
    role,
    ...(reason === undefined ? {} : { reason }),
  });
  expect(answer.statusCode, answer.body).toBe(200);
  return answer.json<Made>();
}

const decide = (login: string, made: Made, headers: Record<string, string> = {}, id = run) =>
  post(
    login,
    `/v1/runs/${id}/decisions`,
    { statement: made.statement, planDigest: made.planDigest, reasonAttachment: made.reasonAttachment },
    { "if-match": `"${made.planDigest}"`, ...headers },
  );

/** The refused call left everything as it was. */
async function unchanged(
  act: () => Promise<{ statusCode: number; json(): { code?: string } }>,
  code: string,
): Promise<void> {
  const before = f.store.fingerprint();
  const answer = await act();
  expect(answer.json().code).toBe(code);
  expect(f.store.fingerprint()).toBe(before);
}

describe("two people of different roles", () => {
  it("complete the quorum, and the second approval moves the run", async () => {
    const first = await decide("ada", await statement("ada", "app-owner"));
    expect(first.json()).toMatchObject({ state: "awaiting_approval", missing: [{ role: "platform", count: 1 }] });
    const second = await decide("ben", await statement("ben", "platform"));
    expect(second.json()).toMatchObject({ state: "approved", missing: [] });
    expect(f.store.records.get(run)?.notBefore).toBeGreaterThanOrEqual(now);
  });

  it("leave statements that anybody can verify with the session key", async () => {
    await decide("ada", await statement("ada", "app-owner"));
    const envelopes = [...f.store.attachments.values()].filter((bytes) =>
      new TextDecoder().decode(bytes).includes("payloadType"),
    );
    expect(envelopes).toHaveLength(1);
    const payload = fromBase64(parseEnvelope(envelopes[0]!).payload, "payload");
    const { publicKey } = signerFromSeed(new Uint8Array(32).fill(7), "session");
    const { statement: said } = verifyApproval(payload, envelopes[0]!, [{ keyId: keyIdOf(publicKey), publicKey }]);
    expect(said).toMatchObject({ decision: "approve", role: "app-owner", runId: run, approver: { sub: "ada" } });
  });

  it("one reject with a reason ends the run", async () => {
    const made = await statement("ben", "platform", "reject", "The partner is in a freeze until Monday.");
    expect((await decide("ben", made)).json()).toMatchObject({ state: "rejected" });
    const seen = await f.app.inject({
      url: `/v1/runs/${run}`,
      headers: { authorization: `Bearer ${await f.token("ada")}` },
    });
    expect(seen.json()).toMatchObject({
      approvals: { given: [{ decision: "reject", reason: "The partner is in a freeze until Monday." }] },
    });
  });
});

describe("refused, and nothing changes", () => {
  it("a reject without a reason", () =>
    unchanged(
      () => post("ada", `/v1/runs/${run}/statement`, { decision: "reject", role: "app-owner" }),
      "INPUT_INVALID",
    ));

  it("a role that the person does not hold", () =>
    unchanged(() => post("ada", `/v1/runs/${run}/statement`, { decision: "approve", role: "platform" }), "FORBIDDEN"));

  it("a person whom the plan does not name", () =>
    unchanged(() => post("cleo", `/v1/runs/${run}/statement`, { decision: "approve", role: "security" }), "FORBIDDEN"));

  it("the requester, with the reason why", async () => {
    const own = runId("z");
    addRun(f.store, own, entraRow("own", 99), people[0]!.person, now, "I want this.");
    await unchanged(
      () => post("ada", `/v1/runs/${own}/statement`, { decision: "approve", role: "app-owner" }),
      "FORBIDDEN",
    );
    const seen = await f.app.inject({
      url: `/v1/runs/${own}`,
      headers: { authorization: `Bearer ${await f.token("ada")}` },
    });
    expect(seen.json<{ approvals: { you: { why: string } } }>().approvals.you.why).toMatch(/You asked for this run/);
  });

  it("a second decision of the same person", async () => {
    const made = await statement("ada", "app-owner");
    await decide("ada", made);
    await unchanged(() => decide("ada", made), "CONFLICT");
  });

  it("no If-Match, a weak one, and one without quotes", async () => {
    const made = await statement("ada", "app-owner");
    for (const tag of ["", made.planDigest, `W/"${made.planDigest}"`, "*"])
      await unchanged(() => decide("ada", made, { "if-match": tag }), "INPUT_INVALID");
  });

  it("a digest of another plan", async () => {
    const made = { ...(await statement("ada", "app-owner")), planDigest: `sha256:${"0".repeat(64)}` };
    await unchanged(() => decide("ada", made), "PLAN_DRIFTED");
  });

  it("a plan whose stored text was changed under its digest", async () => {
    const made = await statement("ada", "app-owner");
    const text = f.store.plans.get(made.planDigest) ?? "";
    f.store.plans.set(made.planDigest, text.replace('"prod":false', '"prod":true'));
    await unchanged(() => decide("ada", made), "PLAN_DRIFTED");
  });

  it("somebody else's statement", async () =>
    unchanged(async () => decide("ben", await statement("ada", "app-owner")), "FORBIDDEN"));

  it("a statement of another run, policy, person or time, and one that is not canonical", async () => {
    const made = await statement("ada", "app-owner");
    const said = new TextDecoder().decode(fromBase64(made.statement, "statement"));
    const edits: [string, string][] = [
      [run, runId("9")],
      ['"sub":"ada"', '"sub":"ben"'],
      ['"iss":"https://demo', '"iss":"https://evil'],
      ['"rpId":"127.0.0.1"', '"rpId":"evil.example"'],
      ['"origin":"demo.', '"origin":"evil.'],
      ['"decision":"approve"', '"decision":"reject"'],
      ['"reasonDigest":null', `"reasonDigest":"sha256:${"1".repeat(64)}"`],
      ['"kind":"plan"', '"kind":"plans"'],
      ['"size":1', '"size":1000000'],
      ["{", "{ "],
      [parseStatement(fromBase64(made.statement, "s")).policyDigest, `sha256:${"3".repeat(64)}`],
    ];
    for (const [from, to] of edits) {
      expect(said, from).toContain(from);
      await unchanged(
        () => decide("ada", { ...made, statement: toBase64(new TextEncoder().encode(said.replace(from, to))) }),
        "INPUT_INVALID",
      );
    }
  });

  it("a statement that has expired, and a plan whose time has passed", async () => {
    const made = await statement("ada", "app-owner");
    const said = new TextDecoder().decode(fromBase64(made.statement, "statement"));
    const { expiresAt } = parseStatement(fromBase64(made.statement, "statement"));
    const shorter = said.replace(expiresAt, new Date(now + 60_000).toISOString());
    f.time.domain = now + 61_000;
    await unchanged(
      () => decide("ada", { ...made, statement: toBase64(new TextEncoder().encode(shorter)) }),
      "INPUT_INVALID",
    );
    const longer = said.replace(expiresAt, new Date(now + 10 * day).toISOString());
    await unchanged(
      () => decide("ada", { ...made, statement: toBase64(new TextEncoder().encode(longer)) }),
      "INPUT_INVALID",
    );
    f.time.domain += 2 * day;
    await unchanged(() => decide("ada", made), "STATE_CONFLICT");
  });

  it("a decision on a run that does not wait", async () => {
    for (const id of [runId("9"), runId("8"), runId("7")]) {
      await unchanged(
        () => post("ada", `/v1/runs/${id}/statement`, { decision: "approve", role: "app-owner" }),
        "STATE_CONFLICT",
      );
    }
  });

  it("a decision while the installation is read-only", async () => {
    const made = await statement("ada", "app-owner");
    const readOnly = await fixture({ readiness: async () => ({ mode: "read-only", reasons: [] }) });
    const answer = await readOnly.app.inject({
      method: "POST",
      url: `/v1/runs/${run}/decisions`,
      payload: { statement: made.statement, planDigest: made.planDigest },
      headers: {
        authorization: `Bearer ${await readOnly.token("ada")}`,
        "if-match": `"${made.planDigest}"`,
        "idempotency-key": "12345678",
      },
    });
    expect(answer.json()).toMatchObject({ code: "READ_ONLY" });
    await readOnly.app.close();
  });
});

describe("repeats", () => {
  it("the same key and body give the first answer and change nothing more", async () => {
    const made = await statement("ada", "app-owner");
    const headers = { "idempotency-key": "decide-once-1" };
    const first = await decide("ada", made, headers);
    const before = f.store.fingerprint();
    const second = await decide("ada", made, headers);
    expect(second.body).toBe(first.body);
    expect(second.headers["idempotent-replayed"]).toBe("true");
    expect(f.store.fingerprint()).toBe(before);
  });

  it("the same key with another body is refused", async () => {
    const headers = { "idempotency-key": "request-once-1" };
    expect((await post("ada", "/v1/requests", { row: "reporting", reason: "first reason" }, headers)).statusCode).toBe(
      202,
    );
    await unchanged(
      () => post("ada", "/v1/requests", { row: "crm-bridge", reason: "first reason" }, headers),
      "CONFLICT",
    );
  });

  it("an application with an open run is not requested twice", () =>
    unchanged(() => post("ada", "/v1/requests", { row: "billing-api", reason: "again please" }), "STATE_CONFLICT"));
});

describe("what a person may ask of a run", () => {
  it("withdraw before the first effect, roll back until retirement, decide on a hold", async () => {
    expect((await post("cleo", `/v1/runs/${run}/withdraw`, {})).json()).toMatchObject({ state: "withdrawn" });
    expect((await post("ben", `/v1/runs/${runId("9")}/roll-back`, { reason: "errors in orders-api" })).statusCode).toBe(
      202,
    );
    expect(
      (await post("ben", `/v1/runs/${runId("8")}/hold-decisions`, { choice: "retry", reason: "share is back" }))
        .statusCode,
    ).toBe(202);
    expect(f.store.asks).toMatchObject([{ what: "roll-back" }, { what: "retry" }]);
  });

  it("nothing else", async () => {
    await unchanged(() => post("ben", `/v1/runs/${runId("9")}/withdraw`, {}), "STATE_CONFLICT");
    await unchanged(
      () => post("ben", `/v1/runs/${runId("7")}/roll-back`, { reason: "too late now" }),
      "STATE_CONFLICT",
    );
    await unchanged(() => post("ben", `/v1/runs/${run}/roll-back`, { reason: "too early" }), "STATE_CONFLICT");
    await unchanged(
      () => post("ben", `/v1/runs/${runId("9")}/hold-decisions`, { choice: "retry", reason: "not held" }),
      "STATE_CONFLICT",
    );
    await unchanged(() => post("dag", `/v1/runs/${runId("9")}/roll-back`, { reason: "auditors may not" }), "FORBIDDEN");
    await unchanged(() => post("dag", `/v1/runs/${run}/withdraw`, {}), "STATE_CONFLICT");
  });
});
