import { CountersignError, type PastAttempt, SecretValue } from "@countersign/core";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { bindingOf } from "../src/entra/binding.ts";
import { signInCodes, verdictOf } from "../src/entra/sign-in-codes.ts";
import { parseChallenge } from "../src/keyvault/challenge.ts";
import { formatMarker, parseMarker } from "../src/kit/markers.ts";
import { isoOf, msOf, secondsOfDuration } from "../src/kit/time.ts";
import { contextOf, lifetimeSeconds, type OpenTenant, openTenant, run, verbOf } from "./support.ts";

let tenant: OpenTenant | null = null;
const open = async (...options: Parameters<typeof openTenant>) => {
  tenant = await openTenant(...options);
  return tenant;
};
afterEach(async () => {
  await tenant?.close();
  tenant = null;
});

describe("a creation whose answer is lost", () => {
  it.each(["reset", "timeout", "504", "malformed", "truncated"] as const)(
    "by %s is found by its marker, taken away, and made anew",
    async (kind) => {
      const { clock, connectors, sim, app, arm, liveKeys, effects } = await open();
      const verb = verbOf(connectors, "entra.add-password@1");
      const before = liveKeys();
      arm("application.addPassword", kind);
      const ctx = contextOf({ clock, tenantId: sim.tenantId });
      await expect(verb.do(ctx, { ...app, lifetimeSeconds })).rejects.toMatchObject({ code: "OUTSIDE_UNKNOWN" });
      expect(effects("application.addPassword")).toBe(1);
      expect(liveKeys()).toHaveLength(before.length + 1);
      const found = await verb.reconcile?.(ctx, { ...app, lifetimeSeconds });
      const [keyId] = liveKeys().filter((id) => !before.includes(id));
      expect(found).toMatchObject({ kind: "not-done", left: [{ attempt: 1, objectIds: { keyId } }] });
      // A look changes nothing: what was found is taken back under an intent of its own.
      expect(effects("application.removePassword")).toBe(0);
      const back = contextOf({ clock, tenantId: sim.tenantId, direction: "discard" });
      await verb.discard?.(back, { ...app, lifetimeSeconds }, { keyId: keyId ?? "" });
      expect(liveKeys()).toEqual(before);
    },
  );

  it("and that is not visible for ten minutes is not called absent; the sweep removes the late twin and nothing else", async () => {
    const { clock, connectors, sim, app, arm, liveKeys, oldKeyId } = await open({
      knobs: { preset: "off", visibilityLagSeconds: [600, 600] },
    });
    const verb = verbOf(connectors, "entra.add-password@1");
    const params = { ...app, lifetimeSeconds };
    const before = liveKeys();
    arm("application.addPassword", "reset");
    const first = contextOf({ clock, tenantId: sim.tenantId });
    await expect(verb.do(first, params)).rejects.toMatchObject({ code: "OUTSIDE_UNKNOWN" });
    expect(await verb.reconcile?.(first, params)).toEqual({
      kind: "not-done",
      facts: { absent: "not-proven", looks: 2 },
      left: [],
    });
    const second = contextOf({ clock, tenantId: sim.tenantId, attempt: 2 });
    const { objectIds } = await verb.do(second, params);
    const keep = [String(objectIds.keyId)];
    const target = app;
    const nonces = [first.nonce, second.nonce];
    expect(await connectors.twins.find(second, target, { keep, nonces })).toEqual({ twins: [], strangers: [] });
    await clock.sleep(601_000);
    const { twins } = await connectors.twins.find(second, target, { keep, nonces });
    expect(twins).toHaveLength(1);
    for (const twin of twins)
      expect(await connectors.twins.remove(second, target, twin)).toMatchObject({ alreadyAbsent: false });
    await clock.sleep(601_000);
    expect(liveKeys()).toEqual([...before, ...keep].sort());
    expect(liveKeys()).toContain(oldKeyId);
  });

  it("leaves a secret alone whose marker has a nonce that no intent holds", async () => {
    const { clock, connectors, sim, app, application, liveKeys } = await open();
    const forged = formatMarker({ run, attempt: 9, nonce: "f".repeat(32) });
    const credential = application().credentials[0];
    if (credential === undefined) throw new Error("expected a credential");
    credential.displayName = forged;
    const before = liveKeys();
    const ctx = contextOf({ clock, tenantId: sim.tenantId });
    expect(await connectors.twins.find(ctx, app, { keep: [], nonces: [ctx.nonce] })).toEqual({
      twins: [],
      strangers: [credential.keyId],
    });
    expect(
      await verbOf(connectors, "entra.add-password@1").reconcile?.(ctx, { ...app, lifetimeSeconds }),
    ).toMatchObject({ kind: "not-done" });
    expect(liveKeys()).toEqual(before);
  });
});

describe("the wrong target", () => {
  it("is refused: another tenant, another client id behind the object id, an object that is gone", async () => {
    const { clock, connectors, sim, app } = await open();
    const verb = verbOf(connectors, "entra.add-password@1");
    const params = { ...app, lifetimeSeconds };
    await expect(
      verb.identify(contextOf({ clock, tenantId: "00000000-0000-4000-8000-000000000000" }), params),
    ).rejects.toMatchObject({ code: "IDENTITY_MISMATCH" });
    const ctx = contextOf({ clock, tenantId: sim.tenantId });
    await expect(
      verb.identify(ctx, { ...params, appId: "00000000-0000-4000-8000-000000000000" }),
    ).rejects.toMatchObject({ code: "IDENTITY_MISMATCH" });
    await expect(
      verb.identify(ctx, { ...params, objectId: "00000000-0000-4000-8000-000000000000" }),
    ).rejects.toMatchObject({ code: "OUTSIDE_NOT_FOUND" });
    await expect(verb.identify(ctx, { ...params, tenant: "fabrikam" })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
    });
    expect(await verb.identify(ctx, params)).toEqual({
      tenantId: sim.tenantId,
      objectId: app.objectId,
      appId: app.appId,
    });
  });

  it("names in a vault outside the connection's scope are never written", async () => {
    const { clock, connectors, sim, effects } = await open();
    const outcomes = new Map([["create", { objectIds: { keyId: "k" }, facts: {}, requestIds: [] }]]);
    const ctx = contextOf({ clock, tenantId: sim.tenantId, outcomes, value: () => SecretValue.of("value") });
    const params = { connection: "main-vault", name: "other-secret", previous: null, created: "create" };
    await expect(verbOf(connectors, "keyvault.write@1").do(ctx, params)).rejects.toMatchObject({
      code: "SCOPE_REFUSED",
    });
    expect(effects("secret.set")).toBe(0);
  });

  it("another writer's version is not taken for ours because the journal says so", async () => {
    const stage = await open();
    const { clock, connectors, sim, effects } = stage;
    const previous = stage.latestVersion("main", "billing-secret")?.version ?? "";
    await stage.putSecret("main", "billing-secret", "theirs");
    const before = effects("secret.set");
    const keyId = "11111111-2222-4333-8444-555555555555";
    const outcomes = new Map([["create", { objectIds: { keyId }, facts: {}, requestIds: [] }]]);
    const ctx = contextOf({ clock, tenantId: sim.tenantId, direction: "undo", outcomes });
    const theirs = {
      objectIds: { version: stage.latestVersion("main", "billing-secret")?.version ?? "" },
      facts: {},
      requestIds: [],
    };
    const params = { connection: "main-vault", name: "billing-secret", previous, created: "create" };
    const undo = verbOf(connectors, "keyvault.write@1").undo?.(ctx, params, theirs);
    await expect(undo).rejects.toMatchObject({ code: "UNDO_IMPOSSIBLE" });
    expect(effects("secret.set")).toBe(before);
  });

  it("the old secret is kept when the new one is not there, or is the same", async () => {
    const { clock, connectors, sim, app, oldKeyId, otherKeyId, liveKeys } = await open();
    const verb = verbOf(connectors, "entra.remove-password@1");
    const params = {
      ...app,
      keyId: oldKeyId,
      created: "create",
      store: "store",
      record: { connection: "main-vault", name: "billing-secret" },
      quietSeconds: 0,
      consumers: [],
    };
    const before = liveKeys();
    // A journal that was written by a stranger may call any live secret the new one: this run did not make it.
    for (const keyId of [oldKeyId, otherKeyId, "00000000-0000-4000-8000-000000000000"]) {
      const outcomes = new Map([["create", { objectIds: { keyId }, facts: {}, requestIds: [] }]]);
      await expect(verb.do(contextOf({ clock, tenantId: sim.tenantId, outcomes }), params)).rejects.toMatchObject({
        code: "PLAN_DRIFTED",
      });
    }
    expect(liveKeys()).toEqual(before);
  });
});

describe("a proof", () => {
  it("starts again when a late replica refuses, and ends at its deadline for a wrong value", async () => {
    const { clock, connectors, sim, app } = await open({ knobs: { preset: "off", replicationSeconds: [5, 40] } });
    const add = await verbOf(connectors, "entra.add-password@1").do(contextOf({ clock, tenantId: sim.tenantId }), {
      ...app,
      lifetimeSeconds,
    });
    const prove = verbOf(connectors, "entra.prove@1");
    const params = { ...app, times: 5, spacingSeconds: 4, deadlineSeconds: 300 };
    const done = await prove.do(contextOf({ clock, value: () => add.value ?? null }), params);
    expect(done.facts).toMatchObject({ inRow: 5 });
    expect(Number(done.facts.tries)).toBeGreaterThan(5);
    const wrong = contextOf({ clock, value: () => SecretValue.of("not-the-secret-at-all") });
    await expect(prove.do(wrong, params)).rejects.toMatchObject({
      code: "CREDENTIAL_REFUSED",
      facts: { code: "AADSTS7000215", verdict: "retry" },
    });
    await expect(prove.do(contextOf({ clock }), params)).rejects.toMatchObject({ code: "VALUE_NOT_HELD" });
  });

  it("takes no code that it does not know for a success or a failure", () => {
    expect(verdictOf("AADSTS1")).toBe("inconclusive");
    expect(verdictOf(null)).toBe("inconclusive");
    expect(new Set(Object.values(signInCodes))).toEqual(new Set(["retry", "fail", "inconclusive"]));
  });
});

describe("a proof that a removed secret is dead", () => {
  const params = { times: 3, spacingSeconds: 5, deadlineSeconds: 120 };
  const record = { connection: "main-vault", name: "billing-secret" };

  async function removed(knobs: Parameters<typeof openTenant>[0] = {}) {
    const opened = await open(knobs);
    const { connectors, clock, sim, app, latestVersion, oldKeyId, application } = opened;
    const fresh = application().credentials.find((one) => one.keyId === opened.otherKeyId);
    if (fresh !== undefined) fresh.displayName = formatMarker({ run, attempt: 1, nonce: "b".repeat(32) });
    const outcomes = new Map([["create", { objectIds: { keyId: opened.otherKeyId }, facts: {}, requestIds: [] }]]);
    const ctx = contextOf({ clock, tenantId: sim.tenantId, outcomes });
    const refused = verbOf(connectors, "entra.prove-refused@1");
    const asked = { ...app, ...params, record, version: latestVersion("main", "billing-secret")?.version ?? "" };
    const remove = () =>
      verbOf(connectors, "entra.remove-password@1").do(ctx, {
        ...app,
        keyId: oldKeyId,
        created: "create",
        store: "store",
        record,
        quietSeconds: 0,
        consumers: [],
      });
    return { ...opened, ctx, refused, asked, remove };
  }

  it("counts refusals in a row, and a late replica that still lets it in sets the count back", async () => {
    const { ctx, refused, asked, remove, effects } = await removed({
      knobs: { preset: "off", replicationSeconds: [5, 40] },
    });
    await remove();
    const before = effects("application.removePassword") + effects("secret.set");
    const done = await refused.do(ctx, asked);
    expect(done.facts).toMatchObject({ inRow: 3 });
    expect(done.requestIds).toHaveLength(3);
    expect(effects("application.removePassword") + effects("secret.set")).toBe(before);
  });

  it("is not given for a secret that signs in, nor for a refusal that is not about the secret", async () => {
    const { ctx, refused, asked, arm } = await removed();
    await expect(refused.do(ctx, asked)).rejects.toMatchObject({ code: "DEADLINE_PASSED", facts: { accepted: 13 } });
    arm("token", "429", "before-effect", 1_000);
    await expect(refused.do(ctx, asked)).rejects.toMatchObject({ code: "DEADLINE_PASSED" });
  });

  it("needs the value: a version that the record does not give back shows nothing", async () => {
    const { ctx, refused, asked } = await removed();
    await expect(refused.do(ctx, { ...asked, version: "0".repeat(32) })).rejects.toMatchObject({
      code: "OUTSIDE_NOT_FOUND",
    });
  });
});

it("a scan lists every credential page by page, with whose marker it carries", async () => {
  const { clock, connectors, application } = await open({ knobs: { preset: "off", pageSize: 2 } });
  const credential = application().credentials[1];
  if (credential === undefined) throw new Error("expected a credential");
  credential.displayName = formatMarker({ run, attempt: 3, nonce: "0".repeat(32) });
  const [scanner] = connectors.scanners;
  if (scanner === undefined) throw new Error("expected a scanner");
  const ctx = { clock, signal: new AbortController().signal };
  const found = [];
  let pages = 0;
  for (let link: string | null = null; pages === 0 || link !== null; pages += 1) {
    const page = await scanner.page(ctx, "applications", link);
    found.push(...page.objects);
    link = page.next;
  }
  expect(pages).toBeGreaterThan(1);
  const billing = found.filter((one) => one.name === "billing");
  expect(billing).toHaveLength(1);
  expect(billing[0]?.credentials).toHaveLength(2);
  expect(billing[0]?.credentials.find((one) => one.id === credential.keyId)?.marker).toEqual({
    run,
    attempt: 3,
    nonce: "0".repeat(32),
  });
});

it("a token that was refused is replaced once, and the call goes on", async () => {
  const { clock, connectors, sim, app, arm } = await open();
  const verb = verbOf(connectors, "entra.add-password@1");
  arm("application.get", "401", "before-effect");
  expect(await verb.identify(contextOf({ clock, tenantId: sim.tenantId }), { ...app, lifetimeSeconds })).toMatchObject({
    appId: app.appId,
  });
  arm("application.get", "401", "before-effect", 2);
  await expect(
    verb.identify(contextOf({ clock, tenantId: sim.tenantId }), { ...app, lifetimeSeconds }),
  ).rejects.toMatchObject({ code: "OUTSIDE_AUTH" });
});

describe("which key the vault holds", () => {
  const key = (keyId: string, hint: string | null) => ({ keyId, hint });
  const held = (value: string, tags: Record<string, string> = {}) => ({
    version: "v",
    value: SecretValue.of(value),
    tags,
    contentType: null,
    expiresAt: null,
  });
  it.each([
    [
      "by our tag and ledger",
      [key("a", "abc"), key("b", "xyz")],
      held("abcdef", { "cs-keyid": "a" }),
      true,
      { id: "a", by: "ours" },
    ],
    [
      "by a tag that the ledger does not know: by its hint",
      [key("a", "abc"), key("b", "xyz")],
      held("abcdef", { "cs-keyid": "a" }),
      false,
      { id: "a", by: "hint" },
    ],
    [
      "not by a tag that the value contradicts",
      [key("a", "abc"), key("b", "xyz")],
      held("xyzdef", { "cs-keyid": "a" }),
      true,
      { id: "b", by: "hint" },
    ],
    [
      "by its first characters when only one fits",
      [key("a", "abc"), key("b", "xyz")],
      held("xyzdef"),
      false,
      { id: "b", by: "hint" },
    ],
    ["not when two fit", [key("a", "abc"), key("b", "abc")], held("abcdef"), false, { id: null, by: "unproven" }],
    [
      "not when another key shows no hint",
      [key("a", "abc"), key("b", null)],
      held("abcdef"),
      false,
      { id: null, by: "unproven" },
    ],
    ["not when nothing is stored", [key("a", "abc")], null, true, { id: null, by: "unproven" }],
  ] as const)("is shown %s", (_name, live, stored, ledger, expected) => {
    expect(bindingOf(live, stored, () => ledger)).toEqual(expected);
  });
});

describe("forms", () => {
  it("every marker reads back, and nothing else is one", () => {
    const nonce = fc.stringMatching(/^[0-9a-f]{32}$/);
    fc.assert(
      fc.property(fc.nat(999_999), nonce, (attempt, hex) => {
        expect(parseMarker(formatMarker({ run, attempt, nonce: hex }))).toEqual({ run, attempt, nonce: hex });
      }),
    );
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(parseMarker(text)).toBeNull();
      }),
    );
    for (const text of [
      null,
      undefined,
      "",
      `cs:${run}:1:short`,
      ` ${formatMarker({ run, attempt: 1, nonce: "0".repeat(32) })}`,
    ])
      expect(parseMarker(text)).toBeNull();
  });
  it("times with seven digits are read, and durations", () => {
    expect(isoOf(msOf("2027-09-09T19:50:29.3086381Z"))).toBe("2027-09-09T19:50:29.308Z");
    expect(secondsOfDuration("P90D")).toBe(7_776_000);
    expect(secondsOfDuration("PT12H30M")).toBe(45_000);
    expect(secondsOfDuration("P1M")).toBeNull();
  });
  it("a challenge names tenant and resource, or is none", () => {
    expect(
      parseChallenge('Bearer authorization="https://login.microsoftonline.com/T1", resource="https://vault.azure.net"'),
    ).toEqual({ tenantId: "T1", resource: "vault.azure.net" });
    for (const header of [undefined, "Basic realm=x", "Bearer", 'Bearer authorization="x", resource="y"'])
      expect(parseChallenge(header)).toBeNull();
  });
});

it("what an attempt made is discarded by its exact id, twice is once, and never another's", async () => {
  const { clock, connectors, sim, app, liveKeys } = await open({ knobs: "default" });
  const verb = verbOf(connectors, "entra.add-password@1");
  const before = liveKeys();
  let done = null;
  let attempt = 0;
  while (done === null) {
    attempt += 1;
    const ctx = contextOf({ clock, tenantId: sim.tenantId, attempt });
    try {
      done = await verb.do(ctx, { ...app, lifetimeSeconds });
    } catch (error) {
      if (!(error instanceof CountersignError)) throw error;
      const found = error.code === "OUTSIDE_UNKNOWN" ? await verb.reconcile?.(ctx, { ...app, lifetimeSeconds }) : null;
      for (const left of found?.kind === "not-done" ? (found.left ?? []) : []) {
        const back = contextOf({ clock, tenantId: sim.tenantId, attempt: left.attempt, direction: "discard" });
        await verb.discard?.(back, { ...app, lifetimeSeconds }, left.objectIds);
      }
    }
  }
  const past: PastAttempt[] = [];
  const ctx = contextOf({ clock, tenantId: sim.tenantId, attempt, direction: "discard", past });
  const discard = () => verb.discard?.(ctx, { ...app, lifetimeSeconds }, done.objectIds);
  for (let times = 0; times < 2; times += 1) {
    await discard()?.catch((error: unknown) => {
      if (!(error instanceof CountersignError) || error.code !== "OUTSIDE_UNKNOWN") throw error;
    });
  }
  await discard();
  expect(liveKeys()).toEqual(before);

  // A journal that was written by a stranger names a secret that this run never made.
  const forged = verb.discard?.(ctx, { ...app, lifetimeSeconds }, { keyId: before[0] ?? "" });
  await expect(forged).rejects.toMatchObject({ code: "IDENTITY_MISMATCH" });
  expect(liveKeys()).toEqual(before);
});

it("a discard of one attempt does not reach the secret of another, which may be in use", async () => {
  const { clock, connectors, sim, app, liveKeys } = await open();
  const verb = verbOf(connectors, "entra.add-password@1");
  const params = { ...app, lifetimeSeconds };
  const { objectIds } = await verb.do(contextOf({ clock, tenantId: sim.tenantId, attempt: 2 }), params);
  const before = liveKeys();
  const ctx = contextOf({ clock, tenantId: sim.tenantId, attempt: 1, direction: "discard" });
  await expect(verb.discard?.(ctx, params, objectIds)).rejects.toMatchObject({ code: "IDENTITY_MISMATCH" });
  expect(liveKeys()).toEqual(before);
});
