import { afterEach, describe, expect, test } from "vitest";
import { type Loose, startTenant, type TestTenant } from "./tenant.ts";

let tenant: TestTenant;
afterEach(() => tenant.close());

const app = (name: string) => `/v1.0/applications/${tenant.application(name).objectId}`;

describe("applications", () => {
  test("pages follow their link verbatim and give every application once", async () => {
    const applications = Array.from({ length: 23 }, (_, index) => ({ name: `app-${index}` }));
    tenant = await startTenant({ scenario: { applications } });
    await tenant.manage("PUT", "/knobs", { pageSize: 5 });
    const ids: string[] = [];
    let next: string | undefined = `${tenant.simulator.urls.graph}/v1.0/applications?$select=id,displayName&$top=999`;
    let pages = 0;
    while (next !== undefined) {
      const page: Loose = (await tenant.call(next, { headers: await tenant.as("reader") })).body;
      expect(Object.keys(page.value[0]).sort()).toEqual(["displayName", "id"]);
      ids.push(...page.value.map((item: { id: string }) => item.id));
      next = page["@odata.nextLink"];
      pages += 1;
    }
    expect(pages).toBe(Math.ceil((23 + 3) / 5));
    expect(new Set(ids).size).toBe(26);
  });

  test("expand shows at most 20 owners, the owners list pages through all", async () => {
    const users = Array.from({ length: 30 }, (_, index) => ({ name: `user-${index}` }));
    tenant = await startTenant({
      scenario: { users, applications: [{ name: "billing", owners: users.map((user) => user.name) }] },
    });
    const expanded = (await tenant.graph("reader", "GET", `${app("billing")}?$select=id&$expand=owners($select=id)`))
      .body;
    expect(expanded.owners.length).toBe(20);
    const owners = (await tenant.graph("reader", "GET", `${app("billing")}/owners?$select=id,accountEnabled`)).body
      .value;
    expect(owners.length).toBe(30);
    expect(owners[0]).toEqual({ "@odata.type": "#microsoft.graph.user", id: expect.any(String), accountEnabled: true });
  });

  test("by appId, by filter and by object id it is the same application; an unknown one is 404", async () => {
    tenant = await startTenant();
    const { appId, objectId } = tenant.application("billing");
    for (const path of [`/v1.0/applications(appId='${appId}')`, app("billing")]) {
      expect((await tenant.graph("reader", "GET", path)).body.id).toBe(objectId);
    }
    const found = await tenant.graph("reader", "GET", `/v1.0/applications?$filter=appId eq '${appId}'`);
    expect(found.body.value.map((item: { id: string }) => item.id)).toEqual([objectId]);
    const missing = await tenant.graph("reader", "GET", "/v1.0/applications/00000000-0000-4000-8000-000000000000");
    expect([missing.status, missing.body.error.code]).toEqual([404, "Request_ResourceNotFound"]);
    expect((await tenant.graph("reader", "GET", `/v1.0/servicePrincipals(appId='${appId}')`)).body.appId).toBe(appId);
  });

  test("request ids are answered and echoed, errors name them", async () => {
    tenant = await startTenant();
    const answer = await tenant.call(`${tenant.simulator.urls.graph}/v1.0/applications/none`, {
      headers: { ...(await tenant.as("reader")), "client-request-id": "my-id" },
    });
    expect(answer.headers.get("client-request-id")).toBe("my-id");
    expect(answer.body.error.innerError).toMatchObject({
      "request-id": answer.headers.get("request-id"),
      "client-request-id": "my-id",
    });
  });
});

describe("addPassword and removePassword", () => {
  test("the value is in one answer and in no later one", async () => {
    tenant = await startTenant();
    const made = (
      await tenant.graph("writer", "POST", `${app("billing")}/addPassword`, {
        passwordCredential: { displayName: "cs:run" },
      })
    ).body;
    expect(made.secretText).toHaveLength(40);
    expect(made.hint).toBe(made.secretText.slice(0, 3));
    expect(made.startDateTime).toMatch(/\.\d{7}Z$/);
    expect(made.endDateTime.slice(0, 10)).toBe("2028-11-22");
    const listed = (await tenant.graph("reader", "GET", app("billing"))).body.passwordCredentials;
    expect(listed.map((item: { secretText: null }) => item.secretText)).toEqual([null, null]);
    expect(JSON.stringify((await tenant.manage("GET", "/effects")).body)).not.toContain(made.secretText);
  });

  test("removal answers 204 without a body, a second one 400", async () => {
    tenant = await startTenant();
    const keyId = tenant.application("billing").credentials[0]?.keyId;
    const first = await tenant.graph("writer", "POST", `${app("billing")}/removePassword`, { keyId });
    expect([first.status, first.body]).toEqual([204, null]);
    const second = await tenant.graph("writer", "POST", `${app("billing")}/removePassword`, { keyId });
    expect([second.status, second.body.error.message]).toEqual([
      400,
      `No password credential found with keyId ${keyId}.`,
    ]);
  });

  test("reads lag writes: replicas list a new credential one after another", async () => {
    tenant = await startTenant({}, { preset: "off", visibilityLagSeconds: [60, 600] });
    await tenant.graph("writer", "POST", `${app("billing")}/addPassword`, {});
    const counts = async () => {
      const reads = Array.from(
        { length: 20 },
        async () => (await tenant.graph("reader", "GET", app("billing"))).body.passwordCredentials.length,
      );
      return [...new Set(await Promise.all(reads))].sort((a, b) => a - b);
    };
    expect(await counts()).toEqual([1]);
    const seen: string[] = [];
    for (let minute = 0; minute < 10; minute += 1) {
      await tenant.manage("POST", "/clock/advance", { by: 60 });
      seen.push((await counts()).join());
    }
    expect(seen).toContain("1,2");
    expect(seen.at(-1)).toBe("2");
  });

  test("who does not own it may not write it, a reader never", async () => {
    tenant = await startTenant();
    expect((await tenant.graph("writer", "POST", `${app("foreign")}/addPassword`, {})).body.error.code).toBe(
      "Authorization_RequestDenied",
    );
    expect((await tenant.graph("reader", "POST", `${app("billing")}/addPassword`, {})).status).toBe(403);
    expect((await tenant.call(`${tenant.simulator.urls.graph}${app("billing")}`)).status).toBe(401);
    const vaultToken = await tenant.as("vault");
    expect(
      (await tenant.call(`${tenant.simulator.urls.graph}${app("billing")}`, { headers: vaultToken })).body.error.code,
    ).toBe("InvalidAuthenticationToken");
    const { entries } = (await tenant.manage("GET", "/effects?effect=true&op=application.addPassword")).body;
    expect(entries).toEqual([]);
  });

  test("a token of an hour ago is refused", async () => {
    tenant = await startTenant();
    const headers = await tenant.as("reader");
    await tenant.manage("POST", "/clock/advance", { by: "PT1H" });
    expect((await tenant.call(`${tenant.simulator.urls.graph}${app("billing")}`, { headers })).status).toBe(401);
  });

  test("the tenant's policy limits lifetime, an application's own replaces it, and both can be read", async () => {
    const limit = (maxLifetime: string) => ({
      passwordCredentials: [{ restrictionType: "passwordLifetime" as const, maxLifetime }],
    });
    tenant = await startTenant({
      scenario: {
        defaultPolicy: limit("P30D"),
        applications: [
          { name: "strict", owners: ["writer"] },
          { name: "lenient", owners: ["writer"], policy: limit("P400D") },
          {
            name: "none",
            owners: ["writer"],
            policy: { passwordCredentials: [{ restrictionType: "passwordAddition" }] },
          },
        ],
      },
    });
    const body = { passwordCredential: { endDateTime: "2027-02-01T00:00:00Z" } };
    const codes = [];
    for (const name of ["strict", "lenient", "none"]) {
      const answer = await tenant.graph("writer", "POST", `${app(name)}/addPassword`, body);
      codes.push(answer.body.error?.code ?? answer.status);
    }
    expect(codes).toEqual(["CredentialInvalidLifetimeAsPerAppPolicy", 200, "CredentialTypeNotAllowedAsPerAppPolicy"]);
    const policy = (await tenant.graph("reader", "GET", "/v1.0/policies/defaultAppManagementPolicy")).body;
    expect(policy.applicationRestrictions.passwordCredentials[0]).toMatchObject({
      maxLifetime: "P30D",
      state: "enabled",
    });
    const own = (await tenant.graph("reader", "GET", `${app("lenient")}/appManagementPolicies`)).body.value;
    expect(own[0].restrictions.passwordCredentials[0].maxLifetime).toBe("P400D");
  });

  test("an application for personal accounts takes two secrets and no third", async () => {
    tenant = await startTenant({
      scenario: {
        applications: [
          {
            name: "p",
            owners: ["writer"],
            signInAudience: "AzureADandPersonalMicrosoftAccount",
            secrets: [{ name: "a", expiresInDays: 9 }],
          },
        ],
      },
    });
    const statuses = [];
    for (let i = 0; i < 2; i += 1)
      statuses.push((await tenant.graph("writer", "POST", `${app("p")}/addPassword`, {})).status);
    expect(statuses).toEqual([200, 400]);
  });

  test("credentials cannot be patched, and a malformed body changes nothing", async () => {
    tenant = await startTenant();
    expect((await tenant.graph("writer", "PATCH", app("billing"), { passwordCredentials: [] })).status).toBe(400);
    for (const body of [
      [],
      { passwordCredential: 4 },
      { passwordCredential: { endDateTime: "soon" } },
      { passwordCredential: { endDateTime: "2020-01-01T00:00:00Z" } },
      { passwordCredential: { secretText: "mine" } },
    ]) {
      expect((await tenant.graph("writer", "POST", `${app("billing")}/addPassword`, body)).status).toBe(400);
    }
    expect(tenant.application("billing").credentials.length).toBe(1);
  });
});

describe("what the directory tells of itself", () => {
  test("an audit entry names the change with an en dash and the key in KeyDescription, late", async () => {
    tenant = await startTenant({}, { preset: "off", auditLagSeconds: [60, 60] });
    const made = (
      await tenant.graph("writer", "POST", `${app("billing")}/addPassword`, {
        passwordCredential: { displayName: "a,b]" },
      })
    ).body;
    const read = async () =>
      (
        await tenant.graph(
          "reader",
          "GET",
          `/v1.0/auditLogs/directoryAudits?$filter=activityDateTime ge 2026-11-22T00:00:00Z`,
        )
      ).body.value;
    expect(await read()).toEqual([]);
    await tenant.manage("POST", "/clock/advance", { by: 61 });
    const [audit] = await read();
    expect(audit.activityDisplayName).toBe("Update application \u2013 Certificates and secrets management ");
    const [change] = audit.targetResources[0].modifiedProperties;
    expect(change.displayName).toBe("KeyDescription");
    expect(JSON.parse(change.newValue)).toContain(
      `[KeyIdentifier=${made.keyId},KeyType=Password,KeyUsage=Verify,DisplayName=a,b]]`,
    );
  });

  test("entries come late, twice and out of order, and name who did it as they were called then", async () => {
    tenant = await startTenant(
      {},
      { preset: "off", auditLagSeconds: [30, 60], auditLate: 0.4, auditLateSeconds: [600, 900], pageSize: 4 },
    );
    await tenant.manage("PUT", "/knobs", { auditDisorderSeconds: 120, auditRepeat: 0.5 });
    const made: string[] = [];
    for (let i = 0; i < 6; i += 1) {
      const byHand = { application: "billing", user: "alice", ipAddress: "203.0.113.9" };
      made.push((await tenant.manage("POST", "/portal/credentials", byHand)).body.keyId);
      await tenant.manage("POST", "/clock/advance", { by: 10 });
    }
    await tenant.manage("POST", "/portal/names", { user: "alice", to: "alicia" });
    const removed = { application: "billing", user: "alicia", keyId: made[0] };
    expect((await tenant.manage("POST", "/portal/removals", removed)).status).toBe(200);

    const readAll = async () => {
      const entries: Loose[] = [];
      let next: string | undefined =
        `${tenant.simulator.urls.graph}/v1.0/auditLogs/directoryAudits?$filter=loggedByService eq 'Core Directory'`;
      while (next !== undefined) {
        const page: Loose = (await tenant.call(next, { headers: await tenant.as("reader") })).body;
        entries.push(...page.value);
        next = page["@odata.nextLink"];
      }
      return entries;
    };
    await tenant.manage("POST", "/clock/advance", { by: 61 });
    const early = new Set((await readAll()).map(({ id }) => id));
    await tenant.manage("POST", "/clock/advance", { by: 1_000 });
    const all = await readAll();
    const once = new Map(all.map((entry) => [entry.id, entry]));
    // Seven changes, each with the line beside it that names no key.
    expect(once.size).toBe(14);
    expect(early.size).toBeGreaterThan(0);
    expect(early.size).toBeLessThan(14);
    expect(all.length).toBeGreaterThan(14);
    const times = [...once.values()].map(({ activityDateTime }) => Date.parse(activityDateTime));
    expect(times).not.toEqual(times.toSorted((a, b) => b - a));
    const names = [...once.values()].map(({ initiatedBy }) => initiatedBy.user.userPrincipalName.split("@")[0]);
    expect([names.filter((name) => name === "alice").length, names.filter((name) => name === "alicia").length]).toEqual(
      [12, 2],
    );
    expect(new Set([...once.values()].map(({ initiatedBy }) => initiatedBy.user.id)).size).toBe(1);
  });

  test("what a person makes in the portal lives in the program that was given it, and moves when it is pasted anew", async () => {
    tenant = await startTenant({}, "off");
    const program = { name: "script", intervalSeconds: 600, ipAddress: "198.51.100.9" };
    const { keyId } = (
      await tenant.manage("POST", "/portal/credentials", { application: "billing", user: "alice", program })
    ).body;
    const keysOf = async () => {
      await tenant.manage("POST", "/clock/advance", { by: 3_600 });
      return (await tenant.manage("GET", "/effects?op=token&workload=script")).body.entries.map((one: Loose) => [
        one.target.keyId,
        one.status,
      ]);
    };
    const before = await keysOf();
    expect(before.length).toBeGreaterThan(3);
    expect(new Set(before.map(String))).toEqual(new Set([`${keyId},200`]));
    await tenant.manage("POST", "/portal/pastes", { program: "script", vault: "prod", secret: "billing" });
    const current = tenant.application("billing").credentials[0]?.keyId;
    expect((await keysOf()).at(-1)).toEqual([current, 200]);
  });

  test("sign-ins name the key and the caller's address, late, and are filtered by application and time", async () => {
    tenant = await startTenant({
      knobs: { preset: "off", signInLogLagSeconds: [100, 100], pageSize: 50 },
      scenario: {
        applications: [
          { name: "billing", owners: ["writer"], secrets: [{ name: "current", expiresInDays: 14 }] },
          { name: "other", secrets: [{ name: "x", expiresInDays: 14 }] },
        ],
        vaults: [{ name: "prod" }],
        vaultEntries: [{ vault: "prod", secret: "billing", from: { application: "billing", secret: "current" } }],
        workloads: [
          {
            name: "nightly",
            kind: "entra-latest",
            application: "billing",
            vault: "prod",
            secret: "billing",
            startAfterSeconds: 10,
            ipAddress: "10.1.2.3",
          },
        ],
      },
    });
    await tenant.manage("POST", "/clock/advance", { by: "P1D" });
    const { appId, credentials } = tenant.application("billing");
    const filter = `signInEventTypes/any(t:t eq 'servicePrincipal') and appId eq '${appId}' and createdDateTime ge 2026-11-22T12:00:00Z`;
    let next: string | undefined =
      `${tenant.simulator.urls.graph}/beta/auditLogs/signIns?$filter=${encodeURIComponent(filter)}`;
    const all: Loose[] = [];
    while (next !== undefined) {
      const page: Loose = (await tenant.call(next, { headers: await tenant.as("reader") })).body;
      all.push(...page.value);
      next = page["@odata.nextLink"];
    }
    expect(all.length).toBe(144);
    expect(all[0]).toMatchObject({
      appId,
      ipAddress: "10.1.2.3",
      servicePrincipalCredentialKeyId: credentials[0]?.keyId,
      status: { errorCode: 0 },
    });
    const activity = (
      await tenant.graph(
        "reader",
        "GET",
        `/beta/reports/appCredentialSignInActivities?$filter=keyId eq '${credentials[0]?.keyId}'`,
      )
    ).body.value;
    expect(activity[0].signInActivity.lastSignInDateTime).toBe("2026-11-23T11:50:10.000Z");
  });

  test("reports take five requests in ten seconds and say how long to wait", async () => {
    tenant = await startTenant({}, { preset: "off", reportsPer10Seconds: 5 });
    const read = () => tenant.graph("reader", "GET", "/beta/auditLogs/signIns");
    for (let i = 0; i < 5; i += 1) expect((await read()).status).toBe(200);
    const refused = await read();
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "10"]);
    await tenant.manage("POST", "/clock/advance", { by: 10 });
    expect((await read()).status).toBe(200);
  });
});
