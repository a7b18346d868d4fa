import { afterEach, describe, expect, it } from "vitest";
import { conformance, type Stage } from "../src/kit/conformance.ts";
import { type Consumers, openConsumers } from "./consumers.ts";

const setting = "app-service.set-setting@1";
const reference = "app-service.refresh-reference@1";
let opened: Consumers | null = null;
afterEach(async () => {
  await opened?.close();
  opened = null;
});
async function open(...options: Parameters<typeof openConsumers>) {
  opened = await openConsumers(...options);
  return opened;
}

async function settingStage(): Promise<Stage<Record<string, unknown>>> {
  const tenant = await openConsumers();
  const seen = () => tenant.site().settings.CLIENT_SECRET ?? "";
  return {
    verb: tenant.verb(setting),
    params: tenant.setting,
    context: (attempt, direction = "do", past = []) => tenant.context({ attempt, direction, past }),
    seen: () => Promise.resolve(seen()),
    neighbours() {
      const { CLIENT_SECRET: _, ...others } = tenant.site().settings;
      return Promise.resolve(JSON.stringify([others, tenant.site("staging").settings]));
    },
    effects: () => Promise.resolve(tenant.effects("appSettings.update")),
    loseNextAnswer: () => void tenant.arm("appSettings.update", "reset"),
    otherWriter: () =>
      tenant.changeSettings((settings) => {
        settings.CLIENT_SECRET = "theirs";
      }),
    secrets: () => [...tenant.secrets(), tenant.value.reveal(), seen()].filter((text) => text !== "theirs"),
    close: () => tenant.close(),
  };
}

async function referenceStage(): Promise<Stage<Record<string, unknown>>> {
  const tenant = await openConsumers();
  const params = { ...tenant.setting, setting: "REFERENCE" };
  const old = tenant.application().credentials[0]?.secretText ?? "";
  const verb = tenant.verb(reference);
  // The app was started while the record held the old value.
  tenant.site().references.REFERENCE = {
    reference: tenant.site().settings.REFERENCE ?? "",
    version: tenant.previous,
    value: old,
    readMs: tenant.clock.now(),
  };
  let back = false;
  return {
    verb: {
      ...verb,
      async undo(ctx, parameters, done) {
        // The executor undoes the record first; what follows it comes after.
        if (!back) await tenant.store(old);
        back = true;
        const undone = await verb.undo?.(ctx, parameters, done);
        if (undone === undefined) throw new Error("expected an undo");
        return undone;
      },
    },
    params,
    context: (attempt, direction = "do", past = []) => tenant.context({ attempt, direction, past }),
    seen: () =>
      Promise.resolve(`${tenant.site().settings.REFERENCE} ${tenant.site().references.REFERENCE?.value ?? ""}`),
    neighbours: () => Promise.resolve(JSON.stringify(tenant.site().settings)),
    effects: () => Promise.resolve(tenant.effects("references.refresh")),
    loseNextAnswer: () => void tenant.arm("references.refresh", "reset"),
    otherWriter: () =>
      tenant.changeSettings((settings) => {
        settings.REFERENCE = settings.ELSEWHERE ?? "";
      }),
    secrets: () => [...tenant.secrets(), tenant.value.reveal(), old],
    close: () => tenant.close(),
  };
}

describe("app-service.set-setting@1", () => {
  it.each(conformance(settingStage))("$name", (check) => check.run());

  it("keeps what others changed since the plan", async () => {
    const tenant = await open();
    await tenant.changeSettings((settings) => {
      settings.REGION = "theirs";
      settings.NEW = "also theirs";
    });
    await tenant.verb(setting).do(tenant.context(), tenant.setting);
    expect(tenant.site().settings).toMatchObject({
      CLIENT_SECRET: tenant.value.reveal(),
      REGION: "theirs",
      NEW: "also theirs",
    });
  });

  it("writes again, into theirs, when its own write is lost to somebody who read before it", async () => {
    const tenant = await open();
    let before: Record<string, string> = {};
    await tenant.changeSettings((settings) => {
      before = { ...settings };
    });
    const own = tenant.sim.world.tenant.callers.find((caller) => caller.name === "writer")?.appId ?? "";
    let lists = 0;
    const stop = tenant.sim.world.events.subscribe(({ type, data }) => {
      if (type !== "hold") return;
      lists += 1;
      if (lists < 2) return void tenant.sim.world.holds.decide(String(data.id), "release");
      stop();
      void tenant
        .changeSettings((settings) => {
          for (const name of Object.keys(settings)) delete settings[name];
          Object.assign(settings, before, { REGION: "theirs" });
        })
        .then(() => tenant.sim.world.holds.decide(String(data.id), "release"));
    });
    tenant.sim.world.rules.arm({
      op: "appSettings.list",
      nth: 1,
      times: 2,
      match: { caller: own },
      action: { type: "hold", position: "after-send" },
    });
    const done = await tenant.verb(setting).do(tenant.context(), tenant.setting);
    expect(done.facts).toMatchObject({ rounds: 2 });
    expect(tenant.site().settings).toMatchObject({ CLIENT_SECRET: tenant.value.reveal(), REGION: "theirs" });
  });

  it.each([
    ["its answer came", false],
    ["its answer was lost", true],
  ])(
    "with the activity log, says that a change between its read and its write was overwritten; %s",
    async (_how, lost) => {
      const tenant = await open({ watch: true });
      const verb = tenant.verb(setting);
      if (lost) tenant.arm("appSettings.update", "reset");
      tenant.meanwhile("appSettings.update", async () => {
        await tenant.clock.sleep(1_000);
        await tenant.changeSettings((settings) => {
          settings.REGION = "theirs";
        });
      });
      const done = await verb.do(tenant.context(), tenant.setting);
      expect(tenant.site().settings.REGION).toBe("westeurope");
      expect(await verb.verify?.(tenant.context(), tenant.setting, done)).toMatchObject({
        kind: "refuted",
        code: "foreign-change-overwritten",
      });
    },
  );

  it("with the activity log, waits until its own write stands there", async () => {
    const tenant = await open({ watch: true });
    tenant.sim.world.knobs = { ...tenant.sim.world.knobs, auditLagSeconds: [120, 120] };
    const verb = tenant.verb(setting);
    const done = await verb.do(tenant.context(), tenant.setting);
    expect(await verb.verify?.(tenant.context(), tenant.setting, done)).toMatchObject({ kind: "not-yet" });
    await tenant.clock.sleep(130_000);
    expect(await verb.verify?.(tenant.context(), tenant.setting, done)).toMatchObject({ facts: { foreign: "none" } });
  });

  it("names an app by its own identity where it has one, and says which settings stay with their slot", async () => {
    const tenant = await open();
    expect(await tenant.verb(setting).identify(tenant.context(), tenant.setting)).toMatchObject({
      principalId: tenant.site().principalId,
      staysWithSlot: "yes",
    });
    const other = { ...tenant.setting, slot: "staging" };
    expect(await tenant.verb(setting).identify(tenant.context(), other)).toMatchObject({
      resourceId: expect.stringContaining("/slots/staging") as string,
    });
  });

  it("refuses a setting outside the scope", async () => {
    const tenant = await open();
    const params = { ...tenant.setting, resourceGroup: "other" };
    await expect(tenant.verb(setting).do(tenant.context(), params)).rejects.toMatchObject({ code: "SCOPE_REFUSED" });
  });
});

describe("app-service.refresh-reference@1", () => {
  it.each(conformance(referenceStage))("$name", (check) => check.run());

  it.each([
    ["another vault", "ELSEWHERE"],
    ["a plain value", "REGION"],
    ["nothing", "NONE"],
  ])("refuses a setting that refers to %s", async (_what, name) => {
    const tenant = await open();
    const params = { ...tenant.setting, setting: name };
    await expect(tenant.verb(reference).do(tenant.context(), params)).rejects.toMatchObject({ code: "PLAN_DRIFTED" });
    expect(tenant.effects("references.refresh")).toBe(0);
  });

  it("refuses a reference that names a version: it would never follow", async () => {
    const tenant = await open();
    const { settings } = tenant.site();
    settings.REFERENCE = (settings.REFERENCE ?? "").replace("/)", `/${tenant.previous})`);
    const params = { ...tenant.setting, setting: "REFERENCE" };
    await expect(tenant.verb(reference).do(tenant.context(), params)).rejects.toMatchObject({ code: "PLAN_DRIFTED" });
  });
});
