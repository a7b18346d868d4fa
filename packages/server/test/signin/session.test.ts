import { SecretValue } from "@countersign/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cookieName } from "../../src/signin/cookie.ts";
import { LocalSignIn } from "../../src/signin/index.ts";
import { type Fixture, fixture, origin, password } from "../api/fixture.ts";

let f: Fixture;
beforeEach(async () => {
  f = await fixture();
});
afterEach(() => f.app.close());

const signIn = (payload: object, headers: Record<string, string> = {}) =>
  f.app.inject({ method: "POST", url: "/v1/session", payload, headers: { origin, ...headers } });

async function cookie(): Promise<string> {
  const answer = await signIn({ login: "ada", password });
  return `cs_session=${answer.cookies[0]?.value}`;
}

const whoAmI = async (headers: Record<string, string>) =>
  (await f.app.inject({ url: "/v1/session", headers })).json<{ person: { name: string } | null }>().person;

describe("signing in", () => {
  it("by login name or mail address, in any case", async () => {
    for (const login of ["ada", "ADA", "ada@contoso.example"])
      expect((await signIn({ login, password })).statusCode).toBe(200);
  });

  it("refuses a wrong password, an unknown login and an empty one alike", async () => {
    const wrong = await signIn({ login: "ada", password: "wrong" });
    const unknown = await signIn({ login: "nobody", password });
    expect(wrong.statusCode).toBe(401);
    expect({ ...wrong.json(), instance: "" }).toEqual({ ...unknown.json(), instance: "" });
    expect((await signIn({ login: "", password })).statusCode).toBe(400);
  });

  it("sets a cookie that scripts cannot read and other sites do not send, or answers a bearer token, never both", async () => {
    const browser = await signIn({ login: "ada", password });
    expect(browser.json()).toMatchObject({ token: null });
    expect(browser.cookies[0]).toMatchObject({ httpOnly: true, sameSite: "Strict", path: "/" });
    const script = await signIn({ login: "ada", password, kind: "bearer" });
    expect(script.cookies).toHaveLength(0);
    expect(script.json<{ token: string }>().token).toMatch(/^[A-Za-z0-9_-]{43}$/);
  });

  it("uses a __Host- cookie over https", () => {
    expect(cookieName("https://cs.example")).toBe("__Host-cs_session");
    expect(cookieName("http://127.0.0.1:8080")).toBe("cs_session");
  });

  it("keeps only the hash of the session id", async () => {
    const { token } = (await signIn({ login: "ada", password, kind: "bearer" })).json<{ token: string }>();
    expect(JSON.stringify([...f.sessionRows])).not.toContain(token);
    expect([...f.sessionRows.keys()].every((key) => /^[0-9a-f]{64}$/.test(key))).toBe(true);
  });

  it("never adopts an id that the client brought along", async () => {
    const planted = "A".repeat(43);
    const answer = await signIn({ login: "ada", password }, { cookie: `cs_session=${planted}` });
    expect(answer.cookies[0]?.value).not.toBe(planted);
    expect(await whoAmI({ cookie: `cs_session=${planted}` })).toBeNull();
  });

  it("ends the session that was there before", async () => {
    const before = await cookie();
    await signIn({ login: "ben", password }, { cookie: before, "x-countersign": "1" });
    expect(await whoAmI({ cookie: before })).toBeNull();
  });

  it("is limited per address", async () => {
    const limited = await fixture({ signInsPerMinuteMax: 3 });
    const codes: number[] = [];
    for (let index = 0; index < 5; index += 1) {
      codes.push(
        (await limited.app.inject({ method: "POST", url: "/v1/session", payload: { login: "ada", password: "wrong" } }))
          .statusCode,
      );
    }
    expect(codes).toEqual([401, 401, 401, 429, 429]);
    await limited.app.close();
  });
});

describe("a session", () => {
  it("ends by signing out, everywhere", async () => {
    const session = await cookie();
    expect(await whoAmI({ cookie: session })).toMatchObject({ name: "Ada Lindqvist" });
    await f.app.inject({
      method: "DELETE",
      url: "/v1/session",
      headers: { cookie: session, origin, "x-countersign": "1" },
    });
    expect(await whoAmI({ cookie: session })).toBeNull();
  });

  it("ends after 30 idle minutes and after 8 hours at the latest", async () => {
    const session = await cookie();
    f.time.real += 29 * 60_000;
    expect(await whoAmI({ cookie: session })).not.toBeNull();
    f.time.real += 30 * 60_000;
    expect(await whoAmI({ cookie: session })).toBeNull();

    const busy = await cookie();
    for (let minutes = 0; minutes < 8 * 60 - 20; minutes += 20) {
      f.time.real += 20 * 60_000;
      expect(await whoAmI({ cookie: busy })).not.toBeNull();
    }
    f.time.real += 20 * 60_000;
    expect(await whoAmI({ cookie: busy })).toBeNull();
  });

  it("does not notice how far the virtual clock is advanced", async () => {
    const session = await cookie();
    f.time.domain += 90 * 86_400_000;
    expect(await whoAmI({ cookie: session })).not.toBeNull();
  });

  it.each(["", "x", "A".repeat(43), "../../x", "A".repeat(5_000), "'; drop table cs.session; --"])(
    "is not made of %j",
    async (id) => {
      expect(await whoAmI({ cookie: `cs_session=${encodeURIComponent(id)}` })).toBeNull();
      expect(await whoAmI({ authorization: `Bearer ${id}` })).toBeNull();
    },
  );

  it("of a person who is not enrolled any more is worth nothing", async () => {
    const token = await f.token("ada");
    for (const row of f.sessionRows.values()) (row as { person: string }).person = "p_ffffffffffffffff";
    expect(await whoAmI({ authorization: `Bearer ${token}` })).toBeNull();
  });
});

describe("another site", () => {
  const change = async (headers: Record<string, string>) =>
    (
      await f.app.inject({
        method: "POST",
        url: "/v1/requests",
        payload: { row: "reporting", reason: "a good reason" },
        headers: { "idempotency-key": "12345678", cookie: await cookie(), ...headers },
      })
    ).statusCode;

  it("changes nothing with somebody's cookie", async () => {
    expect(await change({ origin: "https://evil.example", "x-countersign": "1" })).toBe(403);
    expect(await change({ origin: "null", "x-countersign": "1" })).toBe(403);
    expect(await change({ origin })).toBe(403);
    expect(await change({ "sec-fetch-site": "cross-site", "x-countersign": "1" })).toBe(403);
    expect(await change({ "sec-fetch-site": "same-site", "x-countersign": "1" })).toBe(403);
    expect(await change({ origin, "x-countersign": "1" })).toBe(202);
  });
});

describe("every answer", () => {
  it("carries the page rules, problems and pages of other routes included", async () => {
    for (const url of ["/v1/session", "/v1/status", "/v1/nowhere", "/nowhere", "/v1/openapi.json"]) {
      const { headers } = await f.app.inject({ url });
      expect(headers["content-security-policy"], url).toContain("require-trusted-types-for 'script'");
      expect(headers["x-content-type-options"]).toBe("nosniff");
      expect(headers["content-security-policy"]).not.toMatch(/unsafe|\*/);
    }
  });

  it("counts what browsers report of broken rules", async () => {
    const report = {
      method: "POST",
      url: "/v1/csp-reports",
      headers: { "content-type": "application/csp-report" },
      payload: "{}",
    } as const;
    expect((await f.app.inject(report)).statusCode).toBe(204);
    expect(f.app.cspReports.count).toBe(1);
  });
});

describe("local sign-in", () => {
  it("keeps no password that could be read", async () => {
    const local = new LocalSignIn([
      { person: "p_00000000000000a1", sub: "ada", email: "a@b.c", password: SecretValue.of("hunter2") },
    ]);
    expect(JSON.stringify(local)).not.toContain("hunter2");
    expect(local.check("ada", "hunter2")).toBe("p_00000000000000a1");
    expect(local.check("ada", "hunter")).toBeNull();
  });
});
