import { createHmac, randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { personId } from "./documents.ts";
import { tellOnFailure } from "./failure.ts";
import { refusal, Stage } from "./stage.ts";

/*
 * Somebody makes a long-lived secret in the portal and gives it to a program by hand: its value is in no store, and nobody
 * has declared the program. A monitoring tool tells of it.
 */

const key = "a key that only the monitoring tool has";
const names = ["app-made", "app-owners", "app-nobody", "app-silent", "app-stuck", "app-early", "app-late", "app-idle"];
const remediation = `    remediation:
      approvals:
        expiresAfter: P1D
        require:
          - { role: app-owner, from: owner-of-app, count: 1 }
          - { role: security, from: "role:security", count: 1 }
`;

let stage: Stage;
beforeAll(async () => {
  process.env.STAGE_PORTAL_KEY = key;
  stage = await Stage.open({
    applications: names.map((name) => ({ name, consumers: ["latest"], instant: true })),
    scenario: { users: [{ name: "mallory" }] },
    channels: ["jira"],
    // Twenty minutes are enough where everybody picks up a new secret at once.
    policy: (yaml) =>
      yaml
        .replaceAll("    retire:", `${remediation}    retire:`)
        .replaceAll(/overlap: .*/g, "overlap: { min: PT20M, max: P1D }")
        .replaceAll("quiet: PT1H", "quiet: PT20M"),
    config: (yaml, directory) => `${yaml.replace(
      "audit: { everySeconds: 0 }",
      // Of one application the directory's own log is what tells.
      `audit:
  everySeconds: 1800
  lateSeconds: 3600
  rules:
    - when: 'event.data.objectId == "${directory.applications.find(({ name }) => name === "app-idle")?.objectId}"'
      application: "event.data.objectId"
      credential: "event.data.credentials[0]"`,
    )}webhooks:
  - name: directory
    kind: standard
    keys: ["env:STAGE_PORTAL_KEY"]
    perMinuteMax: 1000
    rules:
      - when: 'event.type == "secret.created" && event.data.days > 90'
        application: "event.data.appId"
        credential: "event.data.keyId"
`,
  });
});
afterAll(() => stage?.close());
beforeEach(() => tellOnFailure(stage));

const addressOfProgram = "198.51.100.20";

/** Two years, in the portal; `program` lives on it from then on. */
async function makeByHand(application: string, program: string | null = `${application}-script`): Promise<string> {
  const by = program === null ? {} : { program: { name: program, ipAddress: addressOfProgram, intervalSeconds: 300 } };
  const made = await stage.manage("POST", "/portal/credentials", { application, user: "mallory", ...by });
  // It signs in for a while before anybody hears of it.
  await stage.advance(1_800);
  return (made as { keyId: string }).keyId;
}

async function tell(application: string, keyId: string): Promise<number> {
  const data = { appId: stage.idsOf(application).appId, keyId: keyId.toUpperCase(), days: 730 };
  const body = JSON.stringify({ type: "secret.created", data });
  const [id, stamp] = [randomUUID(), String(Math.floor(Date.now() / 1_000))];
  const mac = createHmac("sha256", key).update(`${id}.${stamp}.${body}`).digest("base64");
  const headers = {
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": stamp,
    "webhook-signature": `v1,${mac}`,
  };
  const answer = await fetch(`${stage.url}/hooks/directory`, { method: "POST", headers, body });
  await stage.settle();
  return answer.status;
}

/** The run that the event led to, planned or blocked. */
async function toldOf(application: string, keyId: string): Promise<string> {
  expect(await tell(application, keyId)).toBe(202);
  const run = await stage.newestOf(application);
  if (run === null) throw new Error("expected the event to propose a run");
  return run;
}

/** Its plan, approved by the owner and by security, as far as the overlap. */
async function approved(run: string): Promise<void> {
  await stage.decide("ada", run, "app-owner");
  await stage.decide("cleo", run, "security");
  await stage.advance(120);
  expect(await stage.stateOf(run)).toBe("overlapping");
}

const paste = (application: string) =>
  stage.manage("POST", "/portal/pastes", { program: `${application}-script`, vault: "main", secret: application });
const confirm = async (run: string) =>
  (await stage.as("ada")).confirmStep({
    params: { id: run },
    body: { step: "switch", direction: "do", confirmation: "given" },
  });
const removalsOf = async (application: string) =>
  (await stage.effects(application)).flatMap(({ op, target }) =>
    op === "application.removePassword" ? [target.keyId] : [],
  );
const gateOf = async (run: string) => {
  const client = await stage.as("cleo");
  const { entries } = await client.getRunEntries({ params: { id: run }, query: { from: 0, limit: 200 } });
  return entries
    .map(({ text }) => JSON.parse(text) as { type: string; data: { open: boolean; reasons: string[] } })
    .findLast(({ type }) => type === "gate.checked")?.data;
};

/** By both verifiers. */
async function provenTwice(run: string): Promise<void> {
  expect([await stage.verdict(run), stage.secondVerdict(run)]).toEqual(["proven", "proven"]);
}

describe("a long-lived secret that somebody made in the portal", () => {
  it("is replaced by a compliant one after security's yes, and goes alone once its holder was moved and seen", async () => {
    const [before] = await stage.secretsOf("app-made");
    const offender = await makeByHand("app-made");
    const run = await toldOf("app-made", offender);

    // The event only proposed: what it says was looked up, and who decides and what goes is on the page.
    const asked = await stage.run(run);
    expect(asked.run).toMatchObject({
      state: "awaiting_approval",
      trigger: "event",
      requester: "system:webhook",
      procedure: "entra-replace-foreign",
    });
    expect(asked.findings.find(({ code }) => code === "lifetime-over-policy")?.result).toBe("warn");
    expect(asked.approvals.missing.map(({ role }) => role)).toEqual(["app-owner", "security"]);
    const plan = JSON.parse(asked.plan?.text ?? "{}");
    expect(plan).toMatchObject({ old: { id: offender, binding: "named" }, stays: { id: before } });
    expect(asked.plan?.text).toContain(`used from ${addressOfProgram}`);
    expect(await stage.effects("app-made")).toEqual([]);

    // The owner's yes alone moves nothing.
    await stage.decide("ada", run, "app-owner");
    await stage.advance(600);
    expect(await stage.effects("app-made")).toEqual([]);
    await stage.decide("cleo", run, "security");
    await stage.advance(600);
    const created = (await stage.secretsOf("app-made")).filter((id) => id !== before && id !== offender);
    expect(created).toHaveLength(1);
    const toDo = await stage.sink.until(({ type, data }) => type === "step.asked" && data.run === run);
    expect(toDo.data.audience).toEqual(["ada", "dora"].map(personId).sort());

    // The overlap passes, and the owner has not said a word yet: nothing is removed.
    await stage.advance(1_800);
    expect(await removalsOf("app-made")).toEqual([]);
    await paste("app-made");
    await confirm(run);
    await stage.advanceUntil(run, ["completed"], { stepSeconds: 600, hoursMax: 8 });

    expect(await removalsOf("app-made")).toEqual([offender]);
    expect((await stage.secretsOf("app-made")).toSorted()).toEqual([String(before), ...created].toSorted());
    const { failedSignIns, orphans, uses } = await stage.figures("app-made");
    expect({ failedSignIns, orphans }).toEqual({ failedSignIns: 0, orphans: [] });
    const script = uses.filter(({ workload }) => workload === "app-made-script");
    expect(new Set(script.map(({ credential }) => credential))).toEqual(new Set([offender, ...created]));
    await stage.sink.until(({ type, data }) => type === "run.completed" && data.run === run);
    await provenTwice(run);
  });

  it("of an application that nobody owns gets a ticket, and nothing is changed", async () => {
    await stage.editRow("app-nobody", (row) => row.replace(/owners: \[.*\]/, "owners: []"));
    const offender = await makeByHand("app-nobody");
    const run = await toldOf("app-nobody", offender);
    const { run: blocked, findings } = await stage.run(run);
    expect(blocked).toMatchObject({ state: "blocked", because: { code: "no-owner" } });
    expect(findings.find(({ code }) => code === "no-owner")?.result).toBe("block");
    const { desks } = (await stage.manage("GET", "/told")) as {
      desks: Record<string, { title: string; text: string; state: string }[]>;
    };
    const tickets = Object.values(desks)
      .flat()
      .filter(({ title }) => title.includes("app-nobody"));
    expect(tickets).toHaveLength(1);
    expect(tickets[0]?.text).toContain("Somebody must answer for an application before it is automated.");
    expect(await stage.effects("app-nobody")).toEqual([]);
    expect(await stage.secretsOf("app-nobody")).toContain(offender);
    expect((await stage.figures("app-nobody")).failedSignIns).toBe(0);
    await provenTwice(run);
  });

  it("stays for as long as no owner says that its holder was moved; owners are reminded, and told when it is overdue", async () => {
    const offender = await makeByHand("app-silent");
    const run = await toldOf("app-silent", offender);
    await approved(run);
    await stage.advance(1_800);
    expect(await stage.stateOf(run)).toBe("overlapping");
    await stage.sink.until(({ type, data }) => type === "step.reminded" && data.run === run);
    await stage.sink.until(({ type, data }) => type === "run.overdue" && data.run === run);
    expect(await removalsOf("app-silent")).toEqual([]);
    expect(await stage.figures("app-silent")).toMatchObject({ failedSignIns: 0, orphans: [] });

    // A person decides. Nobody was moved, and an owner says so: then the new secret goes, and the offender is as it was.
    await (await stage.as("ben")).rollBack({ params: { id: run }, body: { reason: "the holder cannot be found" } });
    await stage.settle();
    await (await stage.as("ada")).confirmStep({
      params: { id: run },
      body: { step: "switch", direction: "undo", confirmation: "given" },
    });
    await stage.advanceUntil(run, ["rolled_back"], { hoursMax: 4 });
    expect(await stage.secretsOf("app-silent")).toContain(offender);
    expect(await stage.figures("app-silent")).toMatchObject({ failedSignIns: 0, orphans: [] });
    expect(await stage.verdict(run)).toBe("proven");
  });

  it("stays while it is still used, whatever the owner said, and goes when its holder was moved indeed", async () => {
    const offender = await makeByHand("app-stuck");
    const run = await toldOf("app-stuck", offender);
    await approved(run);
    await confirm(run);
    await stage.advance(1_800);
    expect(await stage.stateOf(run)).toBe("overlapping");
    expect(await gateOf(run)).toMatchObject({
      open: false,
      reasons: expect.arrayContaining(["old-key-used", "caller-not-on-new-key"]),
    });
    expect(await removalsOf("app-stuck")).toEqual([]);

    await paste("app-stuck");
    await stage.advanceUntil(run, ["completed"], { stepSeconds: 600, hoursMax: 8 });
    expect(await removalsOf("app-stuck")).toEqual([offender]);
    expect(await stage.figures("app-stuck")).toMatchObject({ failedSignIns: 0, orphans: [] });
    expect(await stage.verdict(run)).toBe("proven");
  });

  it("and that somebody else removes before anything was begun voids the approvals, and nothing is created", async () => {
    const offender = await makeByHand("app-early", null);
    const run = await toldOf("app-early", offender);
    await stage.decide("ada", run, "app-owner");
    await stage.manage("POST", "/portal/removals", { application: "app-early", user: "mallory", keyId: offender });
    await stage.decide("cleo", run, "security");
    await stage.advance(600);
    expect((await stage.run(run)).run).toMatchObject({ state: "superseded", because: { code: "drifted" } });
    const next = (await stage.newestOf("app-early")) ?? "";
    expect((await stage.run(next)).run).toMatchObject({ state: "blocked", because: { code: "not-due" } });
    expect(await stage.effects("app-early")).toEqual([]);
    expect(await stage.verdict(run)).toBe("proven");
    expect(await stage.verdict(next)).toBe("proven");
  });

  it("and that somebody else removes during the overlap holds the run: what it has made stays, and nothing else goes", async () => {
    const offender = await makeByHand("app-late");
    const run = await toldOf("app-late", offender);
    await approved(run);
    await paste("app-late");
    await confirm(run);
    await stage.advance(300);
    await stage.manage("POST", "/portal/removals", { application: "app-late", user: "mallory", keyId: offender });
    await stage.advanceUntil(run, ["held"], { hoursMax: 12 });
    expect((await stage.run(run)).run.because).toMatchObject({ code: "key-removed" });
    expect(await removalsOf("app-late")).toEqual([]);
    expect(await stage.figures("app-late")).toMatchObject({ failedSignIns: 0, orphans: [] });
    await provenTwice(run);
  });
});

describe("a secret that is named", () => {
  it("by a person, and that a run of ours has made or that is not there, is not replaced", async () => {
    const [current] = await stage.secretsOf("app-owners");
    const client = await stage.as("ben");
    const ask = async (replace: string) => {
      const { run } = await client.requestRun({ body: { row: "app-owners", reason: "it is not ours", replace } });
      await stage.settle();
      return (await stage.run(run)).run;
    };
    expect(await ask(randomUUID())).toMatchObject({ state: "blocked", because: { code: "not-due" } });
    // What the record holds was made by hand as well: it is replaced as in any rotation, and nobody has to be looked for.
    const held = await ask(current ?? "");
    expect(held).toMatchObject({ state: "awaiting_approval" });
    const { plan } = await stage.run(held.id);
    expect(JSON.parse(plan?.text ?? "{}").steps.map(({ id }: { id: string }) => id)).not.toContain("switch");
    await stage.decide("ada", held.id, "app-owner");
    await stage.decide("cleo", held.id, "security");
    await stage.advanceUntil(held.id, ["completed"], { stepSeconds: 600, hoursMax: 12 });
    const [ours] = await stage.secretsOf("app-owners");
    expect(await ask(ours ?? "")).toMatchObject({ state: "blocked", because: { code: "named-is-ours" } });
    expect(await removalsOf("app-owners")).toEqual([current]);
    expect(await stage.figures("app-owners")).toMatchObject({ failedSignIns: 0, orphans: [] });
    expect(await stage.verdict(held.id)).toBe("proven");
    const both = client.requestRun({
      body: { row: "app-owners", reason: "both", trigger: "compromise", credential: "a", replace: "b" },
    });
    expect((await refusal(both)).code).toBe("INPUT_INVALID");
  });

  it("by the directory's log, and that nobody was ever seen using, waits for the owner's word, and under a strong policy for a person", async () => {
    const offender = await makeByHand("app-idle", null);
    await stage.advance(1_800);
    const run = (await stage.newestOf("app-idle")) ?? "";
    const { plan, run: asked } = await stage.run(run);
    expect(asked.requester).toBe("system:audit");
    expect(JSON.parse(plan?.text ?? "{}").old).toMatchObject({ id: offender, binding: "named" });
    await approved(run);
    await stage.advance(1_800);
    expect(await removalsOf("app-idle")).toEqual([]);
    await confirm(run);
    await stage.advance(1_800);
    expect(await stage.stateOf(run)).toBe("overlapping");
    expect((await gateOf(run))?.reasons).toEqual(expect.arrayContaining(["report-has-not-seen-key", "grade-too-low"]));
    expect(await removalsOf("app-idle")).toEqual([]);
  });
});
