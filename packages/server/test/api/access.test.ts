import { type Access, type Role, type Route, type RouteName, roles, routes } from "@countersign/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mayCall } from "../../src/api/authorise.ts";
import { type Fixture, fixture } from "./fixture.ts";
import { people, runId } from "./world.ts";

const table = Object.entries(routes) as [RouteName, Route][];
const personOf = (role: Role) => people.find((person) => person.roles.includes(role))!;
const logins = ["ada", "eli", "ben", "cleo", "dag"] as const;

let f: Fixture;
const tokens = new Map<string, string>();
beforeAll(async () => {
  f = await fixture();
  for (const login of logins) tokens.set(login, await f.token(login));
});
afterAll(() => f.app.close());

const urlOf = (route: Route) => route.path.replace("{id}", runId("a")).replace("{name}", "billing-api");

/** Sends a call whose body is refused as input: only whether the caller got that far is looked at. */
async function status(route: Route, login: string | null): Promise<string> {
  const answer = await f.app.inject({
    method: route.method,
    url: urlOf(route),
    headers: { ...(login === null ? {} : { authorization: `Bearer ${tokens.get(login)}` }) },
    ...(route.body === undefined ? {} : { payload: { unheard_of: true } }),
  });
  if (answer.headers["content-type"]?.includes("problem")) return answer.json<{ code: string }>().code;
  return "allowed";
}

describe("who may call what", () => {
  const cases = table
    .filter(([name]) => name !== "events" && name !== "signOut" && name !== "liftFreeze")
    .flatMap(([name, route]) => roles.map((role) => [name, role, route] as const));
  it.each(cases)("%s by %s is as the route table says", async (_name, role, route) => {
    const login = logins[roles.indexOf(role)]!;
    const expected = mayCall(route.roles, personOf(role)) === "yes";
    expect((await status(route, login)) !== "FORBIDDEN").toBe(expected);
  });

  it.each(table.filter(([, route]) => route.roles !== "public"))(
    "%s without a session is refused before anything is read",
    async (_name, route) => {
      expect(await status(route, null)).toBe("NOT_SIGNED_IN");
    },
  );

  it("only security lifts a freeze", async () => {
    const call = (login: string) =>
      f.app.inject({ method: "DELETE", url: "/v1/freeze", headers: { authorization: `Bearer ${tokens.get(login)}` } });
    for (const login of ["ada", "eli", "ben", "dag"]) expect((await call(login)).statusCode).toBe(403);
    expect((await call("cleo")).statusCode).toBe(204);
  });

  it("an address that is no route is NOT_FOUND, also with a session", async () => {
    for (const url of ["/v1/secrets", "/v1/runs/../freeze", "/v2/status", "/v1/openapi.yaml"]) {
      expect((await f.app.inject({ url })).json()).toMatchObject({ code: "NOT_FOUND" });
    }
  });

  it("a route that does not say who may call it stops the start", async () => {
    const other = await fixture();
    expect(() => other.app.get("/v1/forgotten", async () => "open")).toThrow(/who may call/);
    await other.app.close();
  });

  it("the rule of access has exactly three answers", () => {
    const accesses: Access[] = ["public", "signed-in", ["security"]];
    expect(accesses.map((access) => mayCall(access, null))).toEqual(["yes", "sign-in-first", "sign-in-first"]);
    expect(accesses.map((access) => mayCall(access, personOf("auditor")))).toEqual(["yes", "yes", "forbidden"]);
  });
});

describe("profile production", () => {
  it("has neither local sign-in nor clock control", async () => {
    const production = await fixture({
      local: null,
      installation: { ...f.api.installation, profile: "production", clock: "system" },
    });
    const sign = await production.app.inject({
      method: "POST",
      url: "/v1/session",
      payload: { login: "ada", password: "x" },
    });
    expect(sign.statusCode).toBe(404);
    expect(
      (await production.app.inject({ method: "POST", url: "/v1/clock/advance", payload: { by: 1 } })).statusCode,
    ).toBe(404);
    expect((await production.app.inject({ url: "/v1/session" })).json()).toMatchObject({ accounts: [] });
    await production.app.close();
  });
});
