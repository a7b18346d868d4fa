import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { startTenant, type TestTenant } from "./tenant.ts";

let tenant: TestTenant;
afterEach(() => tenant.close());

const addPath = () => `/v1.0/applications/${tenant.application("billing").objectId}/addPassword`;
const figure = async (name = "billing") =>
  (await tenant.manage("GET", "/figures")).body.applications.find((item: { name: string }) => item.name === name);

describe("an orphan", () => {
  test("is a live credential made here whose value nobody holds, a minute after it can be seen", async () => {
    tenant = await startTenant({}, { preset: "off", visibilityLagSeconds: [30, 30] });
    const made = (await tenant.graph("writer", "POST", addPath(), {})).body;
    expect((await figure()).orphansNaive.map((item: { keyId: string }) => item.keyId)).toEqual([made.keyId]);
    await tenant.manage("POST", "/clock/advance", { by: 89 });
    expect((await figure()).orphans).toEqual([]);
    await tenant.manage("POST", "/clock/advance", { by: 1 });
    expect((await figure()).orphans).toMatchObject([{ keyId: made.keyId, displayName: null }]);
    await tenant.graph("writer", "POST", addPath().replace("add", "remove"), { keyId: made.keyId });
    expect((await figure()).orphans).toEqual([]);
  });

  test("is none while an enabled vault version, a file or a workload holds the value", async () => {
    const file = join(mkdtempSync(join(tmpdir(), "simulator-")), "reference.txt");
    tenant = await startTenant();
    const made = (await tenant.graph("writer", "POST", addPath(), {})).body;
    await tenant.manage("POST", "/clock/advance", { by: 120 });
    expect((await figure()).orphans.length).toBe(1);

    const version = (await tenant.vault("PUT", "/secrets/billing", { value: made.secretText })).body.id
      .split("/")
      .at(-1);
    await tenant.vault("PUT", "/secrets/billing", { value: "something newer" });
    expect([(await figure()).orphans.length, (await figure()).orphansNaive.length]).toEqual([0, 1]);
    await tenant.vault("PATCH", `/secrets/billing/${version}`, { attributes: { enabled: false } });
    expect((await figure()).orphans.length).toBe(1);

    await tenant.manage("POST", "/seed", {
      workloads: [
        {
          name: "pinned",
          kind: "entra-pinned",
          application: "billing",
          file,
          intervalSeconds: 600,
          startAfterSeconds: 1,
        },
      ],
    });
    writeFileSync(file, `{"secret":"${made.secretText}"}`);
    expect((await figure()).orphans).toEqual([]);
    writeFileSync(file, "");
    expect((await figure()).orphans.length).toBe(1);
  });

  test("what was there from the start is none", async () => {
    tenant = await startTenant();
    await tenant.manage("POST", "/clock/advance", { by: 600 });
    expect(await figure("foreign")).toMatchObject({ orphans: [], orphansNaive: [] });
  });
});

describe("hosted workloads", () => {
  test("pick a new value up after their delay; the timeline says who held what since when", async () => {
    const folder = mkdtempSync(join(tmpdir(), "simulator-"));
    const file = join(folder, "reference");
    const common = { application: "billing", intervalSeconds: 600, startAfterSeconds: 60 };
    tenant = await startTenant();
    await tenant.manage("POST", "/seed", {
      vaults: [{ name: "copy" }],
      vaultEntries: [{ vault: "copy", secret: "billing", from: { application: "billing", secret: "current" } }],
      workloads: [
        { ...common, name: "latest", kind: "entra-latest", vault: "prod", secret: "billing", cacheSeconds: 3600 },
        { ...common, name: "pinned", kind: "entra-pinned", file },
        { ...common, name: "copied", kind: "entra-copied", vault: "copy", secret: "billing", cacheSeconds: 60 },
      ],
    });
    const oldKey = tenant.application("billing").credentials[0]?.keyId;
    const oldVersion = (await tenant.vault("GET", "/secrets/billing")).body.id;
    writeFileSync(file, `SECRET_URI=${oldVersion}\n`);
    await tenant.manage("POST", "/clock/advance", { by: 1200 });

    const made = (await tenant.graph("writer", "POST", addPath(), {})).body;
    const newVersion = (await tenant.vault("PUT", "/secrets/billing", { value: made.secretText })).body.id;
    await tenant.manage("POST", "/clock/advance", { by: 1200 });
    writeFileSync(file, JSON.stringify({ uri: newVersion }));
    await tenant.manage("POST", "/clock/advance", { by: 3600 });

    const { timeline, failedSignIns, signIns } = await figure();
    expect([signIns, failedSignIns]).toEqual([30, 0]);
    expect(timeline.map((item: { workload: string; credential: string }) => [item.workload, item.credential])).toEqual([
      ["latest", oldKey],
      ["pinned", oldKey],
      ["copied", oldKey],
      ["pinned", made.keyId],
      ["latest", made.keyId],
    ]);
    const [, , , pinned, latest] = timeline;
    expect(pinned.at).toBe("2026-11-22T12:41:00.000Z");
    expect(latest.at).toBe("2026-11-22T13:01:00.000Z");
  });

  test("a key removed too early makes failed sign-ins until the workload looks again; a vault that is gone keeps the old value", async () => {
    tenant = await startTenant();
    await tenant.manage("POST", "/seed", {
      workloads: [
        {
          name: "w",
          kind: "entra-latest",
          application: "billing",
          vault: "prod",
          secret: "billing",
          intervalSeconds: 600,
          startAfterSeconds: 1,
          cacheSeconds: 3600,
        },
      ],
    });
    await tenant.manage("POST", "/clock/advance", { by: 10 });
    await tenant.vault("DELETE", "/secrets/billing");
    await tenant.manage("POST", "/clock/advance", { by: 7200 });
    expect((await figure()).failedSignIns).toBe(0);
    const keyId = tenant.application("billing").credentials[0]?.keyId;
    await tenant.graph("writer", "POST", addPath().replace("add", "remove"), { keyId });
    await tenant.manage("POST", "/clock/advance", { by: 1200 });
    expect(await figure()).toMatchObject({
      failedSignIns: 2,
      uses: expect.arrayContaining([
        expect.objectContaining({ workload: "w", failed: 2, codes: { AADSTS7000215: 2 } }),
      ]),
    });
  });
});

describe("the effect log", () => {
  test("tells who did what with which ids, is read by cursor and filter, and holds no secret value", async () => {
    tenant = await startTenant();
    const made = (await tenant.graph("writer", "POST", addPath(), { passwordCredential: { displayName: "cs:1" } }))
      .body;
    await tenant.vault("PUT", "/secrets/billing", { value: made.secretText, tags: { keyId: made.keyId } });
    const writer = tenant.simulator.world.tenant.callers.find((item) => item.name === "writer");
    const { entries, next } = (
      await tenant.manage("GET", `/effects?caller=${writer?.appId}&op=application.addPassword`)
    ).body;
    expect(entries).toMatchObject([
      {
        op: "application.addPassword",
        caller: writer?.appId,
        workload: null,
        target: { appId: tenant.application("billing").appId, keyId: made.keyId, displayName: "cs:1" },
        effect: true,
        status: 200,
        at: "2026-11-22T12:00:00.000Z",
      },
    ]);
    expect((await tenant.manage("GET", `/effects?after=${next}`)).body.entries).toEqual([]);
    const pages = [];
    for (let after = 0, more = true; more; ) {
      const page = (await tenant.manage("GET", `/effects?after=${after}&limit=1`)).body;
      pages.push(...page.entries);
      ({ more } = page);
      after = page.next;
    }
    expect(pages.map((entry) => entry.op)).toEqual(["token", "application.addPassword", "token", "secret.set"]);
    const text = JSON.stringify(pages);
    for (const secret of [made.secretText, writer?.secret ?? "none"]) expect(text).not.toContain(secret);
  });
});

describe("the negative control", () => {
  test("a naive rotator breaks consumers and leaves orphans in a tenant as it comes, and no orphan in one without faults", async () => {
    tenant = await startTenant({ seed: 21 }, "default");
    const run = async (body: unknown) => (await tenant.manage("POST", "/control/naive", body)).body;
    const here = await run({});
    const faulty = await run({ knobs: "default" });
    const quiet = await run({ knobs: "off" });
    for (const result of [here, faulty]) {
      expect(result.rotations).toBe(60);
      expect(result.failedSignIns).toBeGreaterThan(0);
      expect(result.orphans).toBeGreaterThan(0);
    }
    expect(quiet.orphans).toBe(0);
    expect(quiet.signIns).toBeGreaterThan(300);
  });
});
