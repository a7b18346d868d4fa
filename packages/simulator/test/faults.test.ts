import { afterEach, describe, expect, test } from "vitest";
import { defaultKnobs } from "../src/index.ts";
import { listenForHolds } from "./events.ts";
import { startTenant, type TestTenant } from "./tenant.ts";

let tenant: TestTenant;
afterEach(() => tenant.close());

const addPath = () => `/v1.0/applications/${tenant.application("billing").objectId}/addPassword`;
const add = () => tenant.graph("writer", "POST", addPath(), {});
const arm = (body: Record<string, unknown>) => tenant.manage("POST", "/faults", body);
const count = () => tenant.application("billing").credentials.length;

describe("a fault armed for one call", () => {
  test.each(["400", "401", "403", "404", "409", "429", "500", "502", "503", "504"])(
    "%s before the effect: nothing is done",
    async (kind) => {
      tenant = await startTenant();
      await arm({ op: "application.addPassword", kind, retryAfterSeconds: 7 });
      const answer = await add();
      expect([answer.status, answer.headers.get("retry-after")]).toEqual([Number(kind), "7"]);
      expect(answer.body.error.code).toBeTypeOf("string");
      expect(count()).toBe(1);
      expect((await add()).status).toBe(200);
    },
  );

  test.each([
    "reset",
    "500",
    "503",
    "504",
    "429",
    "malformed",
    "truncated",
    "empty",
    "wrong-types",
    "hostile",
    "oversized",
  ])("%s after the effect: it is done and the answer is lost or damaged", async (kind) => {
    tenant = await startTenant();
    await arm({ op: "application.addPassword", kind, position: "after-effect" });
    await add().catch(() => undefined);
    expect(count()).toBe(2);
    const { entries } = (await tenant.manage("GET", "/effects?op=application.addPassword")).body;
    expect(entries).toMatchObject([
      { effect: true, fault: `after-effect:${kind}`, target: { keyId: expect.any(String) } },
    ]);
  });

  test("a timeout keeps silent until the caller gives up, before or after the effect", async () => {
    tenant = await startTenant();
    const authorization = await tenant.as("writer");
    const call = () =>
      fetch(`${tenant.simulator.urls.graph}${addPath()}`, {
        method: "POST",
        body: "{}",
        headers: authorization,
        signal: AbortSignal.timeout(150),
      });
    await arm({ op: "application.addPassword", kind: "timeout" });
    await expect(call()).rejects.toThrow(/timeout/);
    expect(count()).toBe(1);
    await arm({ op: "application.addPassword", kind: "timeout", position: "after-effect" });
    await expect(call()).rejects.toThrow(/timeout/);
    expect(count()).toBe(2);
  });

  test("it hits the nth matching call, as often as it says, and only where its match fits", async () => {
    tenant = await startTenant();
    await arm({
      op: "application.get",
      kind: "503",
      nth: 2,
      times: 2,
      match: { appId: tenant.application("billing").appId },
    });
    const statuses = [];
    for (const name of ["billing", "foreign", "billing", "billing", "foreign", "billing"]) {
      statuses.push(
        (await tenant.graph("reader", "GET", `/v1.0/applications/${tenant.application(name).objectId}`)).status,
      );
    }
    expect(statuses).toEqual([200, 200, 503, 503, 200, 200]);
  });

  test("for ever, until it is disarmed; by path, caller, vault and secret", async () => {
    tenant = await startTenant();
    const { body } = await arm({ op: "*", kind: "503", times: "always", match: { vault: "prod", secret: "billing" } });
    expect((await tenant.vault("GET", "/secrets/billing")).status).toBe(503);
    expect((await tenant.vault("GET", "/secrets/billing/versions")).status).toBe(503);
    expect((await tenant.vault("PUT", "/secrets/other", { value: "x" })).status).toBe(200);
    await tenant.manage("DELETE", `/faults/${body.id}`);
    expect((await tenant.vault("GET", "/secrets/billing")).status).toBe(200);
    const caller = tenant.simulator.world.tenant.callers.find((item) => item.name === "reader")?.appId;
    await arm({ op: "application.list", kind: "503", match: { caller, path: "/v1.0/applications" } });
    expect((await tenant.graph("writer", "GET", "/v1.0/applications")).status).toBe(200);
    expect((await tenant.graph("reader", "GET", "/v1.0/applications")).status).toBe(503);
  });

  test("a rule that is malformed is refused by name", async () => {
    tenant = await startTenant();
    const answer = await arm({ op: "token", kind: "explode" });
    expect([answer.status, answer.body.error]).toEqual([400, "bad-request"]);
    expect(answer.body.detail).toMatch(/^kind: /);
    expect((await tenant.manage("PUT", "/knobs", { trottle: 1 })).body.detail).toMatch(/knobs.trottle/);
  });
});

describe("a hold", () => {
  test("after-send stands before the effect; released, it goes on", async () => {
    tenant = await startTenant();
    const events = await listenForHolds(tenant);
    await tenant.manage("POST", "/holds", { op: "application.addPassword", position: "after-send" });
    const answer = add();
    const hold = await events.next();
    expect(hold).toMatchObject({ op: "application.addPassword", position: "after-send", held: true });
    expect(count()).toBe(1);
    await tenant.manage("POST", `/holds/${hold.id}/release`);
    expect((await answer).status).toBe(200);
    events.close();
  });

  test("after-effect stands before the answer; dropped, the caller loses it", async () => {
    tenant = await startTenant();
    const events = await listenForHolds(tenant);
    await tenant.manage("POST", "/holds", { op: "application.addPassword", position: "after-effect" });
    const answer = add().catch(() => "lost");
    const hold = await events.next();
    expect(count()).toBe(2);
    await tenant.manage("POST", `/holds/${hold.id}/drop`);
    expect(await answer).toBe("lost");
    events.close();
  });

  test("a request of a caller that died lands when its hold is released", async () => {
    tenant = await startTenant();
    const events = await listenForHolds(tenant);
    await tenant.manage("POST", "/holds", { op: "secret.set", position: "after-send" });
    const abort = new AbortController();
    const lost = fetch(`${tenant.simulator.urls.vaults.prod}/secrets/billing?api-version=7.5`, {
      method: "PUT",
      body: '{"value":"late"}',
      headers: await tenant.as("vault"),
      signal: abort.signal,
    }).catch(() => "gone");
    const hold = await events.next();
    abort.abort();
    expect(await lost).toBe("gone");
    expect((await tenant.vault("GET", "/secrets/billing")).body.value).not.toBe("late");
    await tenant.manage("POST", `/holds/${hold.id}/release`);
    await expect.poll(async () => (await tenant.vault("GET", "/secrets/billing")).body.value).toBe("late");
    events.close();
  });

  test("after-answer is told once the answer has left, and stops nothing", async () => {
    tenant = await startTenant();
    const events = await listenForHolds(tenant);
    await tenant.manage("POST", "/holds", { op: "application.addPassword", position: "after-answer" });
    expect((await add()).status).toBe(200);
    expect(await events.next()).toMatchObject({ position: "after-answer", held: false });
    events.close();
  });
});

describe("a tenant as it comes", () => {
  test("throttles, fails, loses replies and meets concurrency about as often as its knobs say", async () => {
    tenant = await startTenant({}, { preset: "default", slow: 0, visibilityLagSeconds: [0, 0] });
    const writer = tenant.simulator.world.tenant.callers.find((item) => item.name === "writer");
    let authorization = "";
    while (authorization === "") {
      const answer = await tenant.signIn(writer?.appId ?? "", writer?.secret ?? "");
      if (answer.status === 200) authorization = `Bearer ${answer.body.access_token}`;
    }
    for (let i = 0; i < 300; i += 1) {
      await fetch(`${tenant.simulator.urls.graph}${addPath()}`, {
        method: "POST",
        body: "{}",
        headers: { authorization },
      }).catch(() => "lost");
    }
    const { entries } = (await tenant.manage("GET", "/effects?op=application.addPassword&limit=1000")).body;
    const share = (test: RegExp) =>
      entries.filter((entry: { fault: string | null }) => test.test(entry.fault ?? "")).length / entries.length;
    expect(entries.length).toBe(300);
    expect(share(/before-effect:429/)).toBeGreaterThan(defaultKnobs.throttle / 3);
    expect(share(/before-effect:409/)).toBeGreaterThan(defaultKnobs.concurrency / 3);
    expect(share(/after-effect:(reset|504)/)).toBeGreaterThan(defaultKnobs.lostReply / 4);
    expect(share(/./)).toBeLessThan(0.5);
  });

  test("the same seed gives the same tenant and the same faults, another seed gives others", async () => {
    const run = async (seed: number) => {
      tenant = await startTenant({ seed }, { preset: "off", throttle: 0.5 });
      const reader = tenant.simulator.world.tenant.callers.find((item) => item.name === "reader");
      const statuses = [];
      for (let i = 0; i < 40; i += 1)
        statuses.push((await tenant.signIn(reader?.appId ?? "", reader?.secret ?? "")).status);
      const ids = tenant.simulator.world.tenant.applications.map((item) => item.id);
      await tenant.close();
      return JSON.stringify([tenant.simulator.tenantId, ids, statuses]);
    };
    const first = await run(11);
    expect(await run(11)).toBe(first);
    expect(await run(12)).not.toBe(first);
    tenant = await startTenant();
  });
});
