import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { stageLiveness, withEmergencyTerms } from "./documents.ts";
import { tellOnFailure } from "./failure.ts";
import { RoleProcesses } from "./role-processes.ts";
import { Stage } from "./stage.ts";

const processes = new RoleProcesses();
let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open({
    applications: [
      { name: "app-killed", instant: true },
      { name: "app-cut", consumers: ["latest"], instant: true },
      { name: "app-unproven" },
      { name: "app-unstored", instant: true },
      { name: "app-late", instant: true },
    ],
    // A request that is still on its way must outlast the start of a process.
    liveness: { ...stageLiveness, callDeadlineMs: 3_000, settleMs: 3_000 },
    scenario: { users: [{ name: "mallory" }] },
    policy: (yaml) =>
      withEmergencyTerms(yaml)
        .replaceAll(/overlap: .*/g, "overlap: { min: PT20M, max: P1D }")
        .replaceAll("quiet: PT1H", "quiet: PT20M"),
    product: processes,
  });
});
afterAll(() => stage?.close());
beforeEach(() => tellOnFailure(stage));

/** Kills the executor while the next such request stands, `after-effect` unless said, and starts another one: it never hears of it. */
async function killDuring(
  hold: { op: string; [field: string]: unknown },
  cause: () => Promise<unknown>,
): Promise<void> {
  await stage.manage("POST", "/holds", { position: "after-effect", times: 1, ...hold });
  const caused = cause();
  const held = await stage.heldRequest();
  await processes.kill("executor");
  await stage.manage("POST", `/holds/${held}/drop`);
  await processes.startOne("executor");
  await caused;
}

describe("an emergency while the executor of the run before it is killed", () => {
  it("takes over what the dead process had made and could not tell of; nothing is orphaned, nobody fails", async () => {
    const [leaked = ""] = await stage.secretsOf("app-killed");
    const elder = await stage.request("app-killed");
    // The new secret exists, and its answer never comes.
    await stage.manage("POST", "/holds", { op: "application.addPassword", position: "after-effect", times: 1 });
    await stage.approve(elder);
    const held = await stage.heldRequest();
    expect(await stage.stateOf(elder)).toBe("executing");
    const filed = (await stage.as("ada")).requestRun({
      body: { row: "app-killed", reason: "it stood in a public log", trigger: "compromise", credential: leaked },
    });
    const { run } = await filed;
    await processes.kill("executor");
    await stage.manage("POST", `/holds/${held}/drop`);
    const made = (await stage.secretsOf("app-killed")).filter((secret) => secret !== leaked);
    expect(made).toHaveLength(1);

    await processes.startOne("executor");
    await stage.advance(120);
    expect((await stage.run(elder)).run).toMatchObject({ state: "held", because: { code: "emergency", run } });
    expect((await stage.run(run)).plan?.text).toContain(`"revoke":["${leaked}","${made[0]}"]`);
    await stage.decide("cleo", run, "security");
    await stage.advanceUntil(run, ["completed"], { stepSeconds: 300, hoursMax: 2 });
    expect(await stage.stateOf(elder)).toBe("superseded");
    const removed = (await stage.effects("app-killed")).filter(({ op }) => op === "application.removePassword");
    expect(removed.map(({ target }) => target.keyId)).toEqual([leaked, ...made]);
    expect(await stage.secretsOf("app-killed")).toHaveLength(1);
    const { failedSignIns, orphans } = await stage.figures("app-killed");
    expect({ failedSignIns, orphans }).toEqual({ failedSignIns: 0, orphans: [] });
    for (const id of [run, elder])
      expect([await stage.verdict(id), stage.secondVerdict(id)]).toEqual(["proven", "proven"]);
  });
});

describe("the replacement of a secret that somebody made, while executors are killed", () => {
  it("ends with one new secret and without the named one; nothing is orphaned, nobody fails", async () => {
    const [before] = await stage.secretsOf("app-cut");
    const program = { name: "app-cut-script", intervalSeconds: 300 };
    const act = { application: "app-cut", user: "mallory" };
    const { keyId } = (await stage.manage("POST", "/portal/credentials", { ...act, program })) as { keyId: string };
    await stage.advance(1_800);
    const client = await stage.as("ben");
    const asked = { row: "app-cut", reason: "found by the scan", replace: keyId };
    const { run } = await client.requestRun({ body: asked });
    await stage.settle();

    await stage.decide("ada", run, "app-owner");
    await stage.decide("dora", run, "platform");
    // It has made a secret, and nobody has heard of it.
    await killDuring({ op: "application.addPassword" }, () => stage.decide("cleo", run, "security"));
    await stage.advance(120);
    expect(await stage.stateOf(run)).toBe("overlapping");
    await stage.manage("POST", "/portal/pastes", { program: program.name, vault: "main", secret: "app-cut" });
    const owner = await stage.as("ada");
    const word = { step: "switch", direction: "do", confirmation: "given" } as const;
    await owner.confirmStep({ params: { id: run }, body: word });
    // The named secret is gone, and nobody has heard of it.
    await killDuring({ op: "application.removePassword" }, () => stage.advance(3 * 3_600));
    await stage.advanceUntil(run, ["completed"], { stepSeconds: 600, hoursMax: 4 });

    const left = await stage.secretsOf("app-cut");
    expect(left).toContain(before);
    expect(left).not.toContain(keyId);
    expect(left).toHaveLength(2);
    const { failedSignIns, orphans } = await stage.figures("app-cut");
    expect({ failedSignIns, orphans }).toEqual({ failedSignIns: 0, orphans: [] });
    expect([await stage.verdict(run), stage.secondVerdict(run)]).toEqual(["proven", "proven"]);
  });
});

describe("an executor that is killed while it alone holds the value of the secret it made", () => {
  it.each([
    [
      "F2: before it is stored",
      "app-unstored",
      (run: string) =>
        killDuring({ op: "secret.set", match: { secret: "app-unstored" }, position: "after-send" }, async () => {
          await stage.approve(run);
          await stage.advance(120);
        }),
    ],
    [
      "V6: while it waits until the secret signs in everywhere",
      "app-unproven",
      async (run: string) => {
        await stage.manage("PUT", "/knobs", { preset: "off", replicationSeconds: [30, 40] });
        await stage.approve(run);
        await stage.advance(10);
        expect(await stage.secretsOf("app-unproven")).toHaveLength(2);
        await processes.kill("executor");
        await stage.manage("PUT", "/knobs", { preset: "off" });
        await processes.startOne("executor");
      },
    ],
  ])(
    "%s: the next one takes that secret back and makes another; nothing is orphaned",
    async (_, name, startAndKill) => {
      const [old] = await stage.secretsOf(name);
      const run = await stage.request(name);
      await startAndKill(run);
      await stage.advanceUntil(run, ["completed"], { stepSeconds: 600, hoursMax: 48 });

      const changes = (await stage.effects(name)).map(({ op, target }) => [op.split(".")[1], target.keyId]);
      const [lost, kept] = changes.filter(([act]) => act === "addPassword").map(([, keyId]) => keyId);
      expect(changes.filter(([act]) => act !== "set")).toEqual([
        ["addPassword", lost],
        ["removePassword", lost],
        ["addPassword", kept],
        ["removePassword", old],
      ]);
      expect(await stage.secretsOf(name)).toEqual([kept]);
      const { failedSignIns, orphans } = await stage.figures(name);
      expect({ failedSignIns, orphans }).toEqual({ failedSignIns: 0, orphans: [] });
      expect([await stage.verdict(run), stage.secondVerdict(run)]).toEqual(["proven", "proven"]);
    },
  );
});

describe("an executor that is stopped while it waits for the last request of one that was killed", () => {
  const takeOvers = () =>
    (processes.said.get("executor") ?? []).filter((line) => line.includes('"recovery.started"')).length;

  it("leaves the wait to the next one, which sees what has landed by then; nothing is orphaned", async () => {
    const [old] = await stage.secretsOf("app-late");
    const run = await stage.request("app-late");
    // On its way when its sender dies, and still on its way when the next executor is stopped.
    await stage.manage("POST", "/holds", { op: "application.addPassword", position: "after-send", times: 1 });
    await stage.approve(run);
    const held = await stage.heldRequest();
    const before = takeOvers();
    const takenOver = (times: number) => expect.poll(takeOvers, { timeout: 60_000 }).toBe(before + times);
    await processes.kill("executor");
    const second = processes.startOne("executor");
    await takenOver(1);
    await processes.stop("executor");
    await second.catch(() => {});
    const started = processes.startOne("executor");
    const advanced = stage.advance(60);
    await takenOver(2);
    await stage.manage("POST", `/holds/${held}/release`);
    await Promise.all([started, advanced]);
    await stage.advanceUntil(run, ["completed"], { stepSeconds: 600, hoursMax: 48 });

    const acts = (await stage.effects("app-late")).map(({ op }) => op.split(".")[1]).filter((act) => act !== "set");
    expect(acts).toEqual(["addPassword", "removePassword", "addPassword", "removePassword"]);
    expect(await stage.secretsOf("app-late")).not.toContain(old);
    const { failedSignIns, orphans } = await stage.figures("app-late");
    expect({ failedSignIns, orphans }).toEqual({ failedSignIns: 0, orphans: [] });
    expect([await stage.verdict(run), stage.secondVerdict(run)]).toEqual(["proven", "proven"]);
  });
});
