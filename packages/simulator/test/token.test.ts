import { createPublicKey, verify } from "node:crypto";
import { afterEach, expect, test } from "vitest";
import { type Loose, startTenant, type TestTenant } from "./tenant.ts";

let tenant: TestTenant;
afterEach(() => tenant.close());

const secretOf = (name: string): { clientId: string; secret: string } => {
  const app = tenant.simulator.world.tenant.applications.find((item) => item.id === tenant.application(name).objectId);
  return { clientId: app?.appId ?? "", secret: app?.credentials[0]?.secretText ?? "" };
};

test("each refusal carries the vendor's number, in the vendor's shape", async () => {
  tenant = await startTenant();
  const { clientId, secret } = secretOf("billing");
  const { urls, tenantId } = tenant.simulator;
  const post = (path: string, form: Record<string, string>) =>
    tenant.call(`${urls.authority}/${path}/oauth2/v2.0/token`, { method: "POST", body: new URLSearchParams(form) });
  const good = {
    grant_type: "client_credentials",
    client_id: clientId,
    client_secret: secret,
    scope: "https://graph.microsoft.com/.default",
  };
  const { client_secret: _, ...noSecret } = good;
  const { scope: __, ...noScope } = good;

  const cases: [number, string, number, Promise<{ status: number; body: Loose }>][] = [
    [7000215, "invalid_client", 401, post(tenantId, { ...good, client_secret: "wrong" })],
    [
      700016,
      "unauthorized_client",
      400,
      post(tenantId, { ...good, client_id: "00000000-0000-4000-8000-000000000000" }),
    ],
    [90002, "invalid_request", 400, post("nobody.example", good)],
    [7000218, "invalid_client", 401, post(tenantId, noSecret)],
    [900144, "invalid_request", 400, post(tenantId, noScope)],
    [70011, "invalid_scope", 400, post(tenantId, { ...good, scope: "openid" })],
    [70003, "unsupported_grant_type", 400, post(tenantId, { ...good, grant_type: "password" })],
  ];
  for (const [code, error, status, answer] of cases) {
    const { status: got, body } = await answer;
    expect({ got, error: body.error, codes: body.error_codes }).toEqual({ got: status, error, codes: [code] });
    expect(body.error_description).toMatch(
      new RegExp(`^AADSTS${code}: [\\s\\S]+\\r\\nTrace ID: .+\\r\\nCorrelation ID: .+\\r\\nTimestamp: `),
    );
    expect(JSON.stringify(body)).not.toContain(secret);
  }
});

test("a disabled application and an expired secret are told apart", async () => {
  tenant = await startTenant();
  const { clientId, secret } = secretOf("billing");
  await tenant.manage("POST", "/clock/advance", { by: "P15D" });
  expect((await tenant.signIn(clientId, secret)).body.error_codes).toEqual([7000222]);
  const app = tenant.simulator.world.tenant.applications.find((item) => item.appId === clientId);
  if (app !== undefined) app.isDisabled = true;
  expect((await tenant.signIn(clientId, secret)).body.error_codes).toEqual([7000112]);
});

test("a token is signed by the published key, names the caller and carries its roles only for Graph", async () => {
  tenant = await startTenant();
  const caller = tenant.simulator.world.tenant.callers.find((item) => item.name === "reader");
  const { urls, tenantId } = tenant.simulator;
  const { body } = await tenant.signIn(caller?.appId ?? "", caller?.secret ?? "");
  const [head = "", claims = "", signature = ""] = body.access_token.split(".");
  const { keys } = (await tenant.call(`${urls.authority}/${tenantId}/discovery/v2.0/keys`)).body;
  const key = createPublicKey({ key: keys[0], format: "jwk" });
  expect(verify("sha256", Buffer.from(`${head}.${claims}`), key, Buffer.from(signature, "base64url"))).toBe(true);
  const read = (text: string) => JSON.parse(Buffer.from(text, "base64url").toString());
  expect(read(claims)).toMatchObject({
    tid: tenantId,
    appid: caller?.appId,
    aud: "https://graph.microsoft.com",
    roles: expect.arrayContaining(["AuditLog.Read.All"]),
  });
  const vault = await tenant.signIn(caller?.appId ?? "", caller?.secret ?? "", "https://vault.azure.net/.default");
  expect(read(vault.body.access_token.split(".")[1]).roles).toBeUndefined();
});

test("client_secret_basic works as the form does, and discovery leads to the endpoints", async () => {
  tenant = await startTenant();
  const { clientId, secret } = secretOf("billing");
  const { urls, tenantId } = tenant.simulator;
  const discovery = (await tenant.call(`${urls.authority}/${tenantId}/v2.0/.well-known/openid-configuration`)).body;
  expect(discovery.issuer).toBe(`${urls.authority}/${tenantId}/v2.0`);
  const basic = Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(secret)}`).toString("base64");
  const answer = await tenant.call(discovery.token_endpoint, {
    method: "POST",
    headers: { authorization: `Basic ${basic}` },
    body: new URLSearchParams({ grant_type: "client_credentials", scope: "https://graph.microsoft.com/.default" }),
  });
  expect(answer.status).toBe(200);
  expect(answer.body).toMatchObject({ token_type: "Bearer", expires_in: 3599 });
});

test("a new secret works only after its gateways have heard of it, and consecutive answers differ meanwhile", async () => {
  tenant = await startTenant({}, { preset: "off", replicationSeconds: [3, 12], lingerSeconds: [2, 10] });
  const { objectId, appId } = tenant.application("billing");
  const made = (await tenant.graph("writer", "POST", `/v1.0/applications/${objectId}/addPassword`, {})).body;
  const tries = async (): Promise<number[]> =>
    Promise.all(Array.from({ length: 30 }, async () => (await tenant.signIn(appId, made.secretText)).status));
  expect(new Set(await tries())).toEqual(new Set([401]));
  const seen: string[] = [];
  for (let second = 0; second < 13; second += 1) {
    await tenant.manage("POST", "/clock/advance", { by: 1 });
    seen.push([...new Set(await tries())].sort((a, b) => a - b).join());
  }
  expect(seen).toContain("200,401");
  expect(seen.at(-1)).toBe("200");

  await tenant.graph("writer", "POST", `/v1.0/applications/${objectId}/removePassword`, { keyId: made.keyId });
  expect(new Set(await tries())).toEqual(new Set([200]));
  await tenant.manage("POST", "/clock/advance", { by: 11 });
  expect(new Set(await tries())).toEqual(new Set([401]));
});
