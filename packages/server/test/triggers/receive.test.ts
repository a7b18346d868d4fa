import { createHmac } from "node:crypto";
import { type HookConfig, type InventoryRow, SecretValue } from "@countersign/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openHook } from "../../src/triggers/receive.ts";
import { toleranceMs } from "../../src/triggers/signature.ts";

const now = Date.UTC(2026, 10, 22);
const keys = ["whsec_bmV3IGtleSBvZiBhbiBob29rLCAzMiBieXRlcw==", "the older key, still in use somewhere"];
const rows = [
  {
    name: "billing",
    procedure: "entra-client-secret",
    appId: "aaaaaaaa-0000-4000-8000-000000000001",
    objectId: "bbbbbbbb-0000-4000-8000-000000000001",
    record: { connection: "main", name: "billing-entry" },
  },
] as unknown as InventoryRow[];

const config = (change: Partial<HookConfig> = {}): HookConfig => ({
  name: "monitoring",
  kind: "standard",
  keys: ["env:NEW", "env:OLD"],
  perMinuteMax: 100,
  rules: [{ when: `event.type == "secret.expiring"`, application: "event.data.app" }],
  ...change,
});
const open = (change: Partial<HookConfig> = {}) =>
  openHook(config(change), (reference) => SecretValue.of(keys[reference === "env:NEW" ? 0 : 1] ?? ""));

const bytesOf = (key: string) => (key.startsWith("whsec_") ? Buffer.from(key.slice(6), "base64") : Buffer.from(key));

function signed(body: Uint8Array | string, change: { key?: string; id?: string; at?: number } = {}) {
  const bytes = Buffer.from(body);
  const { key = keys[0] ?? "", id = "msg_1", at = now } = change;
  const stamp = String(Math.floor(at / 1_000));
  const mac = createHmac("sha256", bytesOf(key)).update(`${id}.${stamp}.`).update(bytes).digest("base64");
  return {
    headers: { "webhook-id": id, "webhook-timestamp": stamp, "webhook-signature": `v1,${mac}` } as Record<
      string,
      string
    >,
    body: bytes,
  };
}

const expiring = JSON.stringify({
  type: "secret.expiring",
  timestamp: "2026-11-22T00:00:00Z",
  data: { app: "billing" },
});

describe("a delivery of Standard Webhooks", () => {
  const hook = open();

  it("is taken when one of two live keys has signed it, and says which", () => {
    for (const [at, key] of keys.entries())
      expect(hook.receive(signed(expiring, { key }), rows, now)).toMatchObject({
        kind: "events",
        key: at,
        events: [{ event: { id: "msg_1", type: "secret.expiring" }, routed: { kind: "propose" } }],
      });
    const both = signed(expiring);
    both.headers["webhook-signature"] = `v1,AAAA v1a,BBBB ${both.headers["webhook-signature"]}`;
    expect(hook.receive(both, rows, now)).toMatchObject({ kind: "events" });
  });

  it("is not taken when it is older or newer than five minutes", () => {
    for (const at of [now - toleranceMs - 1_000, now + toleranceMs + 1_000])
      expect(hook.receive(signed(expiring, { at }), rows, now)).toEqual({ kind: "unverified" });
    for (const at of [now - toleranceMs + 1_000, now + toleranceMs - 1_000])
      expect(hook.receive(signed(expiring, { at }), rows, now)).toMatchObject({ kind: "events" });
  });

  it("is malformed, not an event, when it was signed and is no JSON of that form", () => {
    for (const body of ["", "{", "[]", "null", `{"type":7}`, `{"type":"a","data":[]}`, "[".repeat(5_000), "\xff\xfe"])
      expect(hook.receive(signed(Buffer.from(body, "latin1")), rows, now)).toEqual({ kind: "malformed" });
  });

  it("is never taken after any single change of what was signed", () => {
    const valid = signed(expiring);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: valid.body.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, xor) => {
        const body = Buffer.from(valid.body);
        body[at] = (body[at] ?? 0) ^ xor;
        expect(hook.receive({ ...valid, body }, rows, now)).toEqual({ kind: "unverified" });
      }),
      { numRuns: 1_000 },
    );
    for (const name of Object.keys(valid.headers)) {
      const { [name]: _, ...headers } = valid.headers;
      expect(hook.receive({ ...valid, headers }, rows, now)).toEqual({ kind: "unverified" });
    }
  });

  // The long form is `npm run bench -- hooks`.
  it("that nobody signed is never taken, whatever its headers and body are", () => {
    const valid = signed(expiring, { key: "a key that the hook does not have" });
    const names = Object.keys(valid.headers);
    fc.assert(
      fc.property(
        fc.subarray(names),
        fc.array(fc.string(), { minLength: 3, maxLength: 3 }),
        fc.uint8Array(),
        (kept, texts, body) => {
          const headers = Object.fromEntries(
            names.map((name, at) => [name, kept.includes(name) ? valid.headers[name] : texts[at]]),
          );
          expect(hook.receive({ headers, body }, rows, now)).toEqual({ kind: "unverified" });
          expect(hook.receive({ headers, body: valid.body }, rows, now)).toEqual({ kind: "unverified" });
        },
      ),
      { numRuns: 5_000 },
    );
  });
});

describe("a delivery of Event Grid", () => {
  const hook = open({ kind: "event-grid", rules: [{ when: "true", application: "event.data.ObjectName" }] });
  const event = {
    id: "1",
    topic: "/subscriptions/s/vaults/v",
    subject: "billing-entry",
    eventType: "Microsoft.KeyVault.SecretNearExpiry",
    data: { ObjectName: "billing-entry", VaultName: "v" },
  };
  const headers = { "x-countersign-key": keys[1] ?? "", "aeg-event-type": "Notification" };

  it("is taken with one of the keys in its header, in both schemas", () => {
    const body = (value: unknown) => Buffer.from(JSON.stringify(value));
    expect(hook.receive({ headers, body: body([event]) }, rows, now)).toMatchObject({
      kind: "events",
      key: 1,
      events: [{ routed: { kind: "propose", row: { name: "billing" } } }],
    });
    const cloud = { specversion: "1.0", id: "2", source: "/v", type: "T", data: event.data };
    expect(hook.receive({ headers, body: body(cloud) }, rows, now)).toMatchObject({ kind: "events" });
    expect(hook.receive({ headers: {}, body: body([event]) }, rows, now)).toEqual({ kind: "unverified" });
    const wrong = { ...headers, "x-countersign-key": `${keys[1]} ` };
    expect(hook.receive({ headers: wrong, body: body([event]) }, rows, now)).toEqual({ kind: "unverified" });
  });

  it("answers the question whether we want its deliveries only to who has the key", () => {
    const asks = { ...headers, "aeg-event-type": "SubscriptionValidation" };
    const question = [
      {
        id: "1",
        topic: "t",
        subject: "",
        eventType: "Microsoft.EventGrid.SubscriptionValidationEvent",
        data: { validationCode: "512d38b6" },
      },
    ];
    const body = Buffer.from(JSON.stringify(question));
    expect(hook.receive({ headers: asks, body }, rows, now)).toEqual({ kind: "handshake", code: "512d38b6" });
    expect(hook.receive({ headers: { "aeg-event-type": "SubscriptionValidation" }, body }, rows, now)).toEqual({
      kind: "unverified",
    });
    expect(hook.receive({ headers: asks, body: Buffer.from("[]") }, rows, now)).toEqual({ kind: "malformed" });
  });
});
