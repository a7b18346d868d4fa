import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createTcp, type Socket } from "node:net";
import { hostname } from "node:os";
import { CountersignError, SecretValue } from "@countersign/core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createConnectors } from "../src/index.ts";
import { described } from "./outsides.ts";
import { contextOf, jumpingClock, verbOf } from "./support.ts";

/** Every attempt of this process to reach another host, seen where sockets are opened. */
const attempts: string[] = [];
const watch = (message: unknown) => {
  const { socket } = message as { socket: Socket };
  socket.on("connectionAttempt", (ip: string, port: number) => attempts.push(`${ip}:${port}`));
};
/** A listener on this machine, on every address that it has; who gets there is counted. */
let arrived = 0;
const listener = createTcp((socket) => {
  arrived += 1;
  socket.destroy();
});
let port = 0;
beforeAll(async () => {
  subscribe("net.client.socket", watch);
  await new Promise<void>((resolve) => listener.listen(0, resolve));
  port = (listener.address() as AddressInfo).port;
});
afterAll(async () => {
  unsubscribe("net.client.socket", watch);
  await new Promise((resolve) => listener.close(resolve));
});
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const client = { clientId: "reader", secret: "env:reader" };
const value = "the-value-that-goes-nowhere";

function build(profile: "production" | "test", url: string, more: Record<string, unknown> = {}) {
  const settings = {
    environment: "live",
    prod: true,
    names: ["billing-*"],
    write: described.write,
    identity: described.identity,
  };
  const connectors = createConnectors(
    {
      profile,
      // Even where somebody asks for it: production has no loopback.
      network: { ca: [], proxy: null, loopback: true },
      callDeadlineMs: 400,
      tenants: [
        {
          name: "contoso",
          id: "11111111-2222-4333-8444-555555555555",
          authority: "https://login.example",
          graph: "https://graph.example",
          reader: client,
          writer: client,
          ownExecutorAppIds: [],
        },
      ],
      connections: [
        {
          name: "v",
          kind: "key-vault",
          // Never asked here: the value is at hand.
          settings: {
            name: "v",
            environment: "dev",
            prod: false,
            tenant: "contoso",
            url: "https://vault.example",
            audience: "https://vault.example",
            client,
            names: ["*"],
          },
        },
        { name: "partner", kind: "rest", settings: { name: "partner", url, ...settings, ...more } },
      ],
    },
    { clock: jumpingClock(), version: "1", readSecret: () => Promise.resolve(SecretValue.of("api-key")) },
  );
  closers.push(() => connectors.close());
  return connectors;
}

const params = {
  connection: "partner",
  record: { connection: "v", name: "r" },
  store: "store",
  created: "create",
  previous: null,
  entry: "billing-main",
};

/** Asks the interface who it is, as the executor does before every write. */
async function ask(profile: "production" | "test", url: string, more: Record<string, unknown> = {}) {
  const verb = verbOf(build(profile, url, more), "rest.write@1");
  return verb.identify(contextOf({ clock: jumpingClock() }), params);
}

const loopback = [
  "127.0.0.1",
  "127.1",
  "127.0.1",
  "127.255.255.254",
  "2130706433",
  "0x7f000001",
  "0x7f.1",
  "017700000001",
  "0177.0.0.1",
  "0x7f.0x0.0x0.0x1",
  "localhost",
  "LOCALHOST",
  "localhost.",
  "a.localhost",
  "a.b.localhost.",
  "[::1]",
  "[0:0:0:0:0:0:0:1]",
  "[::ffff:127.0.0.1]",
  "[::ffff:7f00:1]",
  "[::127.0.0.1]",
  "[::7f00:1]",
  "0.0.0.0",
  "0",
  "[::]",
  "[64:ff9b::7f00:1]",
  "[64:ff9b::127.0.0.1]",
  "[2002:7f00:1::]",
  "[2001:0:7f00:1::1]",
  "%31%32%37.0.0.1",
  "１２７.0.0.1",
  "①②⑦.⓪.⓪.①",
  "127。0。0。1",
  "ⓛocalhost",
];
const metadata = [
  "169.254.169.254",
  "2852039166",
  "0xa9fea9fe",
  "0251.0376.0251.0376",
  "[::ffff:169.254.169.254]",
  "[::ffff:a9fe:a9fe]",
  "169.254.170.2",
  "[fe80::1]",
  "[fd00:ec2::254]",
  "[64:ff9b::a9fe:a9fe]",
  "[2002:a9fe:a9fe::]",
];
const inward = [
  "10.0.0.1",
  "10.255.255.255",
  "167772161",
  "0x0a000001",
  "172.16.0.1",
  "172.31.255.254",
  "192.168.0.1",
  "192.168.255.255",
  "3232235777",
  "100.64.0.1",
  "100.127.255.254",
  "198.18.0.1",
  "198.19.255.255",
  "192.0.0.8",
  "[fc00::1]",
  "[fdff::1]",
  "[fec0::1]",
  "[::ffff:10.0.0.1]",
  "[::ffff:c0a8:1]",
  "[64:ff9b:1::a00:1]",
  "224.0.0.1",
  "240.0.0.1",
  "255.255.255.255",
  "[ff02::1]",
];
/** Names that stand for this machine in its own list of hosts; where one does not, it resolves to nothing. */
const names = [hostname(), "ip6-localhost", "ip6-loopback", "localhost.localdomain"];
const forms: [string, (port: number) => string][] = [
  ["plain http", (p) => `http://partner.example:${p}`],
  ["plain http to this machine", (p) => `http://127.0.0.1:${p}`],
  ["a user before the host", (p) => `https://partner.example@127.0.0.1:${p}`],
  ["a user of the same name", (p) => `https://127.0.0.1@partner.example:${p}`],
  ["a query", (p) => `https://partner.example:${p}/?x=1`],
  ["a fragment", (p) => `https://partner.example:${p}/#x`],
  ["a backslash for a slash", (p) => `https:\\\\127.0.0.1:${p}`],
  ["no slashes", (p) => `https:127.0.0.1:${p}`],
  ["a tab in the scheme", (p) => `ht\ttps://127.0.0.1:${p}`],
  ["a file", () => "file:///etc/passwd"],
  ["another protocol", (p) => `gopher://127.0.0.1:${p}`],
  ["a web socket", (p) => `ws://127.0.0.1:${p}`],
  ["a data address", () => "data:application/json,{}"],
];

describe("in production a described interface reaches no address that is not public", () => {
  const all: [string, string][] = [
    ...[...loopback, ...metadata, ...inward, ...names].map((host): [string, string] => [
      host,
      `https://${host}:PORT/base`,
    ]),
    ...forms.map(([what, form]): [string, string] => [what, form(0).replace(":0", ":PORT")]),
  ];
  it(`holds for at least 60 ways to write one, here ${all.length}`, () =>
    expect(all.length).toBeGreaterThanOrEqual(60));

  it.each(all)("%s", async (_what, template) => {
    const [before, sockets] = [arrived, attempts.length];
    const error = await ask("production", template.replace("PORT", String(port))).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(CountersignError);
    expect((error as CountersignError).code).toMatch(/^(HOST_REFUSED|CONFIG_INVALID|OUTSIDE_UNAVAILABLE)$/);
    expect(attempts.slice(sockets)).toEqual([]);
    expect(arrived).toBe(before);
  });

  it("the counters count: the same listener is reached where it may be", async () => {
    const [before, sockets] = [arrived, attempts.length];
    await ask("test", `http://127.0.0.1:${port}`).catch(() => null);
    expect(arrived).toBeGreaterThan(before);
    expect(attempts.length).toBeGreaterThan(sockets);
  });
});

/** A server of the test's own; what reached it, as it came over the wire. */
async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    request.resume().on("end", () => answer(request, response));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { seen, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}
const ok = (_request: IncomingMessage, response: ServerResponse) =>
  response.writeHead(200, { "content-type": "application/json" }).end('{"entry":{"id":"x"}}');

describe("nothing that an answer says leads elsewhere", () => {
  it.each([301, 302, 303, 307, 308])(
    "a %i is not followed, neither by a look nor by a write that carries the value",
    async (status) => {
      const elsewhere = await serve(ok);
      const first = await serve(
        (_request, response) =>
          void response
            .writeHead(status, {
              location: `${elsewhere.url}/v1/credentials/billing-main`,
              refresh: `0; url=${elsewhere.url}`,
            })
            .end(),
      );
      await expect(ask("test", first.url)).rejects.toBeInstanceOf(CountersignError);
      const verb = verbOf(build("test", first.url, { prod: false, identity: undefined }), "rest.write@1");
      const outcomes = new Map([["store", { objectIds: { version: "v1" }, facts: {}, requestIds: [] }]]);
      const ctx = contextOf({ clock: jumpingClock(), outcomes, value: () => SecretValue.of(value) });
      await expect(verb.do(ctx, params)).rejects.toBeInstanceOf(CountersignError);
      expect(first.seen).toContain("PUT /v1/credentials/billing-main");
      expect(elsewhere.seen).toEqual([]);
    },
  );
});

describe("nothing that is put into a path leaves it", () => {
  it.each([
    "..",
    ".",
    "../admin",
    "a/b",
    "%2e%2e",
    "@elsewhere.example",
    "//elsewhere.example",
    "a?b=c",
    "a#b",
    "a\\b",
    "a\r\nHost: b",
    "a b",
    "",
    "é",
  ])("an entry named %j is refused before anything is asked", async (entry) => {
    const verb = verbOf(build("test", `http://127.0.0.1:${port}`), "rest.write@1");
    expect(verb.params.safeParse({ ...params, entry }).success).toBe(false);
  });

  it.each([
    ["../../admin", "/base/v/..%2F..%2Fadmin/billing-main"],
    ["a?b=c#d", "/base/v/a%3Fb%3Dc%23d/billing-main"],
    ["//elsewhere.example", "/base/v/%2F%2Felsewhere.example/billing-main"],
    ["\\..\\x", "/base/v/%5C..%5Cx/billing-main"],
    ["%2e%2e", "/base/v/%252e%252e/billing-main"],
    ["a\r\nHost: elsewhere", "/base/v/a%0D%0AHost%3A%20elsewhere/billing-main"],
  ])("a version %j stays one part of it", async (version, path) => {
    const server = await serve(ok);
    const write = { ...described.write, path: "/v/{version}/{entry}" };
    const verb = verbOf(
      build("test", `${server.url}/base`, { write, identity: undefined, prod: false }),
      "rest.write@1",
    );
    const outcomes = new Map([["store", { objectIds: { version }, facts: {}, requestIds: [] }]]);
    await verb.do(contextOf({ clock: jumpingClock(), outcomes, value: () => SecretValue.of(value) }), params);
    expect(server.seen).toEqual([`PUT ${path}`]);
  });

  it.each(["..", "."])("a version that is only %j is refused", async (version) => {
    const server = await serve(ok);
    const write = { ...described.write, path: "/v/{version}/{entry}" };
    const verb = verbOf(
      build("test", `${server.url}/base`, { write, identity: undefined, prod: false }),
      "rest.write@1",
    );
    const outcomes = new Map([["store", { objectIds: { version }, facts: {}, requestIds: [] }]]);
    await expect(
      verb.do(contextOf({ clock: jumpingClock(), outcomes, value: () => SecretValue.of(value) }), params),
    ).rejects.toMatchObject({ code: "HOST_REFUSED" });
    expect(server.seen).toEqual([]);
  });
});
