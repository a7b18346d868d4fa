import { afterEach, describe, expect, it } from "vitest";
import { conformance, type Stage } from "../src/kit/conformance.ts";
import { type Consumers, openConsumers } from "./consumers.ts";

const id = "devops.set-variable@1";
let opened: Consumers | null = null;
afterEach(async () => {
  await opened?.close();
  opened = null;
});
async function open(...options: Parameters<typeof openConsumers>) {
  opened = await openConsumers(...options);
  return opened;
}

async function stage(): Promise<Stage<Record<string, unknown>>> {
  const tenant = await openConsumers({ pat: true });
  const seen = () => tenant.group().variables.CLIENT_SECRET?.value ?? "";
  return {
    verb: tenant.verb(id),
    params: tenant.variable,
    context: (attempt, direction = "do", past = []) => tenant.context({ attempt, direction, past }),
    seen: () => Promise.resolve(seen()),
    neighbours() {
      const { CLIENT_SECRET: _, ...others } = tenant.group().variables;
      return Promise.resolve(JSON.stringify([others, tenant.group().name, tenant.group().projects]));
    },
    effects: () => Promise.resolve(tenant.effects("variableGroup.update")),
    loseNextAnswer: () => void tenant.arm("variableGroup.update", "reset"),
    secrets: () => [...tenant.secrets(), tenant.value.reveal(), "pat-of-the-writer", "kept-by-the-group", seen()],
    close: () => tenant.close(),
  };
}

describe("devops.set-variable@1", () => {
  it.each(
    conformance(stage, {
      twice: "a secret variable cannot be read: the same value is written again",
      undoTwice: "the same: whether the old value is there already cannot be read",
      otherWriter: "the group belongs to others as well: what they write is kept, and our variable cannot be read",
    }),
  )("$name", (check) => check.run());

  it("keeps what somebody wrote into the group since the plan", async () => {
    const tenant = await open();
    await tenant.changeGroup((variables) => {
      variables.OPEN = { value: "theirs" };
      variables.NEW = { value: "also theirs" };
    });
    await tenant.verb(id).do(tenant.context(), tenant.variable);
    expect(tenant.group().variables).toMatchObject({
      CLIENT_SECRET: { value: tenant.value.reveal(), isSecret: true },
      OTHER_SECRET: { value: "kept-by-the-group", isSecret: true },
      REGION: { value: "westeurope", isReadOnly: true },
      OPEN: { value: "theirs" },
      NEW: { value: "also theirs" },
    });
  });

  it("writes again, into theirs, when somebody writes right after it from what stood there before", async () => {
    const tenant = await open();
    const verb = tenant.verb(id);
    let reads = 0;
    const stop = tenant.sim.world.events.subscribe(({ type, data }) => {
      if (type !== "hold") return;
      reads += 1;
      if (reads < 3) return void tenant.sim.world.holds.decide(String(data.id), "release");
      stop();
      void tenant
        .changeGroup((variables) => {
          variables.CLIENT_SECRET = { value: "stale", isSecret: true };
          variables.OPEN = { value: "theirs" };
        })
        .then(() => tenant.sim.world.holds.decide(String(data.id), "release"));
    });
    const own = tenant.sim.world.tenant.callers.find((caller) => caller.name === "writer")?.appId ?? "";
    tenant.sim.world.rules.arm({
      op: "variableGroup.get",
      nth: 1,
      times: 3,
      match: { caller: own },
      action: { type: "hold", position: "after-send" },
    });
    await verb.identify(tenant.context(), tenant.variable);
    const done = await verb.do(tenant.context(), tenant.variable);
    expect(done.facts).toMatchObject({ rounds: 2 });
    expect(tenant.group().variables).toMatchObject({
      CLIENT_SECRET: { value: tenant.value.reveal() },
      OPEN: { value: "theirs" },
    });
    expect(await verb.verify?.(tenant.context(), tenant.variable, done)).toMatchObject({ level: "metadata-changed" });
  });

  it("looks as well for what an attempt before it, which was cut off, may have overwritten", async () => {
    const tenant = await open({ watch: true });
    const verb = tenant.verb(id);
    const intentAt = tenant.clock.now();
    await tenant.clock.sleep(1_000);
    await tenant.changeGroup((variables) => {
      variables.OPEN = { value: "theirs" };
    });
    await tenant.clock.sleep(1_000);
    await verb.do(tenant.context(), tenant.variable);
    const cutOff = {
      attempt: 1,
      nonce: "",
      direction: "do" as const,
      intent: {},
      outcome: "failed" as const,
      objectIds: {},
      facts: { reconciled: "repeat" },
      intentAt,
    };
    const again = tenant.context({ attempt: 2, past: [cutOff] });
    const done = await verb.do(again, tenant.variable);
    expect(await verb.verify?.(again, tenant.variable, done)).toMatchObject({ code: "foreign-change-overwritten" });
  });

  it.each([
    ["its answer came", false],
    ["its answer was lost", true],
  ])(
    "with the audit log, says that a change between its read and its write was overwritten; %s",
    async (_how, lost) => {
      const tenant = await open({ watch: true });
      const verb = tenant.verb(id);
      if (lost) tenant.arm("variableGroup.update", "reset");
      tenant.meanwhile("variableGroup.update", async () => {
        await tenant.clock.sleep(1_000);
        // Their own write is held no more: the rule fires once.
        await tenant.changeGroup((variables) => {
          variables.OPEN = { value: "theirs" };
        });
      });
      const done = await verb.do(tenant.context(), tenant.variable);
      expect(tenant.group().variables.OPEN?.value).toBe("plain");
      expect(await verb.verify?.(tenant.context(), tenant.variable, done)).toEqual({
        kind: "refuted",
        code: "foreign-change-overwritten",
        facts: expect.objectContaining({ writes: 1 }) as object,
      });
    },
  );

  it("waits for its own entry in the audit log before it says that nothing was lost", async () => {
    const tenant = await open({ watch: true });
    tenant.sim.world.knobs = { ...tenant.sim.world.knobs, auditLagSeconds: [120, 120] };
    const verb = tenant.verb(id);
    const done = await verb.do(tenant.context(), tenant.variable);
    expect(await verb.verify?.(tenant.context(), tenant.variable, done)).toMatchObject({ kind: "not-yet" });
    await tenant.clock.sleep(130_000);
    expect(await verb.verify?.(tenant.context(), tenant.variable, done)).toMatchObject({
      kind: "verified",
      facts: { foreign: "none" },
    });
  });

  it.each([
    ["a group outside the scope", { group: 14 }, "SCOPE_REFUSED"],
    ["a variable that is not secret", { variable: "OPEN" }, "PLAN_DRIFTED"],
    ["a variable that is not there", { variable: "NONE" }, "PLAN_DRIFTED"],
    ["a group that is linked to a vault", { group: 13 }, "PLAN_DRIFTED"],
    ["a project that is not in the scope", { project: "elsewhere" }, "SCOPE_REFUSED"],
  ])("refuses %s and writes nothing", async (_what, over, code) => {
    const tenant = await open();
    const params = { ...tenant.variable, ...over };
    await expect(tenant.verb(id).do(tenant.context(), params)).rejects.toMatchObject({ code });
    expect(tenant.effects("variableGroup.update")).toBe(0);
  });

  it("takes the sign-in page for what it is", async () => {
    const tenant = await open({ pat: true });
    const organization = tenant.sim.world.tenant.devops[0];
    if (organization !== undefined) organization.grants = [];
    await expect(tenant.verb(id).identify(tenant.context(), tenant.variable)).rejects.toMatchObject({
      code: "OUTSIDE_AUTH",
    });
  });

  it("names a group by what outlives its name: another group under the same project is another one", async () => {
    const tenant = await open();
    const before = await tenant.verb(id).identify(tenant.context(), tenant.variable);
    tenant.group().createdMs += 1_000;
    expect(await tenant.verb(id).identify(tenant.context(), tenant.variable)).not.toEqual(before);
  });

  it.each(["malformed", "wrong-types", "truncated", "hostile"] as const)(
    "survives a %s answer without a guess and without a secret in it",
    async (kind) => {
      const tenant = await open();
      tenant.arm("variableGroup.update", kind, "after-effect", 9);
      const error = await tenant
        .verb(id)
        .do(tenant.context(), tenant.variable)
        .catch((caught: unknown) => caught);
      expect(error).toMatchObject({ code: "OUTSIDE_UNKNOWN" });
      expect(JSON.stringify(error)).not.toContain("odd");
    },
  );
});
