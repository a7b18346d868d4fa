import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { personId, withEmergencyTerms } from "./documents.ts";
import { tellOnFailure } from "./failure.ts";
import { refusal, Stage } from "./stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open({
    applications: [
      { name: "app-leaked", instant: true },
      { name: "app-partner", instant: true, consumers: ["latest", "copied"] },
      { name: "app-denied" },
      { name: "app-out", instant: true },
      { name: "app-overlap", instant: true },
      { name: "app-waiting", instant: true },
      { name: "app-goes-on", instant: true },
      { name: "app-taken-back", instant: true },
    ],
    policy: withEmergencyTerms,
  });
});
afterAll(() => stage?.close());
beforeEach(() => tellOnFailure(stage));

const words = (effects: Awaited<ReturnType<Stage["effects"]>>) =>
  effects.map(({ op, target }) => (op === "secret.set" ? `${op} ${String(target.vault)}` : op));

async function onlySecretOf(application: string): Promise<string> {
  const [secret, ...more] = await stage.secretsOf(application);
  if (secret === undefined || more.length > 0) throw new Error("expected one live secret to begin with");
  return secret;
}

describe("a compromised secret of a live application", () => {
  it("is replaced, removed without overlap, and shown dead; consumers that could be written never failed", async () => {
    const leaked = await onlySecretOf("app-leaked");
    await stage.advance(1_800);
    const run = await stage.report("app-leaked", leaked);
    const asked = await stage.run(run);
    expect(asked.run).toMatchObject({
      state: "awaiting_approval",
      trigger: "compromise",
      procedure: "emergency-revoke",
    });
    expect(asked.approvals.missing.map(({ role }) => role)).toEqual(["security"]);
    expect(await stage.effects("app-leaked")).toEqual([]);
    expect(asked.plan?.text).toContain("There is no overlap and no gate");

    await stage.decide("cleo", run, "security");
    await stage.advance(60);
    expect(words(await stage.effects("app-leaked"))).toEqual([
      "application.addPassword",
      "secret.set main",
      "secret.set partner",
      "application.removePassword",
    ]);
    expect((await stage.effects("app-leaked")).at(-1)?.target.keyId).toBe(leaked);
    expect(await stage.secretsOf("app-leaked")).not.toContain(leaked);
    await stage.sink.until(({ type, data }) => type === "run.contained" && data.run === run);

    await stage.advanceUntil(run, ["completed"], { stepSeconds: 600 });
    const { failedSignIns, orphans } = await stage.figures("app-leaked");
    expect({ failedSignIns, orphans }).toEqual({ failedSignIns: 0, orphans: [] });
    const clock = (await stage.run(run)).compromise;
    const times = [
      clock?.reportedAt,
      clock?.authorisedAt,
      clock?.newLiveAt,
      clock?.oldDeadAt,
      clock?.shownDeadAt,
      clock?.restoredAt,
    ];
    expect(times).not.toContain(null);
    expect(times.map((time) => Date.parse(time ?? ""))).toEqual(
      times.map((time) => Date.parse(time ?? "")).toSorted((a, b) => a - b),
    );
    const tokensMs = Date.parse(clock?.lastTokenDeadAt ?? "") - Date.parse(clock?.oldDeadAt ?? "");
    expect(tokensMs).toBe(90 * 60_000);
    expect(clock).toMatchObject({ credential: leaked, leftBehind: [] });
    expect(await stage.verdict(run)).toBe("proven");
    expect(stage.secondVerdict(run)).toBe("proven");
  });

  it("goes although a consumer cannot be written; that one is named, and restored when it can be", async () => {
    const leaked = await onlySecretOf("app-partner");
    const { id } = (await stage.manage("POST", "/faults", {
      op: "secret.set",
      kind: "403",
      times: "always",
      match: { vault: "partner", secret: "app-partner" },
    })) as { id: string };
    const run = await stage.report("app-partner", leaked);
    await stage.decide("cleo", run, "security");
    await stage.advance(300);
    expect(words(await stage.effects("app-partner"))).toEqual([
      "application.addPassword",
      "secret.set main",
      "application.removePassword",
    ]);
    const told = await stage.sink.until(({ type, data }) => type === "run.contained" && data.run === run);
    expect(told.data.left).toEqual(["update:app-partner-copied"]);
    // Owners, whoever reported it, and security.
    expect(told.data.audience).toEqual(["ada", "cleo", "dora"].map(personId).sort());
    await stage.advance(5 * 3_600);
    expect((await stage.run(run)).compromise?.leftBehind).toEqual(["update:app-partner-copied"]);
    const late = await stage.sink.until(({ type, data }) => type === "run.restore-late" && data.run === run);
    expect(late.data.audience).toContain(personId("cleo"));
    const failedBefore = (await stage.figures("app-partner")).failedSignIns;
    expect(failedBefore).toBeGreaterThan(0);

    await stage.manage("DELETE", `/faults/${id}`);
    await stage.advanceUntil(run, ["completed"], { stepSeconds: 600 });
    const { uses, orphans } = await stage.figures("app-partner");
    // Whoever could be written never failed; whoever could not failed until it was written.
    const failing = uses.filter(({ workload, failed }) => workload !== null && failed > 0);
    expect(failing.map(({ workload }) => workload)).toEqual(["app-partner-copied"]);
    expect(orphans).toEqual([]);
    expect(await stage.verdict(run)).toBe("proven");
    expect(stage.secondVerdict(run)).toBe("proven");
    // After the cut there is nothing to go back to.
    const back = (await stage.as("ben")).rollBack({ params: { id: run }, body: { reason: "too late" } });
    expect((await refusal(back)).code).toBe("STATE_CONFLICT");
  });
});

describe("an emergency while another run of the application is open", () => {
  it("takes over a run in its overlap with all it has made; nothing is orphaned and nobody fails", async () => {
    const leaked = await onlySecretOf("app-overlap");
    const elder = await stage.request("app-overlap");
    await stage.approve(elder);
    await stage.advance(120);
    expect(await stage.stateOf(elder)).toBe("overlapping");
    const made = (await stage.secretsOf("app-overlap")).filter((secret) => secret !== leaked);
    expect(made).toHaveLength(1);

    const run = await stage.report("app-overlap", leaked);
    await stage.advance(60);
    expect((await stage.run(elder)).run).toMatchObject({ state: "held", because: { code: "emergency", run } });
    const asked = await stage.run(run);
    expect(asked.run.state).toBe("awaiting_approval");
    expect(JSON.parse(asked.plan?.text ?? "{}").emergency).toMatchObject({
      revoke: [leaked, ...made],
      supersedes: { run: elder, state: "held" },
    });
    // Until somebody has decided, nothing was touched and the older run is not over.
    expect(words(await stage.effects("app-overlap")).filter((word) => word.includes("remove"))).toEqual([]);

    await stage.decide("cleo", run, "security");
    await stage.advanceUntil(run, ["completed"], { stepSeconds: 300, hoursMax: 2 });
    expect((await stage.run(elder)).run).toMatchObject({ state: "superseded", because: { code: "emergency", run } });
    const removed = (await stage.effects("app-overlap")).filter(({ op }) => op === "application.removePassword");
    expect(removed.map(({ target }) => target.keyId)).toEqual([leaked, ...made]);
    const { failedSignIns, orphans } = await stage.figures("app-overlap");
    expect({ failedSignIns, orphans }).toEqual({ failedSignIns: 0, orphans: [] });
    expect(await stage.secretsOf("app-overlap")).toHaveLength(1);
    for (const id of [run, elder])
      expect([await stage.verdict(id), stage.secondVerdict(id)]).toEqual(["proven", "proven"]);
  });

  it("ends a plan that waits for approval, which nobody can start any more", async () => {
    const leaked = await onlySecretOf("app-waiting");
    const elder = await stage.request("app-waiting");
    const run = await stage.report("app-waiting", leaked);
    await stage.approve(elder);
    await stage.advance(300);
    expect(await stage.stateOf(elder)).toBe("scheduled");
    expect(await stage.effects("app-waiting")).toEqual([]);
    await stage.decide("cleo", run, "security");
    await stage.advanceUntil(run, ["completed"], { stepSeconds: 300, hoursMax: 2 });
    expect(await stage.stateOf(elder)).toBe("superseded");
    expect((await stage.figures("app-waiting")).failedSignIns).toBe(0);
    expect(await stage.verdict(elder)).toBe("proven");
  });

  it("that is rejected lets the older run go on where it was", async () => {
    const leaked = await onlySecretOf("app-goes-on");
    const elder = await stage.request("app-goes-on");
    await stage.approve(elder);
    await stage.advance(120);
    const run = await stage.report("app-goes-on", leaked);
    await stage.advance(60);
    expect(await stage.stateOf(elder)).toBe("held");
    // Neither may a second emergency be opened beside it.
    expect((await refusal(stage.report("app-goes-on", leaked))).code).toBe("STATE_CONFLICT");
    await stage.decide("cleo", run, "security", "reject");
    await stage.advance(60);
    expect(await stage.stateOf(elder)).toBe("overlapping");
    await stage.advanceUntil(elder, ["completed"], { hoursMax: 30 });
    const { failedSignIns, orphans } = await stage.figures("app-goes-on");
    expect({ failedSignIns, orphans }).toEqual({ failedSignIns: 0, orphans: [] });
    expect(await stage.verdict(elder)).toBe("proven");
    expect(await stage.verdict(run)).toBe("proven");
  });
});

describe("an emergency while the directory is out", () => {
  it("is blocked within a minute, without the quarter of an hour that another request waits", async () => {
    const leaked = await onlySecretOf("app-out");
    const { appId } = stage.idsOf("app-out");
    const fault = { op: "application.get", kind: "503", times: "always", match: { appId } };
    const { id } = (await stage.manage("POST", "/faults", fault)) as { id: string };
    const run = await stage.report("app-out", leaked);
    // The call's own tries take half a minute.
    await stage.advance(60);
    expect((await stage.run(run)).run).toMatchObject({ state: "blocked", because: { code: "world-unread" } });
    await stage.sink.until(({ type, data }) => type === "run.blocked" && data.run === run);
    await stage.manage("DELETE", `/faults/${id}`);
  });
});

describe("an authorised emergency that is withdrawn", () => {
  it("lets the older run go on while it cannot begin, and tells who has to ask again once that run was ended", async () => {
    const app = "app-taken-back";
    const leaked = await onlySecretOf(app);
    const elder = await stage.request(app);
    await stage.approve(elder);
    await stage.advance(120);
    expect(await stage.stateOf(elder)).toBe("overlapping");
    const withdraw = async (run: string) => (await stage.as("cleo")).withdraw({ params: { id: run }, body: {} });

    // Authorised, and the directory does not answer: nothing has begun, so nothing was taken over yet.
    const waiting = await stage.report(app, leaked);
    await stage.advance(60);
    const { appId } = stage.idsOf(app);
    const fault = { op: "application.get", kind: "503", times: "always", match: { appId } };
    const { id } = (await stage.manage("POST", "/faults", fault)) as { id: string };
    await stage.decide("cleo", waiting, "security");
    await stage.advance(600);
    expect((await stage.run(waiting)).run).toMatchObject({ state: "scheduled", because: { code: "world-unreadable" } });
    expect(await stage.stateOf(elder)).toBe("held");
    await withdraw(waiting);
    await stage.manage("DELETE", `/faults/${id}`);
    await stage.advance(60);
    expect(await stage.stateOf(elder)).toBe("overlapping");

    // Authorised, and a second before it begins: the older run was ended for it.
    const begun = await stage.report(app, leaked);
    await stage.advance(60);
    const before = await stage.effects(app);
    const secrets = await stage.secretsOf(app);
    await stage.decide("cleo", begun, "security");
    await stage.settle();
    expect((await stage.run(elder)).run).toMatchObject({ state: "superseded", because: { run: begun } });
    expect(await stage.stateOf(begun)).toBe("scheduled");
    await withdraw(begun);
    const told = await stage.sink.until(({ type, data }) => type === "run.unfinished" && data.run === elder);
    expect(told.data).toMatchObject({ application: app, because: { code: "emergency", run: begun } });
    await stage.advance(3_600);
    // Nothing was taken away: both secrets stand, and everybody signs in.
    expect(await stage.effects(app)).toEqual(before);
    expect(await stage.secretsOf(app)).toEqual(secrets);
    expect(secrets).toContain(leaked);

    const anew = await stage.request(app);
    expect(JSON.parse((await stage.run(anew)).plan?.text ?? "{}").baseline.credentialIds).toEqual(
      expect.arrayContaining(secrets),
    );
    await stage.approve(anew);
    await stage.advanceUntil(anew, ["overlapping"], { stepSeconds: 60 });
    const { failedSignIns, orphans } = await stage.figures(app);
    expect({ failedSignIns, orphans }).toEqual({ failedSignIns: 0, orphans: [] });
    for (const run of [elder, waiting, begun])
      expect([await stage.verdict(run), stage.secondVerdict(run)]).toEqual(["proven", "proven"]);
  });
});

describe("a report", () => {
  it("of a credential that the application does not have is blocked, and nothing happens", async () => {
    const run = await stage.report("app-denied", "00000000-0000-4000-8000-000000000000");
    // Reading who uses it has a pace of its own, and whoever read before has used some of it.
    await stage.advance(60);
    expect((await stage.run(run)).run).toMatchObject({ state: "blocked", because: { code: "credential-unknown" } });
    expect(await stage.effects("app-denied")).toEqual([]);
    expect(await stage.verdict(run)).toBe("proven");
  });

  it("that security rejects changes nothing", async () => {
    const run = await stage.report("app-denied", await onlySecretOf("app-denied"));
    await stage.advance(60);
    await stage.decide("cleo", run, "security", "reject");
    await stage.advance(3_600);
    expect(await stage.stateOf(run)).toBe("rejected");
    expect(await stage.effects("app-denied")).toEqual([]);
    expect((await stage.figures("app-denied")).failedSignIns).toBe(0);
  });
});
