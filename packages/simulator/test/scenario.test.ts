import { afterEach, expect, test } from "vitest";
import { seedTenant } from "../src/index.ts";
import { startTenant, type TestTenant } from "./tenant.ts";

let tenant: TestTenant;
afterEach(() => tenant.close());

test("a random tenant is the same for the same seed, another for another, and can be listed whole", async () => {
  tenant = await startTenant({ scenario: seedTenant(3, { applications: 250 }) });
  expect(seedTenant(3, { applications: 250 })).toEqual(seedTenant(3, { applications: 250 }));
  expect(seedTenant(4)).not.toEqual(seedTenant(3));
  const page = await tenant.graph("reader", "GET", "/v1.0/applications?$top=999");
  expect(page.body.value.length).toBe(253);
});

test.each([
  [{ applications: [{ name: "a", owners: ["nobody"] }] }, /a.owners: expected the name of an owner/],
  [{ vaultEntries: [{ vault: "none", secret: "s", value: "v" }] }, /expected the name of a vault/],
  [{ workloads: [{ name: "w", kind: "entra-latest", application: "billing" }] }, /expected the name of a vault entry/],
  [{ applications: [{ name: "billing" }] }, /expected a new name/],
  [{ vaults: [{ name: "prod" }] }, /expected a new name/],
  [{ aplications: [] }, /aplications/],
])("a scenario that names what is not there, or what is there already, adds nothing: %j", async (scenario, message) => {
  tenant = await startTenant();
  const before = (await tenant.manage("GET", "/directory")).body;
  const answer = await tenant.manage("POST", "/seed", scenario);
  expect([answer.status, answer.body.error]).toEqual([400, "bad-request"]);
  expect(answer.body.detail).toMatch(message);
  expect((await tenant.manage("GET", "/directory")).body).toEqual(before);
});

test("the directory hands out what a product needs to be configured, and no application's secret", async () => {
  tenant = await startTenant();
  const { body } = await tenant.manage("GET", "/directory");
  expect(Object.keys(body.callers).sort()).toEqual(["reader", "vault", "writer"]);
  const billing = body.applications.find((item: { name: string }) => item.name === "billing");
  expect(billing).toMatchObject({
    objectId: tenant.application("billing").objectId,
    credentials: [{ createdBy: null, visible: true }],
  });
  const value = tenant.simulator.world.tenant.applications.find((item) => item.id === billing.objectId)?.credentials[0]
    ?.secretText;
  expect(JSON.stringify(body)).not.toContain(value);
});
