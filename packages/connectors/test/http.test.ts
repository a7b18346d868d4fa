import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { CountersignError, type RetryClass } from "@countersign/core";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { addressAllowed, baseUrl } from "../src/kit/addresses.ts";
import { Budget } from "../src/kit/budget.ts";
import { clean } from "../src/kit/conformance.ts";
import { type Call, createHttp, type Http } from "../src/kit/http.ts";
import { retryAfterMs } from "../src/kit/retry.ts";
import { jumpingClock } from "./support.ts";

type Handler = (request: IncomingMessage, response: ServerResponse, n: number) => void;
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** A server of the test's own that answers as told and counts. */
async function open(handler: Handler, callDeadlineMs = 300) {
  const seen: { headers: IncomingMessage["headers"]; body: string; port: number | undefined }[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      seen.push({ headers: request.headers, body: Buffer.concat(chunks).toString(), port: request.socket.remotePort });
      handler(request, response, seen.length);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const http = createHttp({ ca: [], proxy: null, loopback: true, callDeadlineMs, version: "1.2.3" });
  closers.push(async () => {
    await http.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const endpoint = http.endpoint(`http://127.0.0.1:${(server.address() as AddressInfo).port}/base`);
  const clock = jumpingClock();
  const leave = { clock, signal: new AbortController().signal };
  const call = (retry: RetryClass, more: Partial<Call<{ ok: boolean }>> = {}) =>
    http.call(leave, {
      name: "thing.do",
      method: retry === "safe" ? "GET" : "POST",
      url: endpoint.url("/thing"),
      ...(retry === "safe" ? {} : { json: { secret: "s3cret-value-of-the-request" } }),
      retry,
      effect: retry !== "safe",
      expect: [200],
      answer: z.object({ ok: z.boolean() }),
      readError: (_status, body) => ({
        code: (body as { code?: unknown } | undefined)?.code ?? null,
        transient: false,
      }),
      budget: new Budget(8),
      ...more,
    });
  return { http, endpoint, call, seen, clock, leave };
}

const json = (response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}) =>
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));

describe("an answer that is compressed although nobody asked for that", () => {
  const packed = (bytes: Buffer, encoding: string): Handler => {
    return (_q, r) => void r.writeHead(200, { "content-encoding": encoding }).end(bytes);
  };

  it.each([
    ["gzip", gzipSync],
    ["GZIP", gzipSync],
    ["deflate", deflateSync],
    ["br", brotliCompressSync],
  ])("is read: %s", async (encoding, pack) => {
    const { call, seen } = await open(packed(pack('{"ok":true}'), encoding), 5_000);
    expect(await call("once")).toMatchObject({ status: 200, body: { ok: true } });
    expect(seen).toHaveLength(1);
  });

  it("cut off, or larger than what is read, it says nothing about what a call did", async () => {
    const whole = gzipSync('{"ok":true}');
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024, " "));
    for (const bytes of [whole.subarray(0, 20), bomb]) {
      const { call, seen } = await open(packed(bytes, "gzip"), 5_000);
      await expect(call("once")).rejects.toMatchObject({ code: "OUTSIDE_UNKNOWN", facts: { refused: false } });
      expect(seen).toHaveLength(1);
    }
  });
});

describe("a call that may happen once only", () => {
  const doubtful: [string, Handler][] = [
    ["500", (_q, r) => json(r, 500, { code: "Boom" })],
    ["503 with Retry-After", (_q, r) => json(r, 503, { code: "Busy" }, { "retry-after": "1" })],
    ["504 of a gateway", (_q, r) => void r.writeHead(504).end("<html>")],
    ["a reset", (q) => void q.socket.destroy()],
    ["no answer before the deadline", () => undefined],
    [
      "a truncated body",
      (_q, r) => void r.writeHead(200, { "content-length": "500" }).write('{"ok"', () => r.destroy()),
    ],
    ["HTML with status 200", (_q, r) => void r.writeHead(200).end("<html>sign in</html>")],
    ["a malformed answer", (_q, r) => json(r, 200, { ok: "yes" })],
    ["a bare 400 that nobody signed", (_q, r) => void r.writeHead(400).end("bad")],
    ["408", (_q, r) => json(r, 408, { code: "Timeout" })],
    ["a redirect", (_q, r) => void r.writeHead(307, { location: "http://127.0.0.1:1/" }).end()],
  ];
  it.each(doubtful)("is sent once and unknown after %s", async (_name, handler) => {
    const { call, seen } = await open(handler);
    await expect(call("once")).rejects.toMatchObject({ code: "OUTSIDE_UNKNOWN", facts: { refused: false } });
    expect(seen).toHaveLength(1);
  });

  it.each([
    [400, "OUTSIDE_INVALID"],
    [401, "OUTSIDE_AUTH"],
    [403, "OUTSIDE_FORBIDDEN"],
    [404, "OUTSIDE_NOT_FOUND"],
    [409, "OUTSIDE_CONFLICT"],
    [412, "OUTSIDE_CONFLICT"],
    [429, "OUTSIDE_RATE_LIMITED"],
  ])("is known not to have happened after a %i with the vendor's code", async (status, code) => {
    const { call, seen } = await open((_q, r) => json(r, status, { code: "Vendor_Code" }, { "retry-after": "7" }));
    await expect(call("once")).rejects.toMatchObject({
      code,
      facts: { status, code: "Vendor_Code", refused: true, retryAfterMs: 7_000 },
    });
    expect(seen).toHaveLength(1);
  });

  it("may be asked for again after a 400 that the vendor calls passing", async () => {
    const { call } = await open((_q, r) => json(r, 400, { code: "Request_BadRequest" }));
    await expect(
      call("once", { readError: () => ({ code: "Request_BadRequest", transient: true }) }),
    ).rejects.toMatchObject({ code: "OUTSIDE_UNAVAILABLE", facts: { refused: true } });
  });

  it("is known not to have happened when nobody listens", async () => {
    const { http, leave, call } = await open(() => undefined);
    const nowhere = http.endpoint("http://127.0.0.1:9");
    await expect(call("once", { url: nowhere.url("/x") })).rejects.toMatchObject({
      code: "OUTSIDE_UNAVAILABLE",
      facts: { refused: true },
    });
    expect(leave.signal.aborted).toBe(false);
  });

  it("leaves on a connection of its own", async () => {
    const { call, seen } = await open((_q, r) => json(r, 200, { ok: true }));
    await call("once");
    await call("once");
    expect(seen[0]?.port).not.toBe(seen[1]?.port);
  });

  it.each([
    ["done", 200, { ok: true }, true],
    ["answered without a word that is the vendor's", 403, {}, true],
    ["failed over there", 500, { code: "Sorry" }, true],
    ["refused", 403, { code: "Forbidden" }, false],
  ])("says of an effect that is %s whether it may stand", async (_, status, body, stands) => {
    const { http, endpoint, leave } = await open((_q, r) => json(r, status, body));
    let noted = false;
    const call = {
      name: "x",
      method: "POST",
      url: endpoint.url("/x"),
      retry: "once",
      expect: [200],
      answer: null,
      readError: (_status: number, seen: unknown) => ({ code: (seen as { code?: string }).code, transient: false }),
      budget: new Budget(1),
    } as const;
    const noting = { ...leave, effectMayStand: () => void (noted = true) };
    await http.call(noting, { ...call, effect: false }).catch(() => {});
    expect(noted).toBe(false);
    await http.call(noting, { ...call, effect: true }).catch(() => {});
    expect(noted).toBe(stands);
  });

  it("does not leave once the lease is lost, however late that is noticed", async () => {
    const { http, endpoint, leave, seen } = await open((_q, r) => json(r, 200, { ok: true }));
    let alive = true;
    const stalled = {
      ...leave,
      assertAlive: () => {
        if (!alive) throw new CountersignError("LEASE_LOST", "expected a fresh lease, got none");
      },
      effectSent: async () => {
        alive = false;
      },
    };
    const call = {
      name: "x",
      method: "POST",
      url: endpoint.url("/x"),
      retry: "once",
      effect: true,
      expect: [200],
      answer: null,
      readError: () => ({ code: null, transient: false }),
      budget: new Budget(1),
    } as const;
    await expect(http.call(stalled, call)).rejects.toMatchObject({ code: "LEASE_LOST" });
    expect(seen).toHaveLength(0);
  });
});

describe("a call that may be repeated", () => {
  it("waits as long as Retry-After says, on the domain clock", async () => {
    const { call, clock, seen } = await open((_q, r, n) =>
      n === 1 ? json(r, 429, { code: "Slow" }, { "retry-after": "17" }) : json(r, 200, { ok: true }),
    );
    await call("safe");
    expect(seen).toHaveLength(2);
    expect(clock.passed).toBeGreaterThanOrEqual(17_000);
  });

  it("gives up after a bounded number of tries, and an effect in doubt stays in doubt", async () => {
    const { call, seen } = await open((_q, r) => json(r, 503, { code: "Down" }));
    await expect(call("idempotent", { attemptsMax: 3 })).rejects.toMatchObject({ code: "OUTSIDE_UNKNOWN" });
    expect(seen).toHaveLength(3);
    await expect(call("safe", { attemptsMax: 2 })).rejects.toMatchObject({ code: "OUTSIDE_UNAVAILABLE" });
  });

  it("reads past a reset, a truncated body and a malformed one", async () => {
    const { call } = await open((q, r, n) => {
      if (n === 1) q.socket.destroy();
      else if (n === 2) r.writeHead(200, { "content-length": "500" }).write("{", () => r.destroy());
      else if (n === 3) r.writeHead(200).end("{");
      else json(r, 200, { ok: true, extra: null });
    });
    expect((await call("safe")).body).toEqual({ ok: true });
  });

  it("slows down before the limit is reached, when the provider says how near it is", async () => {
    const budget = new Budget(8);
    const { call, clock } = await open((_q, r) =>
      json(r, 200, { ok: true }, { "x-ms-throttle-limit-percentage": "0.9" }),
    );
    await call("safe", { budget });
    expect(clock.passed).toBe(0);
    await call("safe", { budget });
    expect(clock.passed).toBeGreaterThanOrEqual(900);
  });

  it("keeps to a rate in domain time", async () => {
    const budget = new Budget(8, { requests: 5, windowMs: 10_000 });
    const { call, clock } = await open((_q, r) => json(r, 200, { ok: true }));
    for (let n = 0; n < 6; n += 1) await call("safe", { budget });
    expect(clock.passed).toBe(10_000);
  });
});

describe("what goes out and what comes in", () => {
  it("names us and the request, and keeps the vendor's request id", async () => {
    const { call, seen } = await open((_q, r) => json(r, 200, { ok: true }, { "request-id": "93b6f17e-0000" }));
    expect((await call("safe")).requestId).toBe("93b6f17e-0000");
    expect(seen[0]?.headers["user-agent"]).toBe("countersign/1.2.3");
    expect(seen[0]?.headers["client-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("lets no part of a hostile answer into an error", async () => {
    const secret = "s3cret-value-of-the-request";
    const { call } = await open((_q, r) =>
      json(r, 400, { code: secret, message: secret }, { "request-id": secret, "x-more": secret }),
    );
    const error = await call("once").catch((caught: unknown) => caught);
    clean({ secrets: () => [secret] }, String(error), (error as CountersignError).facts, (error as Error).stack);
  });

  it("stops reading an answer that never ends", async () => {
    const { call } = await open((_q, r) => {
      const chunk = Buffer.alloc(1024 * 1024, 120);
      r.writeHead(200);
      const more = () => {
        while (!r.destroyed && r.write(chunk));
        if (!r.destroyed) r.once("drain", more);
      };
      more();
    }, 5_000);
    await expect(call("safe")).rejects.toMatchObject({ code: "OUTSIDE_MALFORMED" });
  });

  it("follows a next link only below the configured base", async () => {
    const { endpoint } = await open(() => undefined);
    const { origin } = endpoint.base;
    expect(endpoint.follow(`${origin}/base/next?$skiptoken=a%20b`).href).toBe(`${origin}/base/next?$skiptoken=a%20b`);
    for (const link of [
      `${origin}/other`,
      `${origin}/base2/x`,
      "https://evil.example/base/x",
      `http://user@${endpoint.base.host}/base/x`,
      "/relative",
    ]) {
      expect(() => endpoint.follow(link)).toThrow(CountersignError);
    }
  });
});

describe("hosts", () => {
  it.each([
    "http://graph.microsoft.com",
    "https://127.0.0.1/",
    "https://localhost",
    "https://2130706433/",
    "https://0x7f000001",
    "https://[::1]",
    "https://[::ffff:127.0.0.1]",
    "https://169.254.169.254",
    "https://[fe80::1]",
    "https://0.0.0.0",
    "https://user:pw@host.example",
    "https://host.example/?a=1",
    "ftp://host.example",
    "not a url",
  ])("%s is refused in production", (url) => {
    expect(() => baseUrl(url, false)).toThrow(CountersignError);
  });

  it("loopback over http is for demo and test only", () => {
    expect(baseUrl("http://127.0.0.1:8080", true).port).toBe("8080");
    expect(() => baseUrl("http://10.0.0.1", true)).toThrow(CountersignError);
    expect(() => baseUrl("http://169.254.169.254", true)).toThrow(CountersignError);
  });

  it("no address of loopback or link-local passes, in any notation", () => {
    fc.assert(
      fc.property(fc.nat(255), fc.nat(255), (a, b) => {
        expect(addressAllowed(`127.0.${a}.${b}`, false)).toBe(false);
        expect(addressAllowed(`::ffff:127.0.${a}.${b}`, false)).toBe(false);
        expect(addressAllowed(`169.254.${a}.${b}`, true)).toBe(false);
      }),
    );
  });

  it("Retry-After is read as seconds or as a date, and nothing else", () => {
    expect(retryAfterMs("3", 0)).toBe(3_000);
    expect(retryAfterMs("Sun, 22 Nov 2026 10:00:10 GMT", Date.UTC(2026, 10, 22, 10))).toBe(10_000);
    expect(retryAfterMs("Sun, 22 Nov 2026 10:00:00 GMT", Date.UTC(2026, 10, 22, 11))).toBe(0);
    expect(retryAfterMs("soon", 0)).toBeNull();
    expect(retryAfterMs(undefined, 0)).toBeNull();
  });
});

it("goes through the configured proxy, except to loopback", async () => {
  const asked: string[] = [];
  const proxy = createServer();
  proxy.on("connect", (request, socket) => {
    asked.push(request.url ?? "");
    socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const http = createHttp({
    ca: [],
    proxy: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    loopback: true,
    callDeadlineMs: 2_000,
    version: "1",
  });
  closers.push(async () => {
    await http.close();
    await new Promise((resolve) => proxy.close(resolve));
  });
  const { endpoint: local } = await open((_q, r) => json(r, 200, { ok: true }));
  const leave = { clock: jumpingClock(), signal: new AbortController().signal };
  const call = (url: URL, retry: RetryClass) =>
    http.call(leave, {
      name: "x",
      method: "POST",
      url,
      retry,
      effect: true,
      expect: [200],
      answer: null,
      readError: () => ({ code: null, transient: false }),
      budget: new Budget(1),
      attemptsMax: 1,
    });
  await call(local.url("/x"), "idempotent");
  expect(asked).toEqual([]);
  const far = http.endpoint("https://graph.example");
  await expect(call(far.url("/x"), "idempotent")).rejects.toMatchObject({ code: "OUTSIDE_UNKNOWN" });
  await expect(call(far.url("/x"), "once")).rejects.toMatchObject({ code: "OUTSIDE_UNKNOWN" });
  expect(asked).toEqual(["graph.example:443", "graph.example:443"]);
});

it("closing ends the connections", async () => {
  const { http } = await open(() => undefined);
  await expect((http as Http).close()).resolves.toBeUndefined();
});
