import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { personId } from "./documents.ts";
import { tellOnFailure } from "./failure.ts";
import { Stage } from "./stage.ts";

let stage: Stage;
const voiding = ["added", "removed", "owner", "target", "vault", "environment"].map((name) => `app-${name}`);
const kept = ["policy", "restart"].map((name) => `app-${name}`);
beforeAll(async () => {
  stage = await Stage.open({
    applications: [...voiding, ...kept].map((name) => ({ name, consumers: ["latest", "copied"] as const })),
  });
});
afterAll(() => stage?.close());
beforeEach(() => tellOnFailure(stage));

/** One approval is given, the world changes, the last approval completes the quorum: the executor has to notice by itself. */
async function changeBetweenApprovals(application: string, change: () => Promise<unknown>): Promise<string> {
  const run = await stage.request(application);
  await stage.decide("ada", run, "app-owner");
  await change();
  await stage.decide("ben", run, "platform");
  return run;
}

/** The approvals are void with this reason, nothing was touched, and the same request stands again as a new run. */
async function expectVoid(application: string, run: string, reason: string): Promise<void> {
  await stage.advance(120);
  const { run: summary, replacedBy } = await stage.run(run);
  expect(summary.state).toBe("superseded");
  const entries = await (await stage.as("cleo")).getRunEntries({ params: { id: run } });
  const voided = entries.entries
    .map((entry) => JSON.parse(entry.text) as { type: string; data: { reasons: { code: string }[] } })
    .find(({ type }) => type === "approval.voided");
  expect(voided?.data.reasons.map(({ code }) => code)).toContain(reason);
  expect(await stage.verdict(run)).toBe("proven");
  expect(replacedBy).not.toBeNull();
  const again = await stage.run(replacedBy ?? "");
  expect(again.replaces).toBe(run);
  expect(again.approvals.given).toEqual([]);
}

async function passwordOf(application: string): Promise<{ keyId: string }> {
  const { objectId } = stage.idsOf(application);
  const { passwordCredentials } = (await stage.foreign("GET", `/v1.0/applications/${objectId}`)) as {
    passwordCredentials: { keyId: string }[];
  };
  const [first] = passwordCredentials;
  if (first === undefined) throw new Error("expected a secret");
  return first;
}

describe("drift voids the approvals, says why, and nothing is touched:", () => {
  it("somebody added a key", async () => {
    const { objectId } = stage.idsOf("app-added");
    const run = await changeBetweenApprovals("app-added", () =>
      stage.foreign("POST", `/v1.0/applications/${objectId}/addPassword`, {
        passwordCredential: { displayName: "by hand" },
      }),
    );
    await expectVoid("app-added", run, "key-added");
    // The one effect is the stranger's.
    expect((await stage.effects("app-added")).map(({ op }) => op)).toEqual(["application.addPassword"]);
  });

  it("somebody removed a key", async () => {
    const { objectId } = stage.idsOf("app-removed");
    const spare = (await stage.foreign("POST", `/v1.0/applications/${objectId}/addPassword`, {
      passwordCredential: { displayName: "spare" },
    })) as { keyId: string };
    const run = await changeBetweenApprovals("app-removed", () =>
      stage.foreign("POST", `/v1.0/applications/${objectId}/removePassword`, { keyId: spare.keyId }),
    );
    await expectVoid("app-removed", run, "key-removed");
    expect((await stage.effects("app-removed")).map(({ op }) => op)).toEqual([
      "application.addPassword",
      "application.removePassword",
    ]);
    expect((await passwordOf("app-removed")).keyId).not.toBe(spare.keyId);
  });

  it("the application has another owner", async () => {
    const run = await changeBetweenApprovals("app-owner", () =>
      stage.editRow("app-owner", (row) => row.replace(`owners: [${personId("ada")}, `, "owners: [")),
    );
    await expectVoid("app-owner", run, "owner-changed");
    expect(await stage.effects("app-owner")).toEqual([]);
  });

  it("a consumer has another target", async () => {
    const run = await changeBetweenApprovals("app-target", () =>
      stage.editRow("app-target", (row) => row.replace("connection: partner", "connection: other")),
    );
    await expectVoid("app-target", run, "consumer-target-changed");
    expect(await stage.effects("app-target")).toEqual([]);
  });

  it("another writer changed the value in the vault", async () => {
    const run = await changeBetweenApprovals("app-vault", () =>
      stage.foreign("PUT", "/secrets/app-vault", { value: "somebody-else-wrote-this" }),
    );
    await expectVoid("app-vault", run, "record-changed");
    expect((await stage.effects("app-vault")).map(({ op }) => op)).toEqual(["secret.set"]);
  });

  it("the application is in another environment", async () => {
    const run = await changeBetweenApprovals("app-environment", () =>
      stage.editRow("app-environment", (row) => row.replace("    environment: dev\n", "    environment: test\n")),
    );
    await expectVoid("app-environment", run, "environment-changed");
    expect(await stage.effects("app-environment")).toEqual([]);
  });
});

describe("no drift:", () => {
  it("a policy edit that is activated and is about other things; our own new key", async () => {
    const run = await changeBetweenApprovals("app-policy", () =>
      stage.edit("policy", (yaml) => yaml.replace("revision: 1", "revision: 2").replace("  test:", "  staging:")),
    );
    await stage.advance(60);
    expect(await stage.stateOf(run)).toBe("overlapping");
    // Retirement compares the world again: there are two keys now, one of them ours.
    await stage.advanceUntil(run, ["completed"], { hoursMax: 48 });
    expect(await stage.verdict(run)).toBe("proven");
  });

  it("a restart of the product between approval and start, and in the overlap", async () => {
    const restart = async () => {
      await stage.stop();
      await stage.start();
    };
    const run = await changeBetweenApprovals("app-restart", restart);
    await stage.advance(60);
    expect(await stage.stateOf(run)).toBe("overlapping");
    await restart();
    await stage.advanceUntil(run, ["completed"], { hoursMax: 48 });
    expect(await stage.verdict(run)).toBe("proven");
    expect((await stage.figures("app-restart")).failedSignIns).toBe(0);
  });
});
