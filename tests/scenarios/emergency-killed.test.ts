import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { withEmergencyTerms } from "./documents.ts";
import { tellOnFailure } from "./failure.ts";
import { RoleProcesses } from "./role-processes.ts";
import { Stage } from "./stage.ts";

const processes = new RoleProcesses();
let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open({
    applications: [{ name: "app-killed", instant: true }],
    policy: withEmergencyTerms,
    product: processes,
  });
});
afterAll(() => stage?.close());
beforeEach(() => tellOnFailure(stage));

const lookMs = 20;

/** Waits until a request stands still at the hold, and says which. */
async function untilHeld(): Promise<string> {
  for (;;) {
    const { held } = (await stage.manage("GET", "/holds")) as { held: { id: string }[] };
    if (held[0] !== undefined) return held[0].id;
    await delay(lookMs);
  }
}

describe("an emergency while the executor of the run before it is killed", () => {
  it("takes over what the dead process had made and could not tell of; nothing is orphaned, nobody fails", async () => {
    const [leaked = ""] = await stage.secretsOf("app-killed");
    const elder = await stage.request("app-killed");
    // The new secret exists, and its answer never comes.
    await stage.manage("POST", "/holds", { op: "application.addPassword", position: "after-effect", times: 1 });
    await stage.approve(elder);
    const held = await untilHeld();
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
