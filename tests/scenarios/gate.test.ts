import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { tellOnFailure } from "./failure.ts";
import { Stage } from "./stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open({
    applications: [
      { name: "app-straggler", consumers: ["latest"] },
      { name: "app-unread", consumers: ["latest"] },
    ],
  });
});
afterAll(() => stage?.close());
beforeEach(() => tellOnFailure(stage));

describe("a sign-in log that cannot be asked", () => {
  it("because our own sign-in is refused is not taken for a tenant without one: the run holds, and says why", async () => {
    const { callers } = (await stage.manage("GET", "/directory")) as { callers: { reader: { clientId: string } } };
    const run = await stage.request("app-unread");
    await stage.approve(run);
    await stage.advance(300);
    expect(await stage.stateOf(run)).toBe("overlapping");
    const match = { appId: callers.reader.clientId };
    const fault = { op: "token", kind: "400", times: "always", match };
    const { id } = (await stage.manage("POST", "/faults", fault)) as { id: string };
    await stage.advanceUntil(run, ["held"], { hoursMax: 30 });
    expect((await stage.run(run)).run).toMatchObject({ because: { code: "OUTSIDE_INVALID" } });
    await stage.manage("DELETE", `/faults/${id}`);
    await (await stage.as("ada")).decideHold({
      params: { id: run },
      body: { choice: "retry", reason: "our reader may sign in again" },
    });
    await stage.advanceUntil(run, ["completed"], { hoursMax: 24 });
    expect((await stage.figures("app-unread")).failedSignIns).toBe(0);
    expect(await stage.verdict(run)).toBe("proven");
  });
});

describe("a shut gate", () => {
  it("never retires while one caller still uses the old secret, tells the owners, and opens when the last has switched", async () => {
    // A second copy of the program that nobody declared; it reads its secret from a vault that is no consumer's.
    await stage.manage("POST", "/seed", {
      access: [{ application: "app-straggler", vault: "other", secret: "app-straggler", role: "user" }],
      workloads: [
        {
          name: "undeclared",
          kind: "entra-copied",
          application: "app-straggler",
          vault: "other",
          secret: "app-straggler",
          intervalSeconds: 1_200,
          cacheSeconds: 600,
          ipAddress: "10.9.9.9",
        },
      ],
    });
    const run = await stage.request("app-straggler");
    await stage.approve(run);
    await stage.advance(24 * 3_600);
    const overdue = await stage.run(run);
    expect(overdue.run.state).toBe("overlapping");
    expect(overdue.gate).toMatchObject({ open: false });
    expect(overdue.gate?.reasons).toContain("old-key-used");
    expect((await stage.effects("app-straggler")).map(({ op }) => op)).not.toContain("application.removePassword");
    const notice = await stage.sink.until(({ type, data }) => type === "run.overdue" && data.run === run);
    expect(notice.signed).toBe(true);

    await stage.advance(24 * 3_600);
    expect(await stage.stateOf(run)).toBe("overlapping");

    // Somebody puts the new value where the straggler looks.
    await stage.manage("POST", "/workloads/undeclared/stop");
    await stage.advanceUntil(run, ["completed"], { hoursMax: 24 });
    expect((await stage.effects("app-straggler")).at(-1)?.op).toBe("application.removePassword");
    expect((await stage.figures("app-straggler")).failedSignIns).toBe(0);
    expect(await stage.verdict(run)).toBe("proven");
  });

  it("waits for a declared caller that has not come with the new secret yet", async () => {
    await stage.manage("POST", "/workloads/app-straggler-latest/stop");
    const run = await stage.request("app-straggler");
    await stage.approve(run);
    await stage.advance(7 * 3_600);
    const overdue = await stage.run(run);
    expect(overdue.run.state).toBe("overlapping");
    expect(overdue.gate).toMatchObject({ open: false });
    expect(overdue.gate?.reasons).toContain("caller-not-on-new-key");
    await stage.sink.until(({ type, data }) => type === "run.overdue" && data.run === run);
    expect((await stage.effects("app-straggler")).filter(({ op }) => op === "application.removePassword")).toHaveLength(
      1,
    );
    await stage.manage("POST", "/workloads/app-straggler-latest/start");
    await stage.advanceUntil(run, ["completed"], { hoursMax: 24 });
    expect((await stage.figures("app-straggler")).failedSignIns).toBe(0);
  });
});
