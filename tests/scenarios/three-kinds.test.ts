import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { tellOnFailure } from "./failure.ts";
import { Stage } from "./stage.ts";

const kinds = [
  { consumer: "workflow", op: "actionsSecret.put" },
  { consumer: "pod", op: "clusterSecret.patch" },
  { consumer: "partner", op: "gatewayEntry.put" },
] as const;
const ways = ["before-once", "after-once", "before-ever", "after-ever"] as const;

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open({
    applications: [
      ...ways.flatMap((way) =>
        kinds.map(({ consumer }) => ({ name: `app-${way}-${consumer}`, consumers: ["latest", consumer] as const })),
      ),
      { name: "app-crowd", consumers: ["latest", "pipeline", "pod"] },
    ],
  });
});
afterAll(() => stage?.close());
beforeEach(() => tellOnFailure(stage));

async function begin(application: string): Promise<string> {
  const run = await stage.request(application);
  expect((await stage.run(run)).findings.filter(({ result }) => result === "block")).toEqual([]);
  await stage.approve(run);
  return run;
}

/** Arms a fault; what comes back ends it and fails unless it has struck. */
async function fault(op: string, position: string, kind: string, times: number | "always") {
  const { id } = (await stage.manage("POST", "/faults", { op, position, kind, times })) as { id: string };
  return async () => {
    const { rules } = (await stage.manage("GET", "/faults")) as { rules: { id: string; fired: number }[] };
    expect(rules.find((one) => one.id === id)?.fired).toBeGreaterThan(0);
    await stage.manage("DELETE", `/faults/${id}`);
  };
}

/** Nobody noticed, nothing is left over, and the bundle proves it. */
async function unharmed(application: string, run: string) {
  const { failedSignIns, orphans, signIns } = await stage.figures(application);
  expect({ failedSignIns, orphans }).toEqual({ failedSignIns: 0, orphans: [] });
  expect(signIns).toBeGreaterThan(0);
  expect(await stage.verdict(run)).toBe("proven");
}

describe("a write that goes wrong before it did anything", () => {
  it.each(kinds)("$op, once: it is tried again, and the run completes", async ({ consumer, op }) => {
    const name = `app-before-once-${consumer}`;
    const end = await fault(op, "before-effect", "503", 1);
    const run = await begin(name);
    await stage.advanceUntil(run, ["completed"], { hoursMax: 40 });
    await end();
    await unharmed(name, run);
  });

  it.each(kinds)("$op, for ever: the run rolls back and nobody notices", async ({ consumer, op }) => {
    const name = `app-before-ever-${consumer}`;
    const end = await fault(op, "before-effect", "403", "always");
    const run = await begin(name);
    await stage.advanceUntil(run, ["rolled_back"], { hoursMax: 30 });
    await end();
    await stage.advance(2 * 3_600);
    await unharmed(name, run);
  });
});

describe("a write whose answer is lost", () => {
  it.each(kinds)("$op, once: it is found out, and the run completes", async ({ consumer, op }) => {
    const name = `app-after-once-${consumer}`;
    const end = await fault(op, "after-effect", "reset", 1);
    const run = await begin(name);
    await stage.advanceUntil(run, ["completed"], { hoursMax: 40 });
    await end();
    await unharmed(name, run);
  });

  it.each(kinds.filter(({ consumer }) => consumer !== "workflow"))(
    "$op, for ever: it is read what became of it, and the run completes",
    async ({ consumer, op }) => {
      const name = `app-after-ever-${consumer}`;
      const end = await fault(op, "after-effect", "504", "always");
      const run = await begin(name);
      await stage.advanceUntil(run, ["completed"], { hoursMax: 40 });
      await end();
      await unharmed(name, run);
    },
  );

  it("actionsSecret.put, for ever: nobody can read it, so the run holds with both valid until a person decides", async () => {
    const name = "app-after-ever-workflow";
    const end = await fault("actionsSecret.put", "after-effect", "504", "always");
    const run = await begin(name);
    await stage.advanceUntil(run, ["held"], { hoursMax: 12 });
    await stage.advance(2 * 3_600);
    expect((await stage.figures(name)).failedSignIns).toBe(0);
    await end();
    await (await stage.as("ada")).decideHold({
      params: { id: run },
      body: { choice: "roll-back", reason: "it is well again" },
    });
    await stage.advanceUntil(run, ["rolled_back"], { hoursMax: 30 });
    await stage.advance(2 * 3_600);
    await unharmed(name, run);
  });
});

describe("somebody else who writes the same Secret and the same variable group all the time", () => {
  it("loses nothing, not even what is written between our read and our write of the Secret", async () => {
    const run = await begin("app-crowd");
    let between = 0;
    await stage.manage("POST", "/holds", {
      op: "clusterSecret.patch",
      position: "after-send",
      match: { caller: "countersign" },
    });
    const events = await fetch(new URL("/events", stage.urls.management), { signal: AbortSignal.timeout(110_000) });
    const watching = (async () => {
      let text = "";
      for await (const chunk of events.body as unknown as AsyncIterable<Uint8Array>) {
        text += Buffer.from(chunk).toString();
        const held = /^data: (.*"op":"clusterSecret\.patch".*)$/m.exec(text)?.[1];
        if (held === undefined) continue;
        await stage.elsewhere.secret("between", "theirs-between");
        between += 1;
        await stage.manage("POST", `/holds/${(JSON.parse(held) as { id: string }).id}/release`);
        return;
      }
    })();
    for (let hour = 0; hour < 10; hour += 1) {
      await stage.elsewhere.secret(`hour-${hour}`, `theirs-${hour}`);
      await stage.elsewhere.variable(`HOUR_${hour}`, `theirs-${hour}`);
      await stage.advance(600);
    }
    await watching;
    expect(between).toBe(1);
    await stage.advanceUntil(run, ["completed"], { hoursMax: 40 });
    const [secret, variables] = [await stage.elsewhere.secret(), await stage.elsewhere.variable()];
    expect(secret["between"]).toBe("theirs-between");
    for (let hour = 0; hour < 10; hour += 1) {
      expect(secret[`hour-${hour}`]).toBe(`theirs-${hour}`);
      expect(variables[`HOUR_${hour}`]).toBe(`theirs-${hour}`);
    }
    expect(variables["REGION"]).toBe("westeurope");
    expect(secret["region"]).toBe("westeurope");
    await unharmed("app-crowd", run);
  });
});
