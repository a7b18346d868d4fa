import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Effect } from "../../crash/stage/effects.ts";
import { tellOnFailure } from "../failure.ts";
import { refusal, Stage } from "../stage.ts";

/**
 * How the rotation of another product loses, orphans or breaks a secret, point by point, and how ours might have; and what
 * happens here instead.
 */
let stage: Stage;
const names = [
  "limit",
  "refused",
  "lost",
  "order",
  "slow",
  "twice",
  "stuck",
  "record",
  "dropped",
  "late",
  "unseen",
] as const;
type Name = (typeof names)[number];
const app = (name: Name) => `app-${name}`;
beforeAll(async () => {
  stage = await Stage.open({
    applications: names.map((name) => ({ name: app(name), consumers: ["latest", "copied"] as const })),
  });
});
afterAll(() => stage?.close());
beforeEach(() => tellOnFailure(stage));

const ops = (effects: readonly Effect[]) =>
  effects.map(({ op, target }) => (op === "secret.set" ? `${op} ${String(target.vault)}` : op));

async function secretsOf(name: Name): Promise<readonly { keyId: string; endDateTime: string; displayName: string }[]> {
  const { objectId } = stage.idsOf(app(name));
  const holder = (await stage.foreign("GET", `/v1.0/applications/${objectId}`)) as {
    passwordCredentials: { keyId: string; endDateTime: string; displayName: string }[];
  };
  return holder.passwordCredentials;
}

async function approved(name: Name): Promise<string> {
  const run = await stage.request(app(name));
  await stage.approve(run);
  return run;
}

async function expectNobodyNoticed(name: Name): Promise<void> {
  const { failedSignIns, orphans } = await stage.figures(app(name));
  expect({ failedSignIns, orphans }).toEqual({ failedSignIns: 0, orphans: [] });
}

function fault(name: Name, op: string, rule: object): Promise<{ id: string }> {
  const match = op === "secret.set" ? { secret: app(name) } : { appId: stage.idsOf(app(name)).appId };
  return stage.manage("POST", "/faults", { op, match, ...rule }) as Promise<{ id: string }>;
}

describe("what goes wrong elsewhere", () => {
  it("F1: every limit is checked before the first effect, and what is made ends when the plan says", async () => {
    const run = await stage.request(app("limit"));
    const { plan, findings } = await stage.run(run);
    expect(findings.map(({ code }) => code)).toContain("lifetime-over-policy");
    expect(await stage.effects(app("limit"))).toEqual([]);
    await stage.approve(run);
    await stage.advance(600);
    const [, made] = await secretsOf("limit");
    const days = (Date.parse(made?.endDateTime ?? "") - Date.parse("2026-11-22T20:00:00Z")) / 86_400_000;
    expect(days).toBeGreaterThan(1);
    expect(days).toBeLessThan(92);
    expect(plan?.text).toContain("create");
  });

  it("F3: a value that cannot be stored is taken back, and no pile of secrets grows", async () => {
    const { id } = await fault("refused", "secret.set", { kind: "403", times: "always" });
    const run = await approved("refused");
    await stage.advanceUntil(run, ["rolled_back"], { stepSeconds: 600 });
    await stage.manage("DELETE", `/faults/${id}`);
    await stage.advance(24 * 3_600);
    expect(ops(await stage.effects(app("refused")))).toEqual(["application.addPassword", "application.removePassword"]);
    expect(await secretsOf("refused")).toHaveLength(1);
    await expectNobodyNoticed("refused");
    expect(await stage.verdict(run)).toBe("proven");
  });

  it("F4: the answer of addPassword is lost, and what was made is found by its marker and never left behind", async () => {
    await fault("lost", "application.addPassword", { position: "after-effect", kind: "reset" });
    const run = await approved("lost");
    await stage.advanceUntil(run, ["completed"], { hoursMax: 48 });
    const effects = await stage.effects(app("lost"));
    const made = effects.filter(({ op }) => op === "application.addPassword").map(({ target }) => target.keyId);
    const removed = effects.filter(({ op }) => op === "application.removePassword").map(({ target }) => target.keyId);
    expect(made).toHaveLength(2);
    expect(removed[0]).toBe(made[0]);
    expect((await secretsOf("lost")).map(({ keyId }) => keyId)).toEqual([made[1]]);
    await expectNobodyNoticed("lost");
    expect(await stage.verdict(run)).toBe("proven");
  });

  it("F5: the old secret goes only after the new one is stored, handed on and in use", async () => {
    const [old] = await secretsOf("order");
    const run = await approved("order");
    await stage.advanceUntil(run, ["completed"], { hoursMax: 48 });
    const effects = await stage.effects(app("order"));
    expect(ops(effects)).toEqual([
      "application.addPassword",
      "secret.set main",
      "secret.set partner",
      "application.removePassword",
    ]);
    expect(effects.at(-1)?.target.keyId).toBe(old?.keyId);
    const { uses } = await stage.figures(app("order"));
    const onNew = uses.filter(({ credential, workload }) => workload !== null && credential !== old?.keyId);
    expect(onNew).toHaveLength(2);
    await expectNobodyNoticed("order");
  });

  it("F6: a secret that signs in only after a while is published only once it does", async () => {
    await stage.manage("PUT", "/knobs", { preset: "off", replicationSeconds: [30, 40] });
    const run = await approved("slow");
    await stage.advanceUntil(run, ["overlapping"], { stepSeconds: 60, hoursMax: 1 });
    await stage.manage("PUT", "/knobs", { preset: "off" });
    const [made, published] = await stage.effects(app("slow"));
    expect(Date.parse(published?.at ?? "") - Date.parse(made?.at ?? "")).toBeGreaterThanOrEqual(30_000);
    await stage.advanceUntil(run, ["completed"], { hoursMax: 48 });
    await expectNobodyNoticed("slow");
  });

  it("F7: asking twice, or twice at once, makes one run, and the old secret stays for its overlap", async () => {
    const cleo = await stage.as("cleo");
    const ask = () => cleo.requestRun({ body: { row: app("twice"), reason: "clicked twice" } });
    const answers = await Promise.allSettled([ask(), ask(), ask()]);
    const runs = answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value.run] : []));
    expect(new Set(runs).size).toBe(1);
    const [run] = runs;
    if (run === undefined) throw new Error("expected one of the requests to be taken, got none");
    await stage.settle();
    await stage.approve(run);
    await stage.advance(600);
    expect(await refusal(ask())).toMatchObject({ code: "STATE_CONFLICT" });
    await stage.advance(3_600);
    expect(ops(await stage.effects(app("twice")))).toEqual([
      "application.addPassword",
      "secret.set main",
      "secret.set partner",
    ]);
    expect(await secretsOf("twice")).toHaveLength(2);
    await expectNobodyNoticed("twice");
  });

  it("F13: when taking back fails as well, the run holds with the id on its record, and ends clean once it may", async () => {
    const refusedStore = await fault("stuck", "secret.set", {
      kind: "403",
      times: "always",
      match: { vault: "partner", secret: app("stuck") },
    });
    const refusedRemoval = await fault("stuck", "application.removePassword", { kind: "403", times: "always" });
    const run = await approved("stuck");
    await stage.advanceUntil(run, ["held"], { stepSeconds: 600 });
    const made = (await stage.effects(app("stuck"))).find(({ op }) => op === "application.addPassword")?.target.keyId;
    const { entries } = await (await stage.as("cleo")).getRunEntries({ params: { id: run } });
    expect(entries.some(({ text }) => text.includes(`"keyId":"${String(made)}"`))).toBe(true);
    await stage.sink.until(({ type, data }) => type === "run.held" && data.run === run);
    for (const { id } of [refusedStore, refusedRemoval]) await stage.manage("DELETE", `/faults/${id}`);
    await (await stage.as("ada")).decideHold({
      params: { id: run },
      body: { choice: "retry", reason: "the right was given back" },
    });
    await stage.advanceUntil(run, ["rolled_back"], { stepSeconds: 600 });
    expect((await secretsOf("stuck")).map(({ keyId }) => keyId)).not.toContain(made);
    await expectNobodyNoticed("stuck");
    expect(await stage.verdict(run)).toBe("proven");
  });

  it("F14: the record has old and new key id, who approved, the plan's digest and the build, for each effect", async () => {
    const [old] = await secretsOf("record");
    const run = await approved("record");
    await stage.advanceUntil(run, ["completed"], { hoursMax: 48 });
    const { entries } = await (await stage.as("cleo")).getRunEntries({ params: { id: run } });
    const read = entries.map(({ text }) => JSON.parse(text) as { type: string; data: Record<string, unknown> });
    const of = (type: string) => read.filter((entry) => entry.type === type).map(({ data }) => data);
    const effects = await stage.effects(app("record"));
    for (const { target } of effects.filter(({ op }) => op.startsWith("application.")))
      expect(of("step.outcome").some((data) => JSON.stringify(data).includes(String(target.keyId)))).toBe(true);
    expect(JSON.stringify(of("step.intent"))).toContain(String(old?.keyId));
    expect(of("approval.given").map(({ role }) => role)).toEqual(["app-owner", "platform"]);
    expect(of("run.authorised")).toHaveLength(1);
    expect(of("run.authorised")[0]?.planDigest).toBe(of("plan.frozen")[0]?.planDigest);
    expect(of("step.outcome").every(({ build }) => typeof build === "string" && build !== "")).toBe(true);
    // One intent before each effect: nothing was done that stands nowhere.
    expect(of("step.intent").length).toBeGreaterThanOrEqual(effects.length);
  });

  it("F15: an application that is taken out of the inventory in its overlap loses nothing: its run holds until it is back", async () => {
    const run = await approved("dropped");
    await stage.advance(3_600);
    expect(await stage.stateOf(run)).toBe("overlapping");
    const before = stage.read("inventory.yaml");
    await stage.edit("inventory", (yaml) =>
      yaml
        .split(/(?=^ {2}- name: )/m)
        .filter((part) => !part.startsWith(`  - name: ${app("dropped")}\n`))
        .join(""),
    );
    await stage.advance(12 * 3_600);
    expect((await stage.run(run)).run).toMatchObject({ state: "held", because: { code: "row-gone" } });
    expect(await secretsOf("dropped")).toHaveLength(2);
    await stage.sink.until(({ type, data }) => type === "run.held" && data.run === run);
    await stage.edit("inventory", () => before);
    await (await stage.as("ben")).decideHold({
      params: { id: run },
      body: { choice: "roll-back", reason: "nobody rotates this any more" },
    });
    await stage.advanceUntil(run, ["rolled_back"], { stepSeconds: 600 });
    expect(await secretsOf("dropped")).toHaveLength(1);
    await expectNobodyNoticed("dropped");
  });
});

describe("what would have gone wrong here", () => {
  it("P5: a secret whose creation was not answered and that is seen only minutes later is removed then, never called absent", async () => {
    await stage.manage("PUT", "/knobs", { preset: "off", visibilityLagSeconds: [400, 600] });
    await fault("late", "application.addPassword", { position: "after-effect", kind: "reset" });
    const run = await approved("late");
    await stage.advanceUntil(run, ["completed"], { stepSeconds: 300, hoursMax: 48 });
    await stage.advance(24 * 3_600);
    await stage.manage("PUT", "/knobs", { preset: "off" });

    const attempts = (await stage.run(run)).steps.find(({ id }) => id === "create")?.attempts;
    expect(attempts?.map(({ outcome }) => outcome)).toEqual(["unknown", "done"]);
    const effects = await stage.effects(app("late"));
    const [lost, kept] = effects.filter(({ op }) => op === "application.addPassword");
    const removals = effects.filter(({ op }) => op === "application.removePassword");
    const removal = removals.find(({ target }) => target.keyId === lost?.target.keyId);
    expect(removals).toHaveLength(2);
    // It could not be seen earlier, and is not left until somebody asks.
    const seconds = (Date.parse(removal?.at ?? "") - Date.parse(lost?.at ?? "")) / 1_000;
    expect(seconds).toBeGreaterThanOrEqual(400);
    expect(seconds).toBeLessThan(3_600);
    expect((await secretsOf("late")).map(({ keyId }) => keyId)).toEqual([kept?.target.keyId]);
    await expectNobodyNoticed("late");
    expect(await stage.verdict(run)).toBe("proven");
  });

  it("P5: and one that is taken back before a single replica shows it is gone for good, or removed when it is seen", async () => {
    await stage.manage("PUT", "/knobs", { preset: "off", visibilityLagSeconds: [400, 600] });
    const { id } = await fault("unseen", "secret.set", { kind: "403", times: "always" });
    const run = await approved("unseen");
    await stage.advanceUntil(run, ["rolled_back"], { stepSeconds: 300, hoursMax: 48 });
    await stage.manage("DELETE", `/faults/${id}`);
    await stage.advance(3_600);
    await stage.manage("PUT", "/knobs", { preset: "off" });
    expect(ops(await stage.effects(app("unseen")))).toEqual(["application.addPassword", "application.removePassword"]);
    expect(await secretsOf("unseen")).toHaveLength(1);
    await expectNobodyNoticed("unseen");
    expect(await stage.verdict(run)).toBe("proven");
  });
});
