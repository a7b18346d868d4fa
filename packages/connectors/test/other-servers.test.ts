import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { SecretValue } from "@countersign/core";
import { afterEach, describe, expect, it } from "vitest";
import { createConnectors } from "../src/index.ts";
import { contextOf, jumpingClock, lifetimeSeconds, verbOf } from "./support.ts";

/** Servers that keep to the vendor's documents and still answer otherwise than our double does. */
type Handler = (path: string, response: ServerResponse, request: IncomingMessage) => void;
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const tenantId = "11111111-2222-4333-8444-555555555555";

async function open(handler: Handler, lifeSeconds = 3_600) {
  const counts = { tokens: 0 };
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? "");
    request.resume();
    if (path.endsWith("/token")) {
      counts.tokens += 1;
      return json(response, 200, { access_token: `t${counts.tokens}`, expires_in: lifeSeconds, token_type: "bearer" });
    }
    return handler(path, response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const clock = jumpingClock();
  const client = { clientId: "c", secret: "env:S" };
  const connectors = createConnectors(
    {
      profile: "test",
      network: { ca: [], proxy: null, loopback: true },
      callDeadlineMs: 2_000,
      tenants: [
        {
          ...{ name: "t", id: tenantId, authority: url, graph: url, reader: client, writer: client },
          ...{ ownExecutorAppIds: [], ownAddresses: [] },
        },
      ],
      connections: [],
    },
    { clock, version: "test", readSecret: () => Promise.resolve(SecretValue.of("s")) },
  );
  closers.push(async () => {
    await connectors.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const [scanner] = connectors.scanners;
  if (scanner === undefined) throw new Error("expected a tenant to list, got none");
  return { connectors, scanner, counts, clock, ctx: { clock, signal: new AbortController().signal } };
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

describe("owners", () => {
  it.each([
    ["leaves them out", {}],
    ["says null", { owners: null }],
  ])("are asked for one by one where the listing %s, and never taken for none", async (_, listed) => {
    const { scanner, ctx } = await open((path, response) => {
      if (path.startsWith("/v1.0/applications?")) return json(response, 200, { value: [{ id: "a", ...listed }] });
      if (path.startsWith("/v1.0/applications/a/owners"))
        return json(response, 200, { value: [{ "@odata.type": "#microsoft.graph.user", id: "u" }] });
      return json(response, 404, { error: { code: "Request_ResourceNotFound" } });
    });
    const { found } = await scanner.owners(ctx, "applications", null);
    expect(found).toMatchObject([{ objectId: "a", owners: [{ id: "u", kind: "user" }] }]);
  });

  it("are none where the listing says so", async () => {
    const { scanner, ctx } = await open((_path, response) => json(response, 200, { value: [{ id: "a", owners: [] }] }));
    const { found } = await scanner.owners(ctx, "applications", null);
    expect(found).toEqual([{ objectId: "a", owners: [] }]);
  });
});

describe("ids", () => {
  const [id, appId, keyId] = ["A1", "B2", "C3"].map((start) => `${start}000000-AAAA-4BBB-8CCC-DDDDDDDDDDDD`);
  const lower = (text = "") => text.toLowerCase();

  it("are in lower case from the edge on, whatever case a server prints them in", async () => {
    const { scanner, ctx } = await open((path, response) => {
      if (path.startsWith("/v1.0/applications?$select=id&"))
        return json(response, 200, { value: [{ id, owners: [{ id: appId }] }] });
      return json(response, 200, { value: [{ id, appId, passwordCredentials: [{ keyId }] }] });
    });
    const { objects } = await scanner.page(ctx, "applications", null);
    expect(objects).toMatchObject([{ objectId: lower(id), appId: lower(appId), credentials: [{ id: lower(keyId) }] }]);
    const { found } = await scanner.owners(ctx, "applications", null);
    expect(found).toMatchObject([{ objectId: lower(id), owners: [{ id: lower(appId) }] }]);
  });
});

describe("tokens", () => {
  it("that live for two minutes are used for one of them, not asked for again at each call", async () => {
    const { scanner, counts, ctx, clock } = await open((_path, response) => json(response, 200, { value: [] }), 120);
    for (let n = 0; n < 3; n += 1) await scanner.owners(ctx, "applications", null);
    expect(counts.tokens).toBe(1);
    await clock.sleep(61_000);
    await scanner.owners(ctx, "applications", null);
    expect(counts.tokens).toBe(2);
  });

  it("that ended early are renewed once for a reading, also when the refusal has no body", async () => {
    const { scanner, counts, ctx } = await open((_path, response, request) => {
      if (request.headers.authorization === "Bearer t1") return void response.writeHead(401).end();
      return json(response, 200, { value: [] });
    });
    await expect(scanner.owners(ctx, "applications", null)).resolves.toMatchObject({ found: [] });
    expect(counts.tokens).toBe(2);
  });

  it("are not renewed for ever", async () => {
    const { scanner, counts, ctx } = await open((_path, response) => void response.writeHead(401).end());
    await expect(scanner.owners(ctx, "applications", null)).rejects.toMatchObject({ code: "OUTSIDE_AUTH" });
    expect(counts.tokens).toBe(2);
  });
});

it("an answer may begin with a byte order mark", async () => {
  const { scanner, ctx } = await open((_path, response) => void response.writeHead(200).end('\uFEFF{"value":[]}'));
  await expect(scanner.owners(ctx, "applications", null)).resolves.toMatchObject({ found: [] });
});

it("a secret that was made with 201 instead of 200, its id in upper case, is made", async () => {
  const objectId = "55555555-6666-4777-8888-999999999999";
  const keyId = "E818E980-D96F-4C47-B70A-AA6C1E74CCA6";
  const ctx = contextOf({ clock: jumpingClock(), tenantId });
  const { connectors } = await open((path, response) => {
    if (!path.endsWith("/addPassword")) return json(response, 404, { error: { code: "Request_ResourceNotFound" } });
    const endDateTime = "2099-02-27T13:54:33.0981234Z";
    return json(response, 201, {
      "@odata.context": "anything",
      ...{ keyId, displayName: ctx.marker, secretText: "Abc~secret", hint: "Abc", endDateTime },
    });
  });
  const made = verbOf(connectors, "entra.add-password@1").do(ctx, { tenant: "t", objectId, lifetimeSeconds });
  await expect(made).resolves.toMatchObject({ objectIds: { keyId: keyId.toLowerCase() } });
});
