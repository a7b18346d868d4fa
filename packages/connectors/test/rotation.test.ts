import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Done, EntraRow, SecretValue, Verb } from "@countersign/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { contextOf, lifetimeSeconds, type OpenTenant, openTenant, run, verbOf } from "./support.ts";

let tenant: OpenTenant;
afterEach(() => tenant.close());

function rowOf(): EntraRow {
  const base = { environment: "dev", pickupSeconds: 0, cadenceSeconds: 600, callers: ["203.0.113.7"] };
  return {
    procedure: "entra-client-secret",
    name: "billing",
    environment: "dev",
    owners: [],
    rowDigest: "",
    record: { connection: "main-vault", name: "billing-secret" },
    tenant: "contoso",
    objectId: tenant.app.objectId,
    appId: tenant.app.appId,
    consumers: [
      { ...base, name: "api", kind: "latest" },
      { ...base, name: "batch", kind: "pinned", connection: "app-files", path: "billing.ref" },
      { ...base, name: "mirror", kind: "copied", connection: "copy-vault", entry: "billing-copy" },
    ],
  };
}

/** Runs every step of a rotation as an executor would, and returns what each left. */
async function rotate(previous: string | null, previousCopy: string | null, reference: string) {
  const outcomes = new Map<string, Done>();
  let value: SecretValue | null = null;
  const context = (step: string, attempt: number) =>
    contextOf({ clock: tenant.clock, tenantId: tenant.sim.tenantId, step, attempt, outcomes, value: () => value });
  let attempts = 0;
  async function step(id: string, verbId: string, params: Record<string, unknown>): Promise<void> {
    const verb: Verb<Record<string, unknown>> = verbOf(tenant.connectors, verbId);
    const parsed = verb.params.parse(params);
    // An executor makes a new attempt after a refusal that proves that nothing happened, and looks after an unknown one.
    for (;;) {
      attempts += 1;
      const ctx = context(id, attempts);
      try {
        await verb.identify(ctx, parsed);
        const done = await verb.do(ctx, parsed);
        if (done.value !== undefined) value = done.value;
        outcomes.set(id, done);
        for (;;) {
          const verdict = await verb.verify?.(ctx, parsed, done);
          if (verdict === undefined || verdict.kind === "verified") return;
          if (verdict.kind === "refuted") throw new Error(`${id}: ${verdict.code}`);
          await tenant.clock.sleep(verdict.lookAgainMs);
        }
      } catch (error) {
        const { code, facts } = error as { code?: string; facts?: Record<string, unknown> };
        if (code === "OUTSIDE_UNKNOWN") {
          const found = await verb.reconcile?.(ctx, parsed);
          if (found?.kind === "done") {
            outcomes.set(id, found.done);
            return;
          }
        } else if (facts?.refused !== true || facts.retryAfterMs === undefined) throw error;
        if (attempts > 60) throw error;
        await tenant.clock.sleep(2_000);
      }
    }
  }
  const record = { connection: "main-vault", name: "billing-secret" };
  const common = { record, store: "store", created: "create" };
  const confirm = {
    ...common,
    callers: ["203.0.113.7"],
    level: "used",
    pickupSeconds: 60,
    tenant: "contoso",
    appId: tenant.app.appId,
    old: tenant.oldKeyId,
  };
  await step("create", "entra.add-password@1", { ...tenant.app, lifetimeSeconds });
  await step("prove", "entra.prove@1", { ...tenant.app, times: 3, spacingSeconds: 5, deadlineSeconds: 300 });
  await step("store", "keyvault.write@1", { ...record, previous, created: "create", lifetimeSeconds });
  await step("update:batch", "reference-file.point@1", {
    connection: "app-files",
    path: "billing.ref",
    ...common,
    previous: reference,
  });
  await step("update:mirror", "keyvault.copy@1", {
    connection: "copy-vault",
    name: "billing-copy",
    ...common,
    previous: previousCopy,
  });
  await step("confirm:api", "consumer.confirm@1", {
    ...confirm,
    consumer: "api",
    kind: "latest",
    target: record,
    update: "store",
  });
  await step("confirm:batch", "consumer.confirm@1", {
    ...confirm,
    consumer: "batch",
    kind: "pinned",
    target: { connection: "app-files", path: "billing.ref" },
    update: "update:batch",
  });
  await step("confirm:mirror", "consumer.confirm@1", {
    ...confirm,
    consumer: "mirror",
    kind: "copied",
    target: { connection: "copy-vault", name: "billing-copy" },
    update: "update:mirror",
  });
  const retire = {
    ...tenant.app,
    keyId: tenant.oldKeyId,
    ...common,
    quietSeconds: 3_600,
    consumers: [{ name: "api", callers: ["203.0.113.7"] }],
  };
  return { outcomes, retire, step, context };
}

async function seenByPlanner() {
  const ctx = { clock: tenant.clock, signal: new AbortController().signal };
  const world = await tenant.connectors.worlds.get("entra-client-secret")?.read(ctx, rowOf(), () => false);
  if (world === undefined) throw new Error("expected a world reader");
  return world;
}

describe.each([
  ["a tenant that behaves, over plain loopback", {}],
  [
    "a tenant that behaves, over https with a private CA and small pages",
    { tls: true, knobs: { preset: "off", pageSize: 20, vaultPageSize: 1 } },
  ],
  ["a tenant that misbehaves as it comes", { knobs: "default" }],
  ["a tenant that misbehaves in another way", { knobs: "default", seed: 123 }],
] as const)("a rotation on %s", (_name, options) => {
  beforeEach(async () => {
    tenant = await openTenant(options);
  });

  it("ends with the old secret gone, the new one in every place, and everybody else's things untouched", async () => {
    const first = await seenByPlanner();
    expect(first.binding).toEqual({ id: tenant.oldKeyId, by: "hint" });
    expect(first.recordSignsIn).toBe(true);
    expect(first.record.readable).toBe(true);
    const pinnedFile = join(tenant.folder, "billing.ref");
    const reference = `${tenant.sim.urls.vaults.main}/secrets/billing-secret/${first.record.version}`;
    await writeFile(pinnedFile, `${reference}\n`);
    const world = await seenByPlanner();
    expect(world.consumers.map((one) => [one.name, one.matchesRecord])).toEqual([
      ["api", true],
      ["batch", true],
      ["mirror", true],
    ]);
    const holds = (name: string) => world.consumers.find((one) => one.name === name)?.holds ?? null;
    await tenant.clock.sleep(3_600_000);

    const { outcomes, retire, step, context } = await rotate(world.record.version, holds("mirror"), reference);
    const keyId = String(outcomes.get("create")?.objectIds.keyId);
    expect(tenant.liveKeys()).toEqual([keyId, tenant.oldKeyId, tenant.otherKeyId].sort());
    expect(tenant.latestVersion("main", "billing-secret")?.tags).toMatchObject({
      team: "billing",
      "cs-run": run,
      "cs-keyid": keyId,
    });
    expect(await readFile(pinnedFile, "utf8")).toContain(String(outcomes.get("store")?.objectIds.version));

    const verb = verbOf(tenant.connectors, "entra.remove-password@1");
    const params = verb.params.parse(retire);
    const early = await verb.gate?.(context("retire", 90), params);
    expect(early).toMatchObject({ open: false, grade: "none" });
    await tenant.clock.sleep(4 * 3_600_000);
    expect(await verb.gate?.(context("retire", 91), params)).toMatchObject({
      open: true,
      grade: "weak",
      reasons: ["quiet-shorter-than-gap-and-lag"],
    });
    await tenant.clock.sleep(24 * 3_600_000);
    expect(await verb.gate?.(context("retire", 92), params)).toMatchObject({
      open: true,
      grade: "strong",
      reasons: [],
    });
    await step("retire", "entra.remove-password@1", retire);
    expect(tenant.liveKeys()).toEqual([keyId, tenant.otherKeyId].sort());
    expect(tenant.latestVersion("main", "other-secret")?.value).toBe("untouched");
    const failed = tenant.sim.world.tenant.signIns.filter((one) => one.workload === "api" && one.errorCode !== 0);
    expect(failed).toEqual([]);
  });
});
