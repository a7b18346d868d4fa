import { readFileSync } from "node:fs";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { consumerTimes } from "./documents.ts";
import { tellOnFailure } from "./failure.ts";
import { refusal, Stage } from "./stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open({
    applications: [
      { name: "app-failing" },
      { name: "app-asked" },
      // Less than the two days that policy wants to be left for a roll back.
      { name: "app-short-back", expiresInDays: 1.5 },
      { name: "app-short-retry", expiresInDays: 1.5 },
      { name: "app-left" },
      { name: "app-unseen" },
    ],
  });
});
afterAll(() => stage?.close());
beforeEach(() => tellOnFailure(stage));

const longestPickupSeconds = Math.max(...Object.values(consumerTimes).map(({ pickup }) => pickup));

/** Every write for this application in the partner's vault is refused, until disarmed. */
function failPartner(application: string): Promise<unknown> {
  return stage.manage("POST", "/faults", {
    op: "secret.set",
    kind: "403",
    times: "always",
    match: { vault: "partner", secret: application },
  });
}

const sentences = (effects: Awaited<ReturnType<Stage["effects"]>>) =>
  effects.map(({ op, target }) => (op === "secret.set" ? `${op} ${String(target.vault)}` : op));

describe("an old secret that could not carry the consumers for long", () => {
  it("makes the run hold with both valid, and a person decides to roll back all the same", async () => {
    await failPartner("app-short-back");
    const run = await stage.request("app-short-back");
    await stage.approve(run);
    await stage.advance(600);
    const held = await stage.run(run);
    expect(held.run).toMatchObject({ state: "held", because: { code: "rollback-minimum" } });
    // Both are valid: the new one was added, none was removed.
    expect(sentences(await stage.effects("app-short-back"))).toEqual(["application.addPassword", "secret.set main"]);
    await stage.sink.until(({ type, data }) => type === "run.held" && data.run === run);
    await stage.advance(2 * 3_600);
    expect(await stage.stateOf(run)).toBe("held");
    expect((await stage.figures("app-short-back")).failedSignIns).toBe(0);

    await (await stage.as("ada")).decideHold({
      params: { id: run },
      body: { choice: "roll-back", reason: "we renew by hand today" },
    });
    await stage.advanceUntil(run, ["rolled_back"], { stepSeconds: 600 });
    expect((await stage.figures("app-short-back")).failedSignIns).toBe(0);
    expect(await stage.verdict(run)).toBe("proven");
  });

  it("or to go forward once the consumer can be switched", async () => {
    const { id } = (await failPartner("app-short-retry")) as { id: string };
    const run = await stage.request("app-short-retry");
    await stage.approve(run);
    await stage.advance(600);
    expect(await stage.stateOf(run)).toBe("held");
    await stage.manage("DELETE", `/faults/${id}`);
    await (await stage.as("ada")).decideHold({
      params: { id: run },
      body: { choice: "roll-forward", reason: "the partner has mended it" },
    });
    await stage.advanceUntil(run, ["completed"], { hoursMax: 30 });
    const { failedSignIns, orphans } = await stage.figures("app-short-retry");
    expect({ failedSignIns, orphans }).toEqual({ failedSignIns: 0, orphans: [] });
    expect(await stage.verdict(run)).toBe("proven");
  });
});

describe("a consumer that cannot be switched", () => {
  it("has everything undone in reverse; the new secret stays until nobody can hold it; owners are told", async () => {
    const before = readFileSync(stage.path("files/app-failing.ref"), "utf8");
    await failPartner("app-failing");
    const run = await stage.request("app-failing");
    await stage.approve(run);
    await stage.advanceUntil(run, ["rolled_back"], { stepSeconds: 300 });

    const effects = await stage.effects("app-failing");
    // The old value is written again as the newest version: a vault cannot go back.
    expect(sentences(effects)).toEqual([
      "application.addPassword",
      "secret.set main",
      "secret.set main",
      "application.removePassword",
    ]);
    const [added, , restored, removed] = effects;
    expect(removed?.target.keyId).toBe(added?.target.keyId);
    const stayed = Date.parse(removed?.at ?? "") - Date.parse(restored?.at ?? "");
    expect(stayed).toBeGreaterThanOrEqual(longestPickupSeconds * 1_000);
    expect(readFileSync(stage.path("files/app-failing.ref"), "utf8")).toBe(before);

    await stage.advance(4 * 3_600);
    const { failedSignIns, orphans } = await stage.figures("app-failing");
    expect({ failedSignIns, orphans }).toEqual({ failedSignIns: 0, orphans: [] });
    expect(await stage.verdict(run)).toBe("proven");

    for (const kind of ["run.rolling-back", "run.rolled-back"]) {
      const notice = await stage.sink.until(({ type, data }) => type === kind && data.run === run);
      expect(notice).toMatchObject({
        signed: true,
        data: { application: "app-failing", link: `${stage.url}/runs/${run}` },
      });
    }
  });
});

describe("a consumer that was written and could not be looked at afterwards", () => {
  it("was written all the same: it is put back before the new secret goes, and never reads a dead value", async () => {
    const partner = { vault: "partner", secret: "app-unseen" };
    await stage.manage("POST", "/holds", { op: "secret.set", position: "after-effect", times: 1, match: partner });
    const run = await stage.request("app-unseen");
    await stage.approve(run);
    const executed = stage.advance(600);
    // The write has landed and its answer is on its way: from now on nobody may read there.
    const held = await stage.heldRequest();
    const fault = { op: "secret.get", kind: "403", times: "always", match: partner };
    const { id } = (await stage.manage("POST", "/faults", fault)) as { id: string };
    await stage.manage("POST", `/holds/${held}/release`);
    await executed;
    await stage.advanceUntil(run, ["held"], { stepSeconds: 300 });
    expect((await stage.run(run)).run.because).toMatchObject({ code: "OUTSIDE_FORBIDDEN" });

    await stage.manage("DELETE", `/faults/${id}`);
    await (await stage.as("ada")).decideHold({
      params: { id: run },
      body: { choice: "retry", reason: "the partner lets us read again" },
    });
    await stage.advanceUntil(run, ["rolled_back"], { stepSeconds: 600 });
    expect(sentences(await stage.effects("app-unseen"))).toEqual([
      "application.addPassword",
      "secret.set main",
      "secret.set partner",
      "secret.set partner",
      "secret.set main",
      "application.removePassword",
    ]);
    await stage.advance(4 * 3_600);
    const { failedSignIns, orphans } = await stage.figures("app-unseen");
    expect({ failedSignIns, orphans }).toEqual({ failedSignIns: 0, orphans: [] });
    expect(await stage.verdict(run)).toBe("proven");
  });
});

describe("a roll back that may not remove what the run had made", () => {
  it("holds with the secret in the ledger as never published, and retry takes it back once that is allowed", async () => {
    const { applications } = (await stage.manage("GET", "/directory")) as {
      applications: readonly { readonly name: string; readonly appId: string }[];
    };
    const appId = applications.find(({ name }) => name === "app-left")?.appId;
    const refused = await Promise.all(
      [
        { op: "secret.set", match: { vault: "main", secret: "app-left" } },
        { op: "application.removePassword", match: { appId } },
      ].map((fault) => stage.manage("POST", "/faults", { ...fault, kind: "403", times: "always" })),
    );
    const run = await stage.request("app-left");
    await stage.approve(run);
    await stage.advance(600);
    expect((await stage.run(run)).run).toMatchObject({ state: "held", because: { code: "OUTSIDE_FORBIDDEN" } });
    const made = (await stage.effects("app-left")).find(({ op }) => op === "application.addPassword")?.target.keyId;
    const cleo = await stage.as("cleo");
    const unpublished = async () =>
      (await cleo.listCredentials({ query: { state: "ours-unpublished" } })).items.map(({ id }) => id);
    expect(await unpublished()).toContain(made);

    for (const fault of refused) await stage.manage("DELETE", `/faults/${(fault as { id: string }).id}`);
    await cleo.decideHold({ params: { id: run }, body: { choice: "retry", reason: "the right is back" } });
    await stage.advanceUntil(run, ["rolled_back"], { stepSeconds: 600 });
    await stage.advance(3_600);
    const { failedSignIns, orphans } = await stage.figures("app-left");
    expect({ failedSignIns, orphans, unpublished: await unpublished() }).toEqual({
      failedSignIns: 0,
      orphans: [],
      unpublished: [],
    });
    expect(await stage.verdict(run)).toBe("proven");
  });
});

describe("a person who has second thoughts", () => {
  it("rolls back during the overlap by one action, and once it is retired cannot any more", async () => {
    const run = await stage.request("app-asked");
    await stage.approve(run);
    await stage.advance(3_600);
    expect(await stage.stateOf(run)).toBe("overlapping");
    await (await stage.as("ben")).rollBack({ params: { id: run }, body: { reason: "the release was called off" } });
    await stage.advanceUntil(run, ["rolled_back"], { stepSeconds: 600 });
    await stage.advance(4 * 3_600);
    const { failedSignIns, orphans } = await stage.figures("app-asked");
    expect({ failedSignIns, orphans }).toEqual({ failedSignIns: 0, orphans: [] });
    expect((await stage.effects("app-asked")).at(-1)?.op).toBe("application.removePassword");
    expect(await stage.verdict(run)).toBe("proven");

    const again = await stage.request("app-asked");
    expect((await stage.run(again)).findings.filter(({ result }) => result === "block")).toEqual([]);
    await stage.approve(again);
    await stage.advanceUntil(again, ["completed"], { hoursMax: 48 });
    expect(
      (await refusal((await stage.as("ben")).rollBack({ params: { id: again }, body: { reason: "too late" } }))).code,
    ).toBe("STATE_CONFLICT");
  });
});
