import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startTenant, type TestTenant } from "./tenant.ts";

let tenant: TestTenant;
let base: string;

beforeEach(async () => {
  tenant = await startTenant();
  await tenant.simulator.seed({
    sites: [
      {
        site: "shop",
        settings: {
          CLIENT_SECRET: { from: { application: "billing", secret: "current" } },
          REFERENCE: { reference: { vault: "prod", secret: "billing" } },
          REGION: { value: "westeurope" },
        },
        stickyNames: ["REGION"],
        grants: [{ caller: "writer" }, { caller: "reader", role: "reader" }],
      },
      { site: "shop", slot: "staging", settings: { REGION: { value: "staging" } }, grants: [{ caller: "writer" }] },
    ],
    workloads: [{ name: "app", kind: "entra-site", application: "billing", container: "shop", entry: "REFERENCE" }],
  });
  const { subscription } = tenant.simulator.world.tenant;
  base = `/subscriptions/${subscription}/resourceGroups/rg/providers/Microsoft.Web/sites/shop`;
});
afterEach(() => tenant.close());

async function call(method: string, at: string, body?: unknown, as = "writer") {
  const caller = tenant.simulator.world.tenant.callers.find((item) => item.name === as);
  const token = await tenant.signIn(caller?.appId ?? "", caller?.secret ?? "", "https://management.azure.com/.default");
  return tenant.call(`${tenant.simulator.urls.arm}${at}${at.includes("?") ? "&" : "?"}api-version=2024-11-01`, {
    method,
    headers: { authorization: `Bearer ${token.body.access_token}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

const site = () => {
  const found = tenant.simulator.world.tenant.sites[0];
  if (found === undefined) throw new Error("expected the app");
  return found;
};

describe("settings of an app", () => {
  it("are listed with their values, by a POST that a reader may not make", async () => {
    const { body } = await call("POST", `${base}/config/appsettings/list`);
    expect(body.properties.REGION).toBe("westeurope");
    expect((await call("POST", `${base}/config/appsettings/list`, undefined, "reader")).status).toBe(403);
  });

  it("are replaced as a whole, and each write restarts the app", async () => {
    const put = await call("PUT", `${base}/config/appsettings`, { properties: { REGION: "other" } });
    expect(put.body.properties).toEqual({ REGION: "other" });
    expect([site().settings, site().restarts]).toEqual([{ REGION: "other" }, 1]);
  });

  it("stand apart for each slot, and tell which names stay with a slot", async () => {
    const { body } = await call("POST", `${base}/slots/staging/config/appsettings/list`);
    expect(body.properties).toEqual({ REGION: "staging" });
    const names = await call("GET", `${base}/config/slotConfigNames`);
    expect(names.body.properties.appSettingNames).toEqual(["REGION"]);
  });

  it("leave a line in the activity log for each write", async () => {
    await call("PUT", `${base}/config/appsettings`, { properties: { REGION: "other" } });
    const filter = `eventTimestamp ge '2026-11-22T00:00:00Z' and resourceUri eq '${base}'`;
    const { subscription } = tenant.simulator.world.tenant;
    const log = await call(
      "GET",
      `/subscriptions/${subscription}/providers/Microsoft.Insights/eventtypes/management/values?$filter=${encodeURIComponent(filter)}`,
    );
    expect(log.body.value.map((item: { operationName: { value: string } }) => item.operationName.value)).toEqual([
      "Microsoft.Web/sites/config/Write",
    ]);
  });
});

describe("a Key Vault reference", () => {
  const active = async () => {
    const { body } = await call("GET", `${base}/config/configreferences/appsettings`);
    return body.value.find((item: { name: string }) => item.name === "REFERENCE").properties;
  };

  it("is kept for a day although the vault has a newer version", async () => {
    const before = await active();
    expect(before.status).toBe("Resolved");
    await tenant.vault("PUT", "/secrets/billing", { value: "newer" });
    await tenant.simulator.driver.advanceBy(23 * 3_600_000, 10_000);
    expect((await active()).activeVersion).toBe(before.activeVersion);
    await tenant.simulator.driver.advanceBy(2 * 3_600_000, 10_000);
    expect((await active()).activeVersion).not.toBe(before.activeVersion);
  });

  it("is read anew by a refresh, and by any change of the settings", async () => {
    const before = await active();
    await tenant.vault("PUT", "/secrets/billing", { value: "newer" });
    expect((await call("POST", `${base}/config/configreferences/appsettings/refresh`)).status).toBe(200);
    const second = await active();
    expect(second.activeVersion).not.toBe(before.activeVersion);
    await tenant.vault("PUT", "/secrets/billing", { value: "newest" });
    const { body } = await call("POST", `${base}/config/appsettings/list`);
    await call("PUT", `${base}/config/appsettings`, { properties: body.properties });
    expect((await active()).activeVersion).not.toBe(second.activeVersion);
  });

  it("is what the app signs in with", async () => {
    await tenant.simulator.driver.advanceBy(700_000, 5_000);
    expect(tenant.simulator.world.effects.all().find((item) => item.workload === "app")?.effect).toBe(true);
  });
});
