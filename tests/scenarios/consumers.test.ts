import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { tellOnFailure } from "./failure.ts";
import { refusal, Stage } from "./stage.ts";

const all = [
  "latest",
  "pinned",
  "copied",
  "pipeline",
  "setting",
  "reference",
  "workflow",
  "pod",
  "partner",
  "desk",
] as const;
const step = (name: string, kind: string) => `update:${name}-${kind}`;

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open({
    applications: [
      { name: "app-ten", consumers: all },
      { name: "app-back", consumers: all },
      { name: "app-third", consumers: ["latest", "pipeline"] },
      { name: "app-fourth", consumers: ["latest", "pipeline"] },
      { name: "app-day", consumers: ["latest", "reference"] },
      { name: "app-desk", consumers: ["latest", "desk"] },
      { name: "app-unseen", consumers: ["latest", "pipeline"] },
      { name: "app-refused", consumers: ["latest", "pipeline"] },
      { name: "app-between", consumers: ["latest", "pipeline"] },
      { name: "app-follow", consumers: ["latest", "setting", "reference"] },
      ...["once", "never", "lost"].flatMap((how) =>
        (["pipeline", "setting", "reference"] as const).map((kind, index) => ({
          name: `app-${how}-${index}`,
          consumers: ["latest", kind] as const,
        })),
      ),
    ],
    // A reference may be a day behind, so the overlap may be longer than that.
    policy: (yaml) => yaml.replaceAll("max: P1D }", "max: P3D }"),
  });
});
afterAll(() => stage?.close());
beforeEach(() => tellOnFailure(stage));

async function say(run: string, id: string, direction: "do" | "undo", confirmation: "given" | "withdrawn" = "given") {
  return (await stage.as("ada")).confirmStep({ params: { id: run }, body: { step: id, direction, confirmation } });
}

/** What the owner does at the desk: points it to what the record holds now. */
async function byHand(application: string): Promise<void> {
  const { id } = (await stage.foreign("GET", `/secrets/${application}`)) as { id: string };
  stage.write(`files/${application}-desk.ref`, `${id}\n`);
}

async function figures(application: string) {
  const { failedSignIns, orphans, uses } = await stage.figures(application);
  return { failedSignIns, orphans, uses };
}

describe("a run over ten kinds of consumers", () => {
  it("waits for the owner's word and a day for the reference; none of them ever fails to sign in", async () => {
    const run = await stage.request("app-ten");
    expect((await stage.run(run)).findings.filter(({ result }) => result === "block")).toEqual([]);
    await stage.approve(run);
    await stage.advance(3_600);
    expect(await stage.stateOf(run)).toBe("overlapping");
    await stage.sink.until(({ type, data }) => type === "step.asked" && data.run === run);
    await stage.advance(40 * 3_600);
    // All others are through; the desk is not, so nothing is removed, and the owner has been reminded.
    expect(await stage.stateOf(run)).toBe("overlapping");
    await stage.sink.until(({ type, data }) => type === "step.reminded" && data.run === run);
    expect((await figures("app-ten")).failedSignIns).toBe(0);

    await byHand("app-ten");
    await say(run, step("app-ten", "desk"), "do");
    await stage.advanceUntil(run, ["completed"], { hoursMax: 60 });
    const { failedSignIns, orphans, uses } = await figures("app-ten");
    expect({ failedSignIns, orphans }).toEqual({ failedSignIns: 0, orphans: [] });
    const removed = (await stage.effects("app-ten")).at(-1)?.target.keyId;
    const onNew = uses.filter(({ credential, workload, ok }) => workload !== null && credential !== removed && ok > 0);
    expect(new Set(onNew.map(({ workload }) => workload))).toEqual(new Set(all.map((kind) => `app-ten-${kind}`)));
    expect(await stage.verdict(run)).toBe("proven");
  });

  it("rolls back all of them, waits for the owner to put his back, and for the reference's day", async () => {
    const run = await stage.request("app-back");
    await stage.approve(run);
    await stage.advance(3_600);
    await byHand("app-back");
    await say(run, step("app-back", "desk"), "do");
    await stage.advance(3_600);
    await (await stage.as("ben")).rollBack({ params: { id: run }, body: { reason: "the release was called off" } });
    await stage.advance(30 * 3_600);
    // The new secret is still valid: somebody at the desk may hold it.
    expect(await stage.stateOf(run)).toBe("rolling_back");
    await stage.sink.until(({ type, data }) => type === "step.asked-back" && data.run === run);
    expect((await stage.effects("app-back")).filter(({ op }) => op === "application.removePassword")).toEqual([]);

    await byHand("app-back");
    await say(run, step("app-back", "desk"), "undo");
    await stage.advanceUntil(run, ["rolled_back"], { hoursMax: 30 });
    await stage.advance(26 * 3_600);
    const { failedSignIns, orphans } = await figures("app-back");
    expect({ failedSignIns, orphans }).toEqual({ failedSignIns: 0, orphans: [] });
    expect((await stage.effects("app-back")).at(-1)?.op).toBe("application.removePassword");
    expect(await stage.verdict(run)).toBe("proven");
  });
});

describe("a reference that the platform refreshes only after a day", () => {
  it("is looked at again and again as a row, over a restart of the product; nothing is removed before it follows", async () => {
    await stage.manage("PUT", "/knobs", { refreshIgnored: 1 });
    const run = await stage.request("app-day");
    await stage.approve(run);
    await stage.advance(3_600);
    await stage.manage("PUT", "/knobs", { refreshIgnored: 0 });
    expect(await stage.stateOf(run)).toBe("overlapping");
    const references = async () => {
      const { sites } = (await stage.manage("GET", "/directory")) as {
        sites: { name: string; references: Record<string, { version: string }> }[];
      };
      return sites.find(({ name }) => name === "app-day")?.references.REFERENCE?.version;
    };
    const before = await references();
    // Between two looks nobody holds the run: it is a row with the time of the next one.
    const parked = () =>
      stage.asDatabaseOwner(async (client) => {
        const { rows } = await client.query<{ claimed: boolean; waits: boolean }>(
          "select worker is not null as claimed, not_before is not null as waits from cs.run where id = $1",
          [run],
        );
        return rows[0];
      });
    for (const hours of [2, 4, 6]) {
      await stage.advance(hours * 3_600);
      expect(await stage.stateOf(run)).toBe("overlapping");
      expect(await parked()).toEqual({ claimed: false, waits: true });
      await stage.stop();
      await stage.start();
    }
    expect(await references()).toBe(before);
    expect((await stage.effects("app-day")).filter(({ op }) => op === "application.removePassword")).toEqual([]);
    await stage.advanceUntil(run, ["completed"], { hoursMax: 60 });
    expect(await references()).not.toBe(before);
    expect(await figures("app-day")).toMatchObject({ failedSignIns: 0, orphans: [] });
    expect(await stage.verdict(run)).toBe("proven");
  });
});

const writes = ["variableGroup.update", "appSettings.update", "references.refresh"] as const;

describe("a consumer whose write goes wrong", () => {
  it.each(writes)("%s, its answer lost once: it is found out, and the run completes", async (op) => {
    const name = `app-once-${writes.indexOf(op)}`;
    await stage.manage("POST", "/faults", { op, position: "after-effect", kind: "reset" });
    const run = await stage.request(name);
    await stage.approve(run);
    await stage.advanceUntil(run, ["completed"], { hoursMax: 80 });
    const { failedSignIns, orphans } = await figures(name);
    expect({ failedSignIns, orphans }).toEqual({ failedSignIns: 0, orphans: [] });
    expect(await stage.verdict(run)).toBe("proven");
  });

  it.each(writes)("%s, refused for ever: the run rolls back and nobody notices", async (op) => {
    const name = `app-never-${writes.indexOf(op)}`;
    const { id } = (await stage.manage("POST", "/faults", { op, kind: "403", times: "always" })) as { id: string };
    const run = await stage.request(name);
    await stage.approve(run);
    await stage.advanceUntil(run, ["rolled_back"], { hoursMax: 60 });
    await stage.manage("DELETE", `/faults/${id}`);
    const { failedSignIns, orphans } = await figures(name);
    expect({ failedSignIns, orphans }).toEqual({ failedSignIns: 0, orphans: [] });
    expect(await stage.verdict(run)).toBe("proven");
  });

  it("a setting refused for ever: the reference in the same app was not written yet, and may have followed; it is asked back too", async () => {
    const fault = { op: "appSettings.update", kind: "403", times: "always" };
    const { id: rule } = (await stage.manage("POST", "/faults", fault)) as { id: string };
    const run = await stage.request("app-follow");
    await stage.approve(run);
    await stage.advanceUntil(run, ["rolling_back"], { hoursMax: 2 });
    await stage.advanceUntil(run, ["rolled_back"], { hoursMax: 60 });
    await stage.manage("DELETE", `/faults/${rule}`);
    const asked = (await stage.run(run)).steps.find(({ id }) => id === step("app-follow", "reference"))?.attempts;
    expect(asked?.map(({ direction, outcome }) => `${direction} ${outcome}`)).toEqual(["undo done"]);
    const { failedSignIns, orphans } = await figures("app-follow");
    expect({ failedSignIns, orphans }).toEqual({ failedSignIns: 0, orphans: [] });
    expect(await stage.verdict(run)).toBe("proven");
  });

  it("a variable, its answers lost for ever: nobody can tell, so the run holds with both valid until a person decides", async () => {
    const fault = { op: "variableGroup.update", position: "after-effect", kind: "504", times: "always" };
    const { id } = (await stage.manage("POST", "/faults", fault)) as { id: string };
    const run = await stage.request("app-lost-0");
    await stage.approve(run);
    await stage.advanceUntil(run, ["held"], { hoursMax: 10 });
    await stage.advance(2 * 3_600);
    expect((await figures("app-lost-0")).failedSignIns).toBe(0);
    await stage.manage("DELETE", `/faults/${id}`);
    await (await stage.as("ada")).decideHold({
      params: { id: run },
      body: { choice: "roll-back", reason: "it is well again" },
    });
    await stage.advanceUntil(run, ["rolled_back"], { hoursMax: 60 });
    await stage.advance(2 * 3_600);
    const { failedSignIns, orphans } = await figures("app-lost-0");
    expect({ failedSignIns, orphans }).toEqual({ failedSignIns: 0, orphans: [] });
    expect(await stage.verdict(run)).toBe("proven");
  });

  it("a variable that is written and can never be looked at: it is written once, and put back within the hour", async () => {
    const fault = { op: "auditLog.query", kind: "500", times: "always" };
    const { id: rule } = (await stage.manage("POST", "/faults", fault)) as { id: string };
    const run = await stage.request("app-unseen");
    await stage.approve(run);
    await stage.advance(600);
    await stage.advance(3_600);
    const found = await stage.run(run);
    expect(found.run).toMatchObject({ because: { code: "DEADLINE_PASSED" } });
    const wrote = found.steps.find(({ id }) => id === step("app-unseen", "pipeline"))?.attempts;
    // There and back: for want of a look nothing is written once more.
    expect(wrote?.map(({ direction, outcome }) => `${direction} ${outcome}`)).toEqual(["do failed", "undo done"]);
    await stage.advanceUntil(run, ["rolled_back"], { hoursMax: 4 });
    await stage.manage("DELETE", `/faults/${rule}`);
    const { failedSignIns, orphans } = await figures("app-unseen");
    expect({ failedSignIns, orphans }).toEqual({ failedSignIns: 0, orphans: [] });
    expect(await stage.verdict(run)).toBe("proven");
  });

  it("a variable that is written, and the look at it right after is refused: it was written, so it is put back", async () => {
    // Read for the plan, at the start, by identity and before the write: the fifth look is the one after it.
    await stage.manage("POST", "/faults", { op: "variableGroup.get", kind: "403", nth: 5 });
    const run = await stage.request("app-refused");
    await stage.approve(run);
    await stage.advanceUntil(run, ["rolled_back"], { hoursMax: 4 });
    const wrote = (await stage.run(run)).steps.find(({ id }) => id === step("app-refused", "pipeline"))?.attempts;
    expect(wrote?.map(({ direction, outcome }) => `${direction} ${outcome}`)).toEqual(["do failed", "undo done"]);
    await stage.advance(2 * 3_600);
    const { failedSignIns, orphans } = await figures("app-refused");
    expect({ failedSignIns, orphans }).toEqual({ failedSignIns: 0, orphans: [] });
    expect(await stage.verdict(run)).toBe("proven");
  });

  it.each(["appSettings.update", "references.refresh"] as const)(
    "%s, its answers lost for ever: it is read what became of it, and the run completes",
    async (op) => {
      const name = `app-lost-${writes.indexOf(op)}`;
      const fault = { op, position: "after-effect", kind: "504", times: "always" };
      const { id } = (await stage.manage("POST", "/faults", fault)) as { id: string };
      const run = await stage.request(name);
      await stage.approve(run);
      await stage.advanceUntil(run, ["completed"], { hoursMax: 80 });
      await stage.manage("DELETE", `/faults/${id}`);
      const { failedSignIns, orphans } = await figures(name);
      expect({ failedSignIns, orphans }).toEqual({ failedSignIns: 0, orphans: [] });
      expect(await stage.verdict(run)).toBe("proven");
    },
  );
});

describe("two runs that share one variable group", () => {
  it("write it one after the other, and neither loses what the other wrote", async () => {
    const [third, fourth] = [await stage.request("app-third"), await stage.request("app-fourth")];
    await stage.approve(third);
    await stage.approve(fourth);
    await stage.advanceUntil(third, ["completed"], { hoursMax: 40 });
    await stage.advanceUntil(fourth, ["completed"], { hoursMax: 40 });
    for (const name of ["app-third", "app-fourth"]) {
      const { failedSignIns, orphans } = await figures(name);
      expect({ failedSignIns, orphans }).toEqual({ failedSignIns: 0, orphans: [] });
    }
    const plan = (await stage.run(third)).plan?.text ?? "";
    expect(plan).toContain("container:acme/");
    expect(await stage.verdict(fourth)).toBe("proven");
  });
});

describe("somebody else who writes the variable group between our read and our write", () => {
  it("loses that write, which nothing can prevent; the run sees it in the audit log, says so, and goes back", async () => {
    await stage.manage("POST", "/holds", { op: "variableGroup.update", position: "after-send", times: 1 });
    const run = await stage.request("app-between");
    await stage.approve(run);
    const passing = stage.advance(600);
    const held = await stage.heldRequest();
    await stage.elsewhere.variable("BETWEEN", "theirs");
    await stage.manage("POST", `/holds/${held}/release`);
    await passing;
    expect(await stage.elsewhere.variable()).not.toHaveProperty("BETWEEN");

    await stage.advanceUntil(run, ["rolled_back"], { hoursMax: 6 });
    const found = await stage.run(run);
    expect(found.run).toMatchObject({ because: { code: "foreign-change-overwritten" } });
    await stage.sink.until(({ type, data }) => type === "run.rolled-back" && data.run === run);
    const { failedSignIns, orphans } = await figures("app-between");
    expect({ failedSignIns, orphans }).toEqual({ failedSignIns: 0, orphans: [] });
    expect(await stage.verdict(run)).toBe("proven");
  });
});

describe("an owner who takes his word back", () => {
  it("has the run held before anything is removed; once he says it again it goes on", async () => {
    const run = await stage.request("app-desk");
    await stage.approve(run);
    await stage.advance(3_600);
    await byHand("app-desk");
    await say(run, step("app-desk", "desk"), "do");
    await stage.advance(2 * 3_600);
    await say(run, step("app-desk", "desk"), "do", "withdrawn");
    await stage.settle();
    expect((await stage.run(run)).run).toMatchObject({ state: "held", because: { code: "confirmation-withdrawn" } });
    expect(await refusal(say(run, "store", "do"))).toMatchObject({ code: "STATE_CONFLICT" });
    await say(run, step("app-desk", "desk"), "do");
    await (await stage.as("ada")).decideHold({
      params: { id: run },
      body: { choice: "retry", reason: "it is done now" },
    });
    await stage.advanceUntil(run, ["completed"], { hoursMax: 40 });
    expect((await figures("app-desk")).failedSignIns).toBe(0);
    expect(await stage.verdict(run)).toBe("proven");
  });
});
