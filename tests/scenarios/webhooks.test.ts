import { createHmac, randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Stage } from "./stage.ts";

const key = "a key that only the monitoring tool has";
const gridKey = "a key that the event subscription sends";

let stage: Stage;

beforeAll(async () => {
  process.env.STAGE_HOOK_KEY = key;
  process.env.STAGE_GRID_KEY = gridKey;
  stage = await Stage.open({
    applications: [
      { name: "app-one", consumers: ["latest"] },
      { name: "app-two", consumers: ["latest"] },
      { name: "app-three", consumers: ["latest"] },
    ],
    config: (yaml) => `${yaml}webhooks:
  - name: monitoring
    kind: standard
    keys: ["env:STAGE_HOOK_KEY"]
    perMinuteMax: 1000
    rules:
      - { when: 'event.type == "secret.expiring" && event.data.daysLeft < 14', application: "event.data.app" }
  - name: vaults
    kind: event-grid
    keys: ["env:STAGE_GRID_KEY"]
    rules:
      - { when: 'event.type == "Microsoft.KeyVault.SecretNearExpiry"', application: "event.data.ObjectName" }
`,
  });
});
afterAll(() => stage.close());

function signed(body: string, id: string, by = key): RequestInit {
  // The age of a signature is judged by the machine's clock.
  const stamp = String(Math.floor(Date.now() / 1_000));
  const mac = createHmac("sha256", by).update(`${id}.${stamp}.${body}`).digest("base64");
  return {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "webhook-id": id,
      "webhook-timestamp": stamp,
      "webhook-signature": `v1,${mac}`,
    },
    body,
  };
}

const expiring = (app: string, daysLeft = 3) => JSON.stringify({ type: "secret.expiring", data: { app, daysLeft } });
const send = (init: RequestInit, hook = "monitoring") => fetch(`${stage.url}/hooks/${hook}`, init);
const query = (text: string) => stage.asDatabaseOwner(async (client) => (await client.query(text)).rows as unknown[]);
const runsOf = async (application: string) => {
  const client = await stage.as("cleo");
  return (await client.listRuns({})).items.filter((run) => run.application === application);
};

describe("an event from outside", () => {
  it("that nobody signed changes nothing, whatever it says", async () => {
    const before = await query(
      "select (select count(*) from cs.run) as runs, (select count(*) from cs.hook_event) as events",
    );
    const body = expiring("app-one");
    const { headers } = signed(body, "msg_1");
    for (const init of [
      { method: "POST", body },
      { method: "POST", headers: { ...headers, "webhook-signature": "v1,AAAA" }, body },
      signed(body, "msg_1", "another key"),
      { ...signed(body, "msg_1"), body: expiring("app-two") },
    ])
      expect((await send(init)).status).toBe(401);
    expect((await send(signed("{", "msg_1"))).status).toBe(400);
    expect((await send(signed(`{"type":"a","data":"${"x".repeat(300_000)}"}`, "msg_1"))).status).toBe(413);
    expect((await send(signed(body, "msg_1"), "nobody")).status).toBe(404);
    expect(
      await query("select (select count(*) from cs.run) as runs, (select count(*) from cs.hook_event) as events"),
    ).toEqual(before);
  });

  it("proposes one run, however often and from how many sides it comes, and the run waits for people", async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => send(signed(expiring("app-one"), "msg_2"))));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
    await stage.settle();
    const [run, ...others] = await runsOf("app-one");
    expect(others).toEqual([]);
    expect(run).toMatchObject({ state: "awaiting_approval" });
    // Another event about it finds the run that is open.
    expect((await send(signed(expiring("app-one"), "msg_3"))).status).toBe(202);
    expect(await runsOf("app-one")).toHaveLength(1);
    expect(await query("select id, outcome, run_id from cs.hook_event order by id")).toEqual([
      { id: "msg_2", outcome: "proposed", run_id: run?.id },
      { id: "msg_3", outcome: "open", run_id: run?.id },
    ]);
  });

  it("that no rule wants, or about what is not listed, is remembered and proposes nothing", async () => {
    await send(signed(expiring("app-two", 20), "msg_4"));
    await send(signed(expiring("somebody-else"), "msg_5"));
    await send(signed(JSON.stringify({ type: "secret.expiring", data: {} }), "msg_6"));
    expect(
      await query("select id, outcome from cs.hook_event where id in ('msg_4', 'msg_5', 'msg_6') order by id"),
    ).toEqual([
      { id: "msg_4", outcome: "ignored" },
      { id: "msg_5", outcome: "unlisted" },
      { id: "msg_6", outcome: "rule-failed" },
    ]);
    expect(await runsOf("app-two")).toEqual([]);
  });

  it("of Event Grid is taken in both schemas after the handshake, and proposes the application whose record it names", async () => {
    const headers = { "content-type": "application/json", "x-countersign-key": gridKey };
    const asks = [
      {
        id: "v",
        topic: "t",
        subject: "",
        eventType: "Microsoft.EventGrid.SubscriptionValidationEvent",
        data: { validationCode: "c0de" },
      },
    ];
    const handshake = {
      method: "POST",
      headers: { ...headers, "aeg-event-type": "SubscriptionValidation" },
      body: JSON.stringify(asks),
    };
    const answer = await send(handshake, "vaults");
    expect([answer.status, await answer.json()]).toEqual([200, { validationResponse: "c0de" }]);
    const cors = await send(
      { method: "OPTIONS", headers: { "webhook-request-origin": "eventgrid.azure.net" } },
      "vaults",
    );
    expect([cors.status, cors.headers.get("webhook-allowed-origin")]).toEqual([200, "eventgrid.azure.net"]);
    expect(
      (await send({ method: "OPTIONS", headers: { "webhook-request-origin": "evil.example" } }, "vaults")).status,
    ).toBe(403);

    const near = {
      id: randomUUID(),
      topic: "/vaults/main",
      subject: "app-three",
      eventType: "Microsoft.KeyVault.SecretNearExpiry",
      data: { "ObjectName ": " app-three", VaultName: "main" },
    };
    const cloud = {
      specversion: "1.0",
      id: randomUUID(),
      source: "/vaults/main",
      type: near.eventType,
      data: { ObjectName: "app-three" },
    };
    for (const body of [[near], cloud, [near]])
      expect((await send({ method: "POST", headers, body: JSON.stringify(body) }, "vaults")).status).toBe(202);
    expect(await runsOf("app-three")).toHaveLength(1);
    expect(
      (
        await send(
          { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify([near]) },
          "vaults",
        )
      ).status,
    ).toBe(401);
  });

  it("is counted on the page of systems outside, beside how each of them answers", async () => {
    await stage.settle();
    const client = await stage.as("cleo");
    const outside = () => client.getOutside({});
    const vault = async () => (await outside()).connections.find(({ name }) => name === "main")?.reach;
    const { webhooks, events, directories } = await outside();
    expect(webhooks.find(({ name }) => name === "vaults")?.outcomes).toMatchObject({ proposed: 1 });
    expect(events.every(({ hook, at }) => (webhooks.find(({ name }) => name === hook)?.lastAt ?? "") >= at)).toBe(true);
    expect(directories.map(({ reaches }) => reaches.length)).not.toContain(0);
    await expect.poll(async () => (await vault())?.state).toBe("answers");

    // Each run that is validated reads the vault.
    const { id } = (await stage.manage("POST", "/faults", { op: "secret.get", kind: "403", times: "always" })) as {
      id: string;
    };
    const [run] = await runsOf("app-three");
    await client.withdraw({ params: { id: run?.id ?? "" }, body: {} });
    await stage.settle();
    await stage.request("app-three");
    await stage.settle();
    await expect.poll(async () => (await vault())?.state).toBe("failing");
    expect(await vault()).toMatchObject({ code: "OUTSIDE_FORBIDDEN", failingSince: expect.any(String) });
    await stage.manage("DELETE", `/faults/${id}`);
    await stage.request("app-three");
    await stage.settle();
    await expect.poll(async () => (await vault())?.state).toBe("answers");
    expect(await vault()).toMatchObject({ code: "OUTSIDE_FORBIDDEN", failingSince: null });
  });
});
