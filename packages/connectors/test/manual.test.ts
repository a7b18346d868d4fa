import type { Done } from "@countersign/core";
import { SecretValue } from "@countersign/core";
import { describe, expect, it } from "vitest";
import { consumerConfirm } from "../src/consumer/confirm.ts";
import type { Records, StoredVersion } from "../src/kit/seams.ts";
import { isoOf } from "../src/kit/time.ts";
import { manualAsk } from "../src/manual/ask.ts";
import { manualTargets } from "../src/manual/target.ts";
import { createTargets } from "../src/targets.ts";
import { contextOf, jumpingClock } from "./support.ts";

const ada = "p_00000000000000aa";
const by = { id: "manual", version: "0" };
const record = { connection: "main-vault", name: "billing" };
const params = {
  checklist: ["Open the page of the gateway", "Paste the newest value of the record"],
  record,
  store: "store",
  created: "create",
  previous: "v1",
};
const step = "update:desk";

describe("manual.ask@1", () => {
  const verb = manualAsk(by);

  it("asks and changes nothing by itself: an outcome, no value, no id", async () => {
    const clock = jumpingClock();
    const done = await verb.do(contextOf({ clock, step }), params);
    expect(done).toEqual({ objectIds: {}, facts: { at: isoOf(clock.now()), lines: 2 }, requestIds: [] });
    expect([verb.asks, verb.value]).toEqual([true, "none"]);
  });

  it("knows nothing of the consumer that outlives its name, and says so", async () => {
    const reading = await createTargets(manualTargets)(
      { clock: jumpingClock(), signal: new AbortController().signal },
      { kind: "manual", target: { checklist: params.checklist }, record },
      null,
    );
    expect(reading).toMatchObject({ exists: true, identityKind: "name-only", matchesRecord: null });
    expect(await verb.identify(contextOf({ clock: jumpingClock() }), params)).toEqual(reading.identity);
  });

  it("is undone by an owner's word that it was put back, and by nothing else", async () => {
    const clock = jumpingClock();
    const done: Done = { objectIds: {}, facts: {}, requestIds: [] };
    const onlyDone = contextOf({
      clock,
      step,
      direction: "undo",
      confirmed: (_step, direction) => (direction === "do" ? { person: ada, at: 1 } : null),
    });
    await expect(verb.undo?.(onlyDone, params, done)).rejects.toMatchObject({ code: "UNDO_IMPOSSIBLE" });
    const back = contextOf({
      clock,
      step,
      direction: "undo",
      confirmed: (id, direction) => (id === step && direction === "undo" ? { person: ada, at: 5_000 } : null),
    });
    for (const _ of ["once", "twice"])
      expect(await verb.undo?.(back, params, done)).toMatchObject({ facts: { person: ada, at: isoOf(5_000) } });
  });

  it.each([
    ["no line", { checklist: [] }],
    ["too many lines", { checklist: Array.from({ length: 21 }, () => "line") }],
    ["a member that it does not know", { value: "s3cret" }],
  ])("refuses parameters with %s", (_what, over) => {
    expect(verb.params.safeParse({ ...params, ...over }).success).toBe(false);
  });
});

describe("consumer.confirm@1 of a consumer that is updated by hand", () => {
  const latest: StoredVersion = {
    version: "v2",
    value: SecretValue.of("new"),
    tags: { "cs-keyid": "key-2" },
    contentType: null,
    expiresAt: null,
  };
  const records = (() => ({ latest: () => Promise.resolve(latest) })) as unknown as Records;
  const seen: string[] = [];
  const confirm = consumerConfirm(
    {
      records,
      targets: createTargets(manualTargets),
      signIns: () =>
        Promise.resolve({
          lines: seen.map((address) => ({ id: address, at: 0, keyId: "key-2", address })),
          cut: false,
        }),
      sessions: () => Promise.resolve([]),
    },
    by,
  );
  const asked = (callers: string[], level: "accepted" | "used") => ({
    consumer: "desk",
    kind: "manual" as const,
    target: { checklist: params.checklist },
    record,
    store: "store",
    created: "create",
    update: step,
    pickupSeconds: 600,
    callers,
    level,
    old: "key-1",
    tenant: "contoso",
    appId: "app",
  });
  const look = async (clock: ReturnType<typeof jumpingClock>, at: number | null, callers: string[] = []) =>
    confirm.verify?.(
      contextOf({
        clock,
        outcomes: new Map([
          ["store", { objectIds: { version: "v2" }, facts: {}, requestIds: [] }],
          [step, { objectIds: {}, facts: { at: isoOf(0) }, requestIds: [] }],
        ]),
        confirmed: () => (at === null ? null : { person: ada, at }),
      }),
      asked(callers, callers.length === 0 ? "accepted" : "used"),
      { objectIds: {}, facts: {}, requestIds: [] },
    );

  it("waits for a word however long it takes, and never takes time for one", async () => {
    const clock = jumpingClock();
    for (const days of [0, 1, 30]) {
      await clock.sleep(days * 86_400_000);
      expect(await look(clock, null)).toMatchObject({ kind: "not-yet", facts: { waitsFor: "owner" } });
    }
  });

  it("counts the pick-up delay from the word on, and is then worth what a word is worth", async () => {
    const clock = jumpingClock();
    const at = clock.now();
    expect(await look(clock, at)).toMatchObject({ kind: "not-yet", lookAgainMs: 600_000 });
    await clock.sleep(600_000);
    expect(await look(clock, at)).toMatchObject({ kind: "verified", level: "accepted" });
  });

  it("with declared callers, is proven by the last of them signing in with the new credential", async () => {
    const clock = jumpingClock();
    const at = clock.now();
    await clock.sleep(700_000);
    const callers = ["203.0.113.7", "203.0.113.8"];
    seen.push("203.0.113.7");
    expect(await look(clock, at, callers)).toMatchObject({ kind: "not-yet", facts: { missing: ["203.0.113.8"] } });
    seen.push("203.0.113.8");
    expect(await look(clock, at, callers)).toMatchObject({ kind: "verified", level: "used" });
  });
});
