import { setTimeout as delay } from "node:timers/promises";
import type { Answer } from "@countersign/contract";
import { newRunId, openCheckpointer, type Store } from "@countersign/engine";
import { signerFromSeed } from "@countersign/evidence";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
// oxlint-disable-next-line countersign/imports -- a test's own set-up, which no package exports
import { ada as anotherAda, claimAll, newWorker, startServer, storesOf } from "../../../engine/test/store/harness.ts";
import { databaseSessions, databaseStore } from "../../src/api/index.ts";
import { Sessions, sessionLimits } from "../../src/signin/index.ts";
import { type Fixture, fixture, origin } from "./fixture.ts";
import { MemoryStore } from "./memory-store.ts";
import { addRun, entraRow, now, people, tenant } from "./world.ts";

interface Page {
  items: { id: string }[];
  nextCursor: string | null;
  total: number;
}

const row = entraRow("billing-api", 1);
let server: Awaited<ReturnType<typeof startServer>>;
let stores: ReturnType<typeof storesOf>;
let f: Fixture;
let real = Date.parse("2099-01-01T00:00:00.000Z");

beforeAll(async () => {
  server = await startServer();
  stores = storesOf(await server.database());
  const api: Store = stores.cs_api;
  f = await fixture({
    store: databaseStore(api, () => ({ rows: [row] })),
    sessions: new Sessions(
      databaseSessions(api, () => real, sessionLimits.absoluteMs),
      () => real,
    ),
    inventory: () => ({ rows: [row], digest: null, policyDigest: null, isProd: () => false }),
  });
}, 120_000);
afterAll(async () => {
  await f.app.close();
  await stores.close();
  await server.end();
});

async function call(
  login: string,
  method: "GET" | "POST" | "DELETE",
  url: string,
  payload?: object,
  headers: Record<string, string> = {},
) {
  return f.app.inject({
    method,
    url,
    headers: { authorization: `Bearer ${await f.token(login)}`, "idempotency-key": crypto.randomUUID(), ...headers },
    ...(payload === undefined ? {} : { payload }),
  });
}

/** Does what the executor does between a request and the wait for approval. */
async function planned(run: string): Promise<string> {
  const memory = new MemoryStore();
  const digest = addRun(memory, run, row, people[2]!.person, now);
  const worker = await newWorker(stores.cs_executor);
  const [claimed] = await claimAll(stores.cs_executor, worker, { run, now });
  const hold = { run, worker, fence: claimed?.run.fence ?? -1 };
  const plan = new TextEncoder().encode(memory.plans.get(digest) ?? "");
  const fence = await stores.cs_executor.transition({
    ...hold,
    from: "requested",
    to: "planned",
    at: now,
    because: null,
    notBefore: now,
    release: false,
    plan,
    policyDigest: `sha256:${"2".repeat(64)}`,
  });
  await stores.cs_executor.transition({
    ...hold,
    fence,
    from: "planned",
    to: "awaiting_approval",
    at: now,
    because: null,
    notBefore: now + 1,
    release: true,
    data: { approveUntil: now + 86_400_000 },
  });
  return digest;
}

describe("over the database, as cs_api", () => {
  it.each(["x", "null", "[1]", '{"expiresAt":"soon"}', '{"expiresAt":1,"tenant":"\\u0000","objectId":"a","id":"b"}'])(
    "refuses %s as the place where a page of the ledger ended",
    async (place) => {
      const cursor = Buffer.from(place).toString("base64url");
      const answer = await call("ada", "GET", `/v1/credentials?cursor=${cursor}`);
      expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([400, "INPUT_INVALID"]);
    },
  );

  it("a request, two approvals and their evidence go all the way", async () => {
    const filed = await call("cleo", "POST", "/v1/requests", { row: row.name, reason: "It expires in two weeks." });
    expect(filed.statusCode, filed.body).toBe(202);
    const { run } = filed.json<{ run: string }>();
    const digest = await planned(run);
    const checkpointer = openCheckpointer({
      store: stores.cs_executor,
      signer: signerFromSeed(new Uint8Array(32).fill(9), f.api.installation.origin),
      stateFolder: server.scratch,
      onError: (error) => {
        throw error;
      },
    });
    await checkpointer.checkpointNow();

    const detail = await call("ada", "GET", `/v1/runs/${run}`);
    expect(detail.json(), detail.body).toMatchObject({
      reason: "It expires in two weeks.",
      plan: { digest },
      run: { state: "awaiting_approval", waitsForYou: true },
    });
    for (const [login, role] of [
      ["ada", "app-owner"],
      ["ben", "platform"],
    ] as const) {
      const made = await call(login, "POST", `/v1/runs/${run}/statement`, {
        decision: "approve",
        role,
        reason: "Checked with the team.",
      });
      expect(made.statusCode, made.body).toBe(200);
      const { statement, reasonAttachment } = made.json<{ statement: string; reasonAttachment: string }>();
      const done = await call(
        login,
        "POST",
        `/v1/runs/${run}/decisions`,
        { statement, planDigest: digest, reasonAttachment },
        { "if-match": `"${digest}"` },
      );
      expect(done.statusCode, done.body).toBe(200);
    }
    const after = (await call("cleo", "GET", `/v1/runs/${run}`)).json<{
      run: { state: string };
      approvals: { given: { reason: string }[] };
      story: { type: string }[];
    }>();
    expect(after.run.state).toBe("approved");
    expect(after.approvals.given.map((given) => given.reason)).toEqual([
      "Checked with the team.",
      "Checked with the team.",
    ]);
    expect(after.story.filter((line) => line.type === "approval.given")).toHaveLength(2);
    expect((await call("ada", "POST", `/v1/runs/${run}/withdraw`, {})).json()).toMatchObject({ state: "withdrawn" });
  });

  it("every list answers, also when there is nothing", async () => {
    for (const url of [
      "/v1/status",
      "/v1/applications",
      "/v1/applications/billing-api",
      "/v1/credentials",
      "/v1/findings",
      "/v1/runs",
      "/v1/runs?open=true&row=billing-api",
      "/v1/log/checkpoint",
      "/v1/log/entries",
    ]) {
      const answer = await call("ada", "GET", url);
      expect(answer.statusCode, answer.body).toBe(200);
    }
  });

  it("pages of runs follow each other without a gap", async () => {
    for (let index = 0; index < 5; index += 1) {
      const at = now + index;
      await stores.cs_api.submitRun({
        id: newRunId(at),
        tenant: tenant.name,
        environment: "dev",
        targetKey: `t${index}`,
        target: {},
        procedure: "entra-client-secret@1",
        trigger: "manual",
        requester: anotherAda,
        at,
      });
    }
    const seen: string[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const page: Page = (
        await call("ada", "GET", `/v1/runs?limit=2${cursor === "" ? "" : `&cursor=${cursor}`}`)
      ).json<Page>();
      seen.push(...page.items.map((item) => item.id));
      cursor = page.nextCursor;
      expect(page.total).toBe(6);
    }
    expect(new Set(seen).size).toBe(6);
  });

  it("freeze and lift are one state for everybody", async () => {
    expect((await call("ben", "POST", "/v1/freeze", {})).statusCode).toBe(200);
    expect((await call("ada", "GET", "/v1/status")).json()).toMatchObject({ freeze: { by: people[1]!.person } });
    expect((await call("cleo", "DELETE", "/v1/freeze")).statusCode).toBe(204);
    expect((await call("ada", "GET", "/v1/status")).json()).toMatchObject({ freeze: null });
  });

  it("what findings rest on and was not read is said beside them", async () => {
    const { cs_scanner } = stores;
    const pass = { id: "scan_unread", worker: crypto.randomUUID() };
    await cs_scanner.scanOpen({ ...pass, tenant: tenant.name, kind: "details", dueAt: now, leaseMs: 10_000, at: now });
    const unread = async () => (await call("ada", "GET", "/v1/findings")).json<Answer<"listFindings">>().unread;
    expect(await unread()).toEqual([]);
    await cs_scanner.detailBegin(pass, "failures", now);
    const of = { tenant: tenant.name, part: "failures" };
    expect(await unread()).toEqual([{ ...of, refused: false, readAt: null }]);
    await cs_scanner.detailRead(pass, "failures", true);
    expect(await unread()).toEqual([]);
    await cs_scanner.detailRead(pass, "failures", false);
    expect(await unread()).toEqual([{ ...of, refused: true, readAt: new Date(now).toISOString() }]);
    await cs_scanner.detailEnd({ ...pass, error: null, summary: null, at: now });
  });

  it("a finding is accepted by two people, the second of security, counted apart until its date, and taken back", async () => {
    const said = {
      objectId: "o",
      credential: "k",
      code: "long-lived",
      kind: "application",
      appId: "a",
      row: null,
    } as const;
    const shown = { name: "Billing", environment: null, observed: "730 days", required: "at most 365 days" };
    await stores.cs_scanner.findingsPut(tenant.name, ["o"], [{ ...said, ...shown }], now);
    const listed = async (login: string, state: string) => {
      const answer = await call(login, "GET", `/v1/findings?state=${state}`);
      expect(answer.statusCode, answer.body).toBe(200);
      const { items, total, facets } = answer.json<Answer<"listFindings">>();
      return {
        items,
        total,
        states: Object.fromEntries(facets.state?.map(({ value, count }) => [value, count]) ?? []),
      };
    };
    const post = async (login: string, what: string, body: object) => {
      const answer = await call(login, "POST", `/v1/acceptances${what}`, body);
      return [answer.statusCode, answer.json<{ code?: string; acceptances?: number[] }>()] as const;
    };
    const day = 86_400_000;
    const at = (days: number) => new Date(f.time.domain + days * day).toISOString();
    const finding = (await listed("ada", "open")).items[0]?.id;
    const reason = "The vendor replaces it in spring.";
    for (const until of [at(0), at(-1), at(181), "2099-13-01T00:00:00.000Z"])
      expect(await post("ada", "", { findings: [finding], until, reason })).toMatchObject([
        400,
        { code: "INPUT_INVALID" },
      ]);
    expect(await post("dag", "", { findings: [finding], until: at(30), reason })).toMatchObject([403, {}]);
    const [made, { acceptances = [] }] = await post("ada", "", { findings: [finding, finding], until: at(30), reason });
    expect([made, acceptances.length]).toEqual([201, 1]);

    expect(await listed("ada", "open")).toMatchObject({ total: 1, states: { open: 1, accepted: 0, asked: 1 } });
    const mayConfirm = async (login: string) =>
      (await listed(login, "asked")).items[0]?.acceptance?.you.confirm.allowed;
    expect([await mayConfirm("ada"), await mayConfirm("ben"), await mayConfirm("cleo")]).toEqual([false, false, true]);
    for (const login of ["ada", "ben", "dag"])
      expect(await post(login, "/confirmations", { acceptances })).toMatchObject([403, { code: "FORBIDDEN" }]);
    expect(await post("ben", "/withdrawals", { acceptances })).toMatchObject([403, { code: "FORBIDDEN" }]);
    expect(await post("cleo", "/confirmations", { acceptances })).toEqual([200, { acceptances }]);
    expect(await post("cleo", "/confirmations", { acceptances })).toMatchObject([409, { code: "STATE_CONFLICT" }]);

    expect(await listed("ada", "open")).toMatchObject({ total: 0, states: { open: 0, accepted: 1, asked: 0 } });
    expect((await listed("dag", "accepted")).items).toMatchObject([
      {
        acceptance: {
          state: "accepted",
          reason,
          until: at(30),
          askedBy: people[0]!.person,
          confirmedBy: people[2]!.person,
        },
      },
    ]);
    f.time.domain += 30 * day;
    expect(await listed("ada", "open")).toMatchObject({ total: 1, states: { open: 1, accepted: 0, expired: 1 } });
    f.time.domain -= 30 * day;

    expect(await post("ada", "/withdrawals", { acceptances })).toEqual([200, { acceptances }]);
    expect((await listed("ada", "open")).items).toMatchObject([{ id: finding, acceptance: null }]);
    // Who is of security and asks needs somebody else of security.
    const [, own] = await post("cleo", "", { findings: [finding], until: at(30), reason });
    expect(await post("cleo", "/confirmations", own)).toMatchObject([403, { code: "FORBIDDEN" }]);
    expect((await post("cleo", "/withdrawals", own))[0]).toBe(200);
  });

  it("sessions outlive the process and end by idleness", async () => {
    const token = await f.token("ada");
    const other = new Sessions(
      databaseSessions(stores.cs_api, () => real, sessionLimits.absoluteMs),
      () => real,
    );
    expect(await other.personOf(token)).toMatchObject({ person: people[0]!.person });
    real += 20 * 60_000;
    expect(await other.personOf(token)).not.toBeNull();
    real += 29 * 60_000;
    expect(await other.personOf(token)).not.toBeNull();
    real += 31 * 60_000;
    expect(await other.personOf(token)).toBeNull();
  });

  it("another instance's change reaches a listening browser within a second", async () => {
    const address = await f.app.listen({ port: 0, host: "127.0.0.1" });
    const token = await f.token("ada");
    const stream = await fetch(`${address}/v1/events`, { headers: { authorization: `Bearer ${token}`, origin } });
    const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
    await reader?.read();
    await delay(400);
    const startedAt = performance.now();
    const id = newRunId(now + 50);
    await stores.cs_executor.submitRun({
      id,
      tenant: tenant.name,
      environment: "dev",
      targetKey: "late",
      target: {},
      procedure: "entra-client-secret@1",
      trigger: "manual",
      requester: anotherAda,
      at: now + 50,
    });
    let text = "";
    while (!text.includes(id)) text += (await reader?.read())?.value ?? "";
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    await reader?.cancel();
  });
});
