import { type Problem, problemCodes, type Route, type RouteName, routes } from "@countersign/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Fixture, fixture } from "./fixture.ts";
import { runId } from "./world.ts";

let f: Fixture;
let token: string;
/** Who may call what not everybody may, by address. */
const others = new Map<string, string>();
beforeAll(async () => {
  f = await fixture();
  token = await f.token("ada");
  others.set("/v1/freeze", await f.token("ben"));
  others.set("/v1/acceptances/confirmations", await f.token("cleo"));
});
afterAll(() => f.app.close());

const table = Object.entries(routes) as [RouteName, Route][];
const withBody = table.filter(([, route]) => route.body !== undefined);
const urlOf = (route: Route) => route.path.replace("{id}", runId("a")).replace("{name}", "billing-api");

/** Sends what should be refused; asserts one code of the closed list and that nothing has changed. */
async function refused(options: {
  method: string;
  url: string;
  payload?: string;
  headers?: Record<string, string>;
}): Promise<Problem> {
  const before = f.store.fingerprint();
  const { method, url, payload, headers } = options;
  const answer = await f.app.inject({
    method: method as "POST",
    url,
    headers: {
      authorization: `Bearer ${others.get(url) ?? token}`,
      "idempotency-key": crypto.randomUUID(),
      "content-type": "application/json",
      ...headers,
    },
    ...(payload === undefined ? {} : { payload }),
  });
  const problem = answer.json<Problem>();
  expect(answer.headers["content-type"]).toContain("application/problem+json");
  expect(problemCodes).toContain(problem.code);
  expect(problem.code, answer.body).not.toBe("UNEXPECTED");
  expect(answer.statusCode).toBeGreaterThanOrEqual(400);
  expect(f.store.fingerprint()).toBe(before);
  return problem;
}

const malformed = {
  empty: "",
  "cut off": '{"reason": "x',
  "no JSON": "reason=because",
  "an array": "[]",
  "a number": "42",
  null: "null",
  "a duplicate brace": "{}}",
  "a prototype member": '{"__proto__": {"admin": true}}',
  "a constructor member": '{"constructor": {"prototype": {"admin": true}}}',
  "an unknown member": '{"unheard_of": 1}',
  "wrong types":
    '{"row": 1, "reason": [], "decision": {}, "role": 7, "statement": false, "planDigest": 0, "choice": "x", "by": "soon", "login": {}, "password": 1}',
  "a byte order mark": '\ufeff{"a":1}',
  "too deep": "[".repeat(40) + "]".repeat(40),
  "very deep": '{"a":'.repeat(20_000) + "1" + "}".repeat(20_000),
};

describe.each(withBody)("%s", (_name, route) => {
  it.each(Object.entries(malformed))("refuses %s", async (_kind, payload) => {
    await refused({ method: route.method, url: urlOf(route), payload });
  });

  it("refuses a body over 1 MiB", async () => {
    const problem = await refused({
      method: route.method,
      url: urlOf(route),
      payload: JSON.stringify({ reason: "x".repeat(1_100_000) }),
    });
    expect(problem.code).toBe("LIMIT_EXCEEDED");
  });

  it.each(["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml"])(
    "refuses %s",
    async (type) => {
      const problem = await refused({
        method: route.method,
        url: urlOf(route),
        payload: "a=1",
        headers: { "content-type": type },
      });
      expect(problem).toMatchObject({ code: "INPUT_INVALID", status: 415 });
    },
  );
});

const hostile = [
  "billing-api'; drop table cs.run; --",
  "<script>alert(1)</script>",
  "\u0000",
  "a\u202egnp.exe",
  "\ud800",
  "../../etc/passwd",
  "%00",
  "${jndi:ldap://x}",
  "x".repeat(5_000),
  "",
  " ",
];

describe("hostile strings", () => {
  it.each(hostile)("as a row to rotate are refused: %j", async (row) => {
    await refused({ method: "POST", url: "/v1/requests", payload: JSON.stringify({ row, reason: "a good reason" }) });
  });

  it.each(["", "  ", "ab", "a\u0000b", "a\u202eb", "x".repeat(2_001)])(
    "as a reason are refused: %j",
    async (reason) => {
      await refused({ method: "POST", url: "/v1/requests", payload: JSON.stringify({ row: "reporting", reason }) });
    },
  );

  it.each(hostile.filter((text) => text.trim() !== ""))("in a path are refused: %j", async (text) => {
    const encoded = text === "\ud800" ? "%ED%A0%80" : encodeURIComponent(text.slice(0, 300));
    for (const url of [`/v1/runs/${encoded}`, `/v1/applications/${encoded}`, `/v1/runs/${encoded}/entries`])
      await refused({ method: "GET", url });
  });

  it.each([
    "/v1/applications?limit=0",
    "/v1/applications?limit=201",
    "/v1/applications?limit=NaN",
    "/v1/applications?limit=1e3",
    "/v1/applications?cursor=%00",
    "/v1/applications?cursor=bm90LW91cnM=",
    "/v1/applications?sort=password",
    "/v1/applications?unheard_of=1",
    "/v1/applications?q=a&q=b",
    "/v1/applications?q=%00",
    "/v1/runs?state=done",
    "/v1/runs?cursor=AAAA",
    "/v1/runs?open=maybe",
    "/v1/findings?result=pass",
    "/v1/credentials?state=secret",
    "/v1/log/entries?from=-1",
    "/v1/log/entries?limit=100000",
  ])("in a query are refused: %s", async (url) => {
    expect((await refused({ method: "GET", url })).code).toBe("INPUT_INVALID");
  });

  it.each(["", "short", "x".repeat(201), "with space in it", "späße-key-1"])(
    "as an Idempotency-Key are refused: %j",
    async (key) => {
      const problem = await refused({
        method: "POST",
        url: "/v1/requests",
        payload: JSON.stringify({ row: "reporting", reason: "a good reason" }),
        headers: { "idempotency-key": key },
      });
      expect(problem.code).toBe("INPUT_INVALID");
    },
  );
});

describe("a refusal", () => {
  it("says where, what was expected and what came, and never repeats what may be a secret", async () => {
    const file = await refused({
      method: "POST",
      url: "/v1/requests",
      payload: JSON.stringify({ row: "reporting", reason: "x", "a/b": 1 }),
      headers: { "idempotency-key": "why-it-was-refused" },
    });
    expect(file.errors).toEqual([
      { pointer: "/reason", detail: "expected at least 3 characters, got 1" },
      { pointer: "/a~1b", detail: 'expected only known keys, got "a/b"' },
    ]);
    const session = await refused({
      method: "POST",
      url: "/v1/session",
      payload: JSON.stringify({ login: "ada", password: ["hunter2"] }),
    });
    expect(JSON.stringify(session)).not.toContain("hunter2");
  });

  it("names the field by JSON pointer", async () => {
    const problem = await refused({ method: "POST", url: "/v1/requests", payload: '{"row":"billing-api"}' });
    expect(problem.errors?.map((error) => error.pointer)).toContain("/reason");
  });

  it("of a failure nobody foresaw carries no detail", async () => {
    const broken = await fixture();
    broken.store.logSize = async () => {
      throw new Error("password=hunter2 at db.internal:5432");
    };
    const answer = await broken.app.inject({
      url: "/v1/log/entries",
      headers: { authorization: `Bearer ${await broken.token("ada")}` },
    });
    expect(answer.statusCode).toBe(500);
    expect(answer.json()).toMatchObject({ code: "UNEXPECTED" });
    expect(answer.body).not.toContain("hunter2");
    await broken.app.close();
  });

  it("a stored object with a member that the contract does not know never leaves", async () => {
    const leaky = await fixture();
    leaky.store.credentials.push({ ...leaky.store.credentials[0]!, id: "leak", secretText: "hunter2" } as never);
    const answer = await leaky.app.inject({
      url: "/v1/credentials?limit=200",
      headers: { authorization: `Bearer ${await leaky.token("ada")}` },
    });
    expect(answer.body).toContain('"leak"');
    expect(answer.body).not.toContain("hunter2");
    await leaky.app.close();
  });
});
