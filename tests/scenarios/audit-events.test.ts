import { createHmac } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { tellOnFailure } from "./failure.ts";
import { Stage } from "./stage.ts";

const key = "a key that only the SIEM has";
let stage: Stage;
beforeAll(async () => {
  process.env.STAGE_SIEM_KEY = key;
  stage = await Stage.open({
    applications: [
      { name: "app-polled", consumers: ["latest"] },
      { name: "app-pushed", consumers: ["latest"] },
      { name: "app-unlisted", consumers: ["latest"] },
    ],
    scenario: {
      users: [{ name: "mallory" }],
      callers: [{ name: "siem", roles: ["AuditLog.Read.All"] }],
    },
    config: (yaml) =>
      `${yaml.replace(
        "audit: { everySeconds: 0 }",
        `audit:
  everySeconds: 3600
  lateSeconds: 3600
  rules:
    - { when: '!("client-secret" in event.data.kinds)' }
    - { when: 'event.type == "directory.credential-added"', application: "event.data.objectId" }`,
      )}webhooks:
  - name: siem
    kind: standard
    keys: ["env:STAGE_SIEM_KEY"]
    rules:
      - { when: 'event.type == "credential.added"', application: "event.data.application", change: "event.data.entry" }
`,
    knobs: { preset: "off", auditLagSeconds: [30, 300], auditRepeat: 0.5, reportsPer10Seconds: 5, pageSize: 4 },
  });
});
afterAll(() => stage?.close());
beforeEach(() => tellOnFailure(stage));

const query = <T>(text: string) =>
  stage.asDatabaseOwner(async (client) => (await client.query(text)).rows as readonly T[]);
const byHand = (application: string, kind = "secret") =>
  stage.manage("POST", "/portal/credentials", {
    user: "mallory",
    application,
    ...(kind === "secret" ? {} : { kind }),
  }) as Promise<{ keyId: string }>;
const runsOf = async (application: string) =>
  (await (await stage.as("cleo")).listRuns({})).items.filter((run) => run.application === application);
const events = () =>
  query<{ hook: string; outcome: string; run_id: string | null }>(
    "select hook, outcome, run_id from cs.hook_event order by at, hook",
  );

/** The directory's entries about an application, as a SIEM with a right of its own reads them. */
async function entriesOf(application: string): Promise<string[]> {
  const { callers, tenant } = (await stage.manage("GET", "/directory")) as {
    callers: Record<string, { clientId: string; clientSecret: string }>;
    tenant: { id: string };
  };
  const token = await fetch(new URL(`/${tenant.id}/oauth2/v2.0/token`, stage.urls.authority), {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "client_credentials",
      client_id: callers.siem?.clientId ?? "",
      client_secret: callers.siem?.clientSecret ?? "",
      scope: "https://graph.microsoft.com/.default",
    }),
  });
  const { access_token: bearer } = (await token.json()) as { access_token: string };
  const url = new URL("/v1.0/auditLogs/directoryAudits", stage.urls.graph);
  url.searchParams.set("$filter", `targetResources/any(t:t/id eq '${stage.idsOf(application).objectId}')`);
  const answer = await fetch(url, { headers: { authorization: `Bearer ${bearer}` } });
  return ((await answer.json()) as { value: { id: string }[] }).value.map(({ id }) => id);
}

/** The SIEM tells of an entry, in a message of its own. */
async function push(application: string, entry: string): Promise<void> {
  const body = JSON.stringify({ type: "credential.added", data: { application, entry } });
  const id = `siem_${entry}`;
  const stamp = String(Math.floor(Date.now() / 1_000));
  const mac = createHmac("sha256", key).update(`${id}.${stamp}.${body}`).digest("base64");
  const answer = await fetch(`${stage.url}/hooks/siem`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "webhook-id": id,
      "webhook-timestamp": stamp,
      "webhook-signature": `v1,${mac}`,
    },
    body,
  });
  expect(answer.status).toBe(202);
}

async function refuse(application: string): Promise<string> {
  const [run] = await runsOf(application);
  if (run === undefined) throw new Error(`expected a run of ${application}, got none`);
  await stage.decide("ada", run.id, "app-owner", "reject");
  return run.id;
}

describe("a credential that somebody adds around the product", () => {
  it("is a request by the rules of the directory's log, which waits for people; pushed again later it is the same", async () => {
    await byHand("app-polled");
    await byHand("app-polled", "certificate");
    await stage.editRow("app-unlisted", () => "");
    await byHand("app-unlisted");
    await stage.advance(2 * 3_600);
    const [run, ...others] = await runsOf("app-polled");
    expect(others).toEqual([]);
    expect(run).toMatchObject({ state: "awaiting_approval", requester: "system:audit" });
    expect((await events()).map(({ hook, outcome }) => `${hook} ${outcome}`).sort()).toEqual([
      "audit:stage ignored",
      "audit:stage proposed",
      "audit:stage unlisted",
    ]);
    await refuse("app-polled");
    const [added] = await query<{ entry: string }>(
      `select entry from cs.audit_change where object_id = '${stage.idsOf("app-polled").objectId}' and kind = 'client-secret'`,
    );
    await push("app-polled", added?.entry ?? "");
    await stage.settle();
    expect(await runsOf("app-polled")).toHaveLength(1);
    expect((await events()).at(-1)).toEqual({ hook: "siem", outcome: "known", run_id: run?.id });
  });

  it("that was pushed first is the same when the directory's log is read, also in another process", async () => {
    await byHand("app-pushed");
    // The log shows it after at most 300 s; our own look comes once an hour, and had come just before.
    await stage.advance(300);
    const [entry = ""] = await entriesOf("app-pushed");
    await push("app-pushed", entry);
    await stage.settle();
    const refused = await refuse("app-pushed");
    await stage.stop();
    await stage.start();
    await stage.advance(2 * 3_600);
    expect((await runsOf("app-pushed")).map(({ id, state, requester }) => [id, state, requester])).toEqual([
      [refused, "rejected", "system:webhook"],
    ]);
    expect(
      (await events()).filter(({ run_id }) => run_id === refused).map(({ hook, outcome }) => [hook, outcome]),
    ).toEqual([
      ["siem", "proposed"],
      ["audit:stage", "known"],
    ]);
  });

  it("changes nothing outside by itself", async () => {
    for (const name of ["app-polled", "app-pushed"])
      expect((await stage.effects(name)).filter(({ op }) => !op.startsWith("portal."))).toEqual([]);
  });
});
