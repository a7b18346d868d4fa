import { type Done, SecretValue } from "@countersign/core";
import { describe, expect, it } from "vitest";
import { consumerConfirm } from "../src/consumer/confirm.ts";
import type { Records, SignIn, SignIns, StoredVersion, TargetReading } from "../src/kit/seams.ts";
import { contextOf, jumpingClock } from "./support.ts";

const start = Date.UTC(2026, 10, 22);
const version = (name: string): StoredVersion => ({
  version: name,
  value: SecretValue.of("value"),
  tags: { "cs-keyid": "new-key" },
  contentType: null,
  expiresAt: null,
});

interface Situation {
  latest?: string;
  reading?: Partial<TargetReading>;
  log?: SignIns | null;
  sessions?: (string | null)[];
  params?: Record<string, unknown>;
  passedMs?: number;
}

/** What `verify` says of one consumer in that situation, 10 minutes after the store unless told otherwise. */
async function ask(situation: Situation) {
  const records: Records = () => ({
    prod: false,
    identity: () => Promise.resolve({}),
    latest: () => Promise.resolve(version(situation.latest ?? "v2")),
    version: () => Promise.resolve(version("v2")),
    reference: () => "",
  });
  const verb = consumerConfirm(
    {
      records,
      targets: () =>
        Promise.resolve({
          exists: true,
          identity: {},
          identityKind: "immutable",
          holds: "v2",
          matchesRecord: true,
          ...situation.reading,
        }),
      signIns: () => Promise.resolve(situation.log === undefined ? { lines: [], cut: false } : situation.log),
      sessions: () => Promise.resolve(situation.sessions ?? []),
    },
    { id: "consumer", version: "0" },
  );
  const at = (facts: Record<string, string>, objectIds: Record<string, string> = {}): Done => ({
    objectIds,
    facts,
    requestIds: [],
  });
  const outcomes = new Map<string, Done>([
    ["create", at({}, { keyId: "new-key" })],
    ["prove", { objectIds: {}, facts: {}, requestIds: ["own"] }],
    ["store", at({ at: new Date(start).toISOString() }, { version: "v2" })],
  ]);
  const params = verb.params.parse({
    consumer: "api",
    kind: "latest",
    target: { connection: "v", name: "s" },
    record: { connection: "v", name: "s" },
    store: "store",
    created: "create",
    update: "store",
    pickupSeconds: 300,
    callers: ["203.0.113.7", "203.0.113.8"],
    level: "used",
    old: "old-key",
    tenant: "contoso",
    appId: "app",
    ...situation.params,
  });
  const ctx = contextOf({ clock: jumpingClock(start + (situation.passedMs ?? 600_000)), outcomes });
  return verb.verify?.(ctx, params, await verb.do(ctx, params));
}

const seen = (...addresses: string[]): SignIns => ({
  lines: addresses.map((address, n): SignIn => ({ id: String(n), at: start, keyId: "NEW-KEY", address })),
  cut: false,
});

describe("a consumer", () => {
  it("is not asked for before its pick-up delay has passed, and says until when", async () => {
    expect(await ask({ passedMs: 100_000, log: seen("203.0.113.7", "203.0.113.8") })).toMatchObject({
      kind: "not-yet",
      lookAgainMs: 200_000,
    });
  });

  it("is shown to use the new key once every declared caller has signed in with it, and not before", async () => {
    expect(await ask({ log: seen("203.0.113.7", "203.0.113.8") })).toMatchObject({ kind: "verified", level: "used" });
    expect(await ask({ log: seen("203.0.113.7") })).toMatchObject({
      kind: "not-yet",
      facts: { missing: ["203.0.113.8"] },
    });
    const own = seen("203.0.113.7", "203.0.113.8");
    expect(await ask({ log: { ...own, lines: own.lines.map((line) => ({ ...line, id: "own" })) } })).toMatchObject({
      kind: "not-yet",
    });
  });

  it("with declared callers is waited for even where less would do", async () => {
    expect(await ask({ params: { level: "value-matched" }, log: seen("203.0.113.7") })).toMatchObject({
      kind: "not-yet",
    });
  });

  it("without callers, or without a log, is never called used", async () => {
    expect(await ask({ params: { callers: [], level: "value-matched" } })).toMatchObject({
      kind: "verified",
      level: "value-matched",
    });
    expect(await ask({ params: { callers: [] } })).toMatchObject({ kind: "not-yet" });
    expect(await ask({ log: null })).toMatchObject({ kind: "not-yet", facts: { report: "unavailable" } });
    expect(await ask({ log: null, params: { level: "metadata-changed" } })).toMatchObject({
      kind: "verified",
      level: "value-matched",
    });
  });

  it("of a database uses the new role when its sessions are seen from its callers", async () => {
    const params = { tenant: undefined, appId: undefined, server: "db", role: "orders_b", callers: ["10.0.0.5"] };
    expect(await ask({ params, sessions: ["10.0.0.5"] })).toMatchObject({ kind: "verified", level: "used" });
    expect(await ask({ params, sessions: ["10.0.0.9"] })).toMatchObject({ kind: "not-yet" });
    expect(await ask({ params: { ...params, level: "value-matched" }, sessions: [] })).toMatchObject({
      kind: "verified",
      level: "value-matched",
    });
  });

  it.each<[string, Situation, string]>([
    ["somebody else wrote the record", { latest: "v3" }, "record-not-ours"],
    ["its target is gone", { reading: { exists: false } }, "consumer-gone"],
    ["it holds another value", { reading: { matchesRecord: false } }, "consumer-not-on-new-version"],
    ["nobody can tell what it holds", { reading: { matchesRecord: null } }, "consumer-not-on-new-version"],
  ])("is refuted when %s", async (_name, situation, code) => {
    expect(await ask(situation)).toMatchObject({ kind: "refuted", code });
  });
});
