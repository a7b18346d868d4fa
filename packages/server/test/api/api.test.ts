import type { Answer } from "@countersign/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Fixture, fixture } from "./fixture.ts";
import { people, runId } from "./world.ts";

let f: Fixture;
beforeAll(async () => {
  f = await fixture();
});
afterAll(() => f.app.close());

const get = async (url: string, login = "ada") =>
  f.app.inject({ url, headers: { authorization: `Bearer ${await f.token(login)}` } });

describe("every page's data", () => {
  it.each([
    "/v1/session",
    "/v1/status",
    "/v1/people",
    "/v1/applications",
    "/v1/applications?q=bill&environment=dev&sort=name&order=desc&limit=5",
    "/v1/applications/billing-api",
    "/v1/applications/orders-db",
    "/v1/inventory",
    "/v1/inventory?matter=not-declared&tenant=contoso&environment=test&q=payroll&limit=5",
    "/v1/credentials",
    "/v1/findings",
    "/v1/runs",
    "/v1/runs?open=true&waiting=me",
    `/v1/runs/${runId("a")}`,
    `/v1/runs/${runId("9")}`,
    `/v1/runs/${runId("8")}`,
    `/v1/runs/${runId("7")}`,
    `/v1/runs/${runId("a")}/entries`,
    "/v1/log/checkpoint",
    "/v1/log/entries?from=2&limit=3",
    "/v1/openapi.json",
  ])("%s answers in the form the contract promises", async (url) => {
    const answer = await get(url);
    expect(answer.json()).not.toHaveProperty("code");
    expect(answer.statusCode).toBe(200);
  });

  it("finds an application by everybody whom its row names, also for its business or one of its credentials", async () => {
    const named = async (login: string) => {
      const person = people.find(({ sub }) => sub === login)?.person;
      const { items, facets } = (await get(`/v1/applications?owner=${person}&limit=200`)).json<
        Answer<"listApplications">
      >();
      expect(facets.owner).toContainEqual({ value: person, count: items.length });
      return items.map(({ name }) => name);
    };
    expect(await named("eli")).toEqual(["payroll-sync"]);
    expect(await named("ben")).toEqual(["payroll-sync"]);
    expect((await named("ada")).length).toBeGreaterThan(100);
  });
});
