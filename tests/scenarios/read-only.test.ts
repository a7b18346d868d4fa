import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { tellOnFailure } from "./failure.ts";
import { refusal, Stage } from "./stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open({ applications: [{ name: "app-one", consumers: ["latest"] }] });
});
afterAll(() => stage?.close());
beforeEach(() => tellOnFailure(stage));

const readiness = async () => (await (await stage.as("cleo")).getStatus({})).readiness;
const reasons = async () => (await readiness()).reasons.map(({ code }) => code);
const refused = { code: "READ_ONLY", status: 503 };

describe("read-only mode", () => {
  it("says that a policy was edited and not activated, takes no request meanwhile, and ends with the edit", async () => {
    expect(await readiness()).toEqual({ mode: "ready", reasons: [] });
    const policy = stage.read("policy.yaml");
    stage.write("policy.yaml", `${policy}# somebody was here\n`);
    expect(await reasons()).toEqual(["POLICY_UNTRUSTED"]);
    expect(await refusal(stage.request("app-one"))).toEqual(refused);
    const status = await (await stage.as("cleo")).getStatus({});
    expect(status.policyDigest).toBeNull();
    stage.write("policy.yaml", policy);
    expect(await reasons()).toEqual([]);
  });

  it("says the same of an inventory that was edited and not accepted, and of one that cannot be read", async () => {
    const inventory = stage.read("inventory.yaml");
    stage.write("inventory.yaml", `${inventory}# one more line\n`);
    expect(await reasons()).toEqual(["INVENTORY_UNTRUSTED"]);
    stage.write("inventory.yaml", "applications: [");
    expect(await reasons()).toEqual(["INVENTORY_INVALID"]);
    expect(await refusal(stage.request("app-one"))).toEqual(refused);
    stage.write("inventory.yaml", inventory);
    expect(await reasons()).toEqual([]);
  });

  it("takes nothing on while the database is older than this host has seen, and shows what there is", async () => {
    await stage.advance(60);
    // What a restored backup looks like from here: this host remembers more of the log than the database holds.
    const file = "state/log.high-water";
    const mark = stage.read(file);
    const { size } = JSON.parse(mark) as { size: number };
    stage.write(file, mark.replace(`"size":${size}`, `"size":${size + 1_000}`));
    expect(await reasons()).toEqual(["LOG_BEHIND"]);
    expect(await refusal(stage.request("app-one"))).toEqual(refused);
    expect((await (await stage.as("cleo")).listRuns({ query: {} })).items).toEqual([]);
    stage.write(file, mark);
    await stage.advanceUntil(await requested(), ["overlapping"], { stepSeconds: 60 });
  });
});

async function requested(): Promise<string> {
  const run = await stage.request("app-one");
  await stage.approve(run);
  return run;
}
