import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { personId } from "./documents.ts";
import { tellOnFailure } from "./failure.ts";
import { Stage } from "./stage.ts";

const day = 86_400;
const [ada, ben, cleo, dora] = ["ada", "ben", "cleo", "dora"].map(personId) as [string, string, string, string];
let stage: Stage;
let [held, other]: (string | undefined)[] = [];

beforeAll(async () => {
  stage = await Stage.open({
    applications: ["app-shared", "app-plain"].map((name) => ({
      name,
      expiresInDays: 20,
      consumers: ["latest"] as const,
      instant: true,
    })),
    scenario: { users: [{ name: "mallory" }] },
    config: (yaml) =>
      yaml
        .replace("roles: [security]", "roles: [security, business-owner]")
        .replace("audit: { everySeconds: 0 }", "audit: { everySeconds: 3600, lateSeconds: 3600 }"),
    // The environment dev asks the business, too; test does not.
    policy: (yaml) =>
      yaml
        .replaceAll("    windows:", "    tellBeforeExpiry: [P19D]\n    windows:")
        .replace(
          "      separation:",
          "        - { role: business-owner, from: business-owner-of-app, count: 1 }\n      separation:",
        ),
    notices: `{ weekly: { cron: "0 8 * * 2", zone: Europe/Berlin, itemsMax: 3 } }`,
  });
  [held, other] = [(await stage.secretsOf("app-shared"))[0], (await stage.secretsOf("app-plain"))[0]];
  await stage.editRow("app-shared", (row) =>
    row.replace(
      /owners: \[.*\]/,
      `owners: [${ada}]\n    businessOwners: [${cleo}]\n    credentialOwners: { ${held}: [${ben}] }`,
    ),
  );
});
afterAll(() => stage?.close());
beforeEach(() => tellOnFailure(stage));

const told = (kind: string, application: string) =>
  stage.sink.notices.filter(({ type, data }) => type === kind && data.application === application);
const audiences = (kind: string, application: string) => told(kind, application).map(({ data }) => data.audience);

describe("who answers for an application", () => {
  it("the owner of one credential is told that it expires, beside the application's owners, and has it in his week alone", async () => {
    await stage.advance(1.6 * day);
    const notices = stage.sink.notices.filter(({ type }) => type === "credential.expiring").map(({ data }) => data);
    const of = (credential: string | undefined) =>
      notices.find(({ expiring }) =>
        (expiring as { items: { credential: string }[] }).items.some((item) => item.credential === credential),
      );
    expect(of(held)?.audience).toEqual([ada, ben].sort());
    expect(of(other)?.audience).toEqual([ada, dora].sort());
    const weeks = stage.sink.notices.filter(({ type }) => type === "owner.weekly").map(({ data }) => data);
    const weekOf = (person: string) => weeks.find(({ audience }) => (audience as string[])[0] === person);
    expect(weekOf(ben)).toMatchObject({ applications: 1, expiring: { total: 1, items: [{ credential: held }] } });
    // To whoever answers for the business all of it matters.
    expect(weekOf(cleo)).toMatchObject({ applications: 1, expiring: { total: 1, items: [{ credential: held }] } });
    expect(weekOf(ada)).toMatchObject({ applications: 2, expiring: { total: 2 } });
  });

  it("whoever answers for the business is told of trouble", async () => {
    await stage.editRow("app-shared", (row) =>
      row.replace("environment: dev\n    owners", "environment: test\n    owners"),
    );
    await stage.request("app-shared", "dora");
    await stage.editRow("app-shared", (row) =>
      row.replace("environment: test\n    owners", "environment: dev\n    owners"),
    );
    expect(audiences("run.blocked", "app-shared")).toEqual([[ada, cleo, dora].sort()]);
  });

  it("a plan waits for whoever answers for the business where policy says so, and starts with that yes", async () => {
    const run = await stage.request("app-shared", "dora");
    expect(audiences("run.awaiting-approval", "app-shared")).toEqual([[ada, ben, cleo].sort()]);
    expect(told("run.awaiting-approval", "app-shared")[0]?.data).toMatchObject({
      owners: [ada],
      businessOwners: [cleo],
      credentialOwners: [ben],
    });
    await stage.approve(run);
    await stage.settle();
    expect(await stage.stateOf(run)).toBe("awaiting_approval");
    await stage.decide("cleo", run, "business-owner");
    expect(await stage.advanceUntil(run, ["completed"])).toBe("completed");
    expect(await stage.verdict(run)).toBe("proven");
    // Of what goes well the business is not told.
    expect(audiences("run.completed", "app-shared")).toEqual([[ada, ben, dora].sort()]);
  });

  it("where policy asks for the business and nobody is named, the run is blocked and says so", async () => {
    const run = await stage.request("app-plain");
    expect((await stage.run(run)).run.state).toBe("blocked");
    expect(JSON.stringify(told("run.blocked", "app-plain"))).toContain("approvers-too-few");
  });

  it("of a change that no run has made hear whoever answers for the business, and the owner of that very credential", async () => {
    const byHand = async (application: string) =>
      ((await stage.manage("POST", "/portal/credentials", { application, user: "mallory" })) as { keyId: string })
        .keyId;
    const [owned, plain, shared] = [await byHand("app-plain"), await byHand("app-plain"), await byHand("app-shared")];
    // Of these people ada alone is no operator, who hear of each anyway.
    await stage.editRow("app-plain", (row) =>
      row.replace(/owners: \[.*\]/, `owners: [${dora}]\n    credentialOwners: { ${owned}: [${ada}] }`),
    );
    await stage.editRow("app-shared", (row) =>
      row
        .replace(`owners: [${ada}]`, `owners: [${dora}]`)
        .replace(`businessOwners: [${cleo}]`, `businessOwners: [${ada}]`),
    );
    await stage.advance(3 * 3_600);
    const hears = (application: string, credential: string) =>
      told("audit.out-of-band", application)
        .filter(({ data }) => String(data.sentence).includes(credential))
        .map(({ data }) => (data.audience as string[]).includes(ada));
    expect(hears("app-plain", owned)).toEqual([true]);
    expect(hears("app-plain", plain)).toEqual([false]);
    expect(hears("app-shared", shared)).toEqual([true]);
  });
});
