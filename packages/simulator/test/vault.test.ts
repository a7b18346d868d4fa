import { afterEach, expect, test } from "vitest";
import { type Loose, startTenant, type TestTenant } from "./tenant.ts";

let tenant: TestTenant;
afterEach(() => tenant.close());

test("a call without a token is told where to get one and for which resource", async () => {
  tenant = await startTenant();
  const answer = await tenant.call(`${tenant.simulator.urls.vaults.prod}/secrets/billing?api-version=7.5`);
  expect(answer.status).toBe(401);
  expect(answer.headers.get("www-authenticate")).toBe(
    `Bearer authorization="${tenant.simulator.urls.authority}/${tenant.simulator.tenantId}", resource="https://vault.azure.net"`,
  );
});

test("each write is a new version; the old ones stay readable; a disabled latest does not fall back", async () => {
  tenant = await startTenant();
  const first = (await tenant.vault("GET", "/secrets/billing")).body;
  const second = (
    await tenant.vault("PUT", "/secrets/billing", { value: "two", tags: { run: "r" }, contentType: "text/plain" })
  ).body;
  expect(second).toMatchObject({ value: "two", tags: { run: "r" }, previousVersion: first.id.split("/").at(-1) });
  expect((await tenant.vault("GET", "/secrets/billing/")).body.value).toBe("two");
  expect((await tenant.vault("GET", `/secrets/billing/${first.id.split("/").at(-1)}`)).body.value).toBe(first.value);
  const version = second.id.split("/").at(-1);
  const patched = (await tenant.vault("PATCH", `/secrets/billing/${version}`, { attributes: { enabled: false } })).body;
  expect(patched).toMatchObject({ attributes: { enabled: false }, tags: { run: "r" }, contentType: "text/plain" });
  expect(patched.value).toBeUndefined();
  const refused = await tenant.vault("GET", "/secrets/billing");
  expect([refused.status, refused.body.error.innererror.code]).toEqual([403, "SecretDisabled"]);
});

test("versions come in pages of at most 25, without values, in no promised order", async () => {
  tenant = await startTenant();
  for (let i = 0; i < 60; i += 1) await tenant.vault("PUT", "/secrets/many", { value: `v${i}` });
  const ids: string[] = [];
  let next: string | null = `${tenant.simulator.urls.vaults.prod}/secrets/many/versions?api-version=7.5&maxresults=25`;
  while (next !== null) {
    const page: Loose = (await tenant.call(next, { headers: await tenant.as("vault") })).body;
    expect(page.value.length).toBeLessThanOrEqual(25);
    expect(JSON.stringify(page)).not.toContain('"value":"');
    ids.push(...page.value.map((item: { id: string }) => item.id));
    next = page.nextLink;
  }
  expect(new Set(ids).size).toBe(60);
  const written = tenant.simulator.world.tenant.vaults[0]?.secrets.many?.versions.map((item) => item.version);
  expect(ids.map((id) => id.split("/").at(-1))).not.toEqual(written);
});

test("limits hold: 15 tags, 25 KB, names, api-version", async () => {
  tenant = await startTenant();
  const tags = Object.fromEntries(Array.from({ length: 16 }, (_, index) => [`t${index}`, "x"]));
  expect((await tenant.vault("PUT", "/secrets/a", { value: "x", tags })).status).toBe(400);
  expect((await tenant.vault("PUT", "/secrets/a", { value: "x".repeat(25 * 1024 + 1) })).status).toBe(400);
  expect((await tenant.vault("PUT", "/secrets/a_b", { value: "x" })).status).toBe(400);
  expect((await tenant.vault("PUT", "/secrets/a", { tags: {} })).status).toBe(400);
  const headers = await tenant.as("vault");
  expect((await tenant.call(`${tenant.simulator.urls.vaults.prod}/secrets/billing`, { headers })).status).toBe(400);
  expect((await tenant.manage("GET", "/effects?op=secret.set&effect=true")).body.entries).toEqual([]);
});

test("a deleted secret keeps its name until it is recovered or purged", async () => {
  tenant = await startTenant({}, { preset: "off", deletedSecretLagSeconds: [3, 3] });
  expect((await tenant.vault("DELETE", "/secrets/billing")).body.recoveryId).toMatch(/\/deletedsecrets\/billing$/);
  expect((await tenant.vault("GET", "/secrets/billing")).status).toBe(404);
  expect((await tenant.vault("GET", "/deletedsecrets/billing")).status).toBe(404);
  await tenant.manage("POST", "/clock/advance", { by: 4 });
  expect((await tenant.vault("GET", "/deletedsecrets/billing")).status).toBe(200);
  const conflict = await tenant.vault("PUT", "/secrets/billing", { value: "x" });
  expect([conflict.status, conflict.body.error.innererror.code]).toEqual([409, "ObjectIsDeletedButRecoverable"]);
  expect((await tenant.vault("POST", "/deletedsecrets/billing/recover")).status).toBe(200);
  expect((await tenant.vault("GET", "/secrets/billing")).status).toBe(200);
  await tenant.vault("DELETE", "/secrets/billing");
  await tenant.manage("POST", "/clock/advance", { by: 4 });
  expect((await tenant.vault("DELETE", "/deletedsecrets/billing")).status).toBe(204);
  expect((await tenant.vault("PUT", "/secrets/billing", { value: "x" })).status).toBe(200);
});

test("a role reaches as far as it was granted: one secret, reading only", async () => {
  tenant = await startTenant();
  await tenant.manage("POST", "/seed", {
    applications: [{ name: "consumer", secrets: [{ name: "s", expiresInDays: 9 }] }],
    vaultEntries: [{ vault: "prod", secret: "other", value: "v" }],
    access: [{ application: "consumer", vault: "prod", secret: "billing", role: "user" }],
  });
  const app = tenant.simulator.world.tenant.applications.find(
    (item) => item.id === tenant.application("consumer").objectId,
  );
  const { body } = await tenant.signIn(
    app?.appId ?? "",
    app?.credentials[0]?.secretText ?? "",
    "https://vault.azure.net/.default",
  );
  const call = (method: string, path: string) =>
    tenant.call(`${tenant.simulator.urls.vaults.prod}${path}?api-version=7.5`, {
      method,
      headers: { authorization: `Bearer ${body.access_token}` },
      ...(method === "PUT" ? { body: '{"value":"x"}' } : {}),
    });
  expect((await call("GET", "/secrets/billing")).status).toBe(200);
  expect((await call("GET", "/secrets/other")).body.error.innererror.code).toBe("ForbiddenByRbac");
  expect((await call("PUT", "/secrets/billing")).status).toBe(403);
});
