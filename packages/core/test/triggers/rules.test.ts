import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  expressionProblem,
  type HookEvent,
  hookRouter,
  type InventoryRow,
  readGridEvents,
  readStandardEvent,
} from "../../src/index.ts";

const row = (name: string, n: number, record = `${name}-entry`) =>
  ({
    name,
    procedure: "entra-client-secret",
    appId: `AAAAAAAA-0000-4000-8000-00000000000${n}`,
    objectId: `bbbbbbbb-0000-4000-8000-00000000000${n}`,
    record: { connection: "main", name: record },
  }) as unknown as InventoryRow;
const rows = [row("billing", 1), row("crm", 2, "shared"), row("erp", 3, "shared")];

const event = (change: Partial<HookEvent> = {}): HookEvent => ({
  id: "evt_1",
  type: "secret.expiring",
  source: "",
  subject: "",
  data: { app: "billing", daysLeft: 10n },
  ...change,
});

describe("routing rules", () => {
  const route = hookRouter([
    { when: `event.type == "test.ping"` },
    { when: `event.type == "secret.expiring" && event.data.daysLeft < 14`, application: "event.data.app" },
    { when: `event.type.startsWith("Microsoft.KeyVault.Secret")`, application: "event.data.ObjectName" },
  ]);

  it("say of which change an event tells, and propose nothing where that is no id", () => {
    const told = hookRouter([{ when: "true", application: "event.data.app", change: "event.data.entry" }]);
    const of = (entry: unknown) => told(event({ data: { app: "billing", entry } }), rows);
    expect(of("Directory_1")).toMatchObject({ kind: "propose", change: "Directory_1" });
    for (const entry of ["", "two words", "x".repeat(201), 7n, undefined])
      expect(of(entry)).toEqual({ kind: "rule-failed", rule: 0 });
    expect(route(event(), rows)).toMatchObject({ kind: "propose", change: null });
  });

  it("name the credential that is to be replaced, and propose nothing where that is no id or nothing has ids", () => {
    const naming = hookRouter([{ when: "true", application: "event.data.app", credential: "event.data.keyId" }]);
    const of = (keyId: unknown, among = rows) => naming(event({ data: { app: "billing", keyId } }), among);
    const id = "CCCCCCCC-0000-4000-8000-000000000001";
    expect(of(id)).toMatchObject({ kind: "propose", credential: id.toLowerCase() });
    for (const keyId of ["", "current", `${id} `, `${id}${id}`, 7n, undefined])
      expect(of(keyId)).toEqual({ kind: "rule-failed", rule: 0 });
    const roles = [{ ...row("billing", 1), procedure: "postgres-role-password" } as unknown as InventoryRow];
    expect(of(id, roles)).toEqual({ kind: "rule-failed", rule: 0 });
    expect(route(event(), rows)).toMatchObject({ kind: "propose", credential: null });
  });

  it("propose the application that an event is about, by name, ids or the entry of its record", () => {
    expect(route(event(), rows)).toMatchObject({ kind: "propose", rule: 1, row: { name: "billing" } });
    for (const app of ["aaaaaaaa-0000-4000-8000-000000000001", "BBBBBBBB-0000-4000-8000-000000000001", "billing-entry"])
      expect(route(event({ data: { app, daysLeft: 1 } }), rows)).toMatchObject({
        kind: "propose",
        row: { name: "billing" },
      });
  });

  it("ignore what no rule wants or a rule says to ignore; the first that holds decides", () => {
    expect(route(event({ type: "other" }), rows)).toEqual({ kind: "ignore", rule: null });
    expect(route(event({ type: "test.ping" }), rows)).toEqual({ kind: "ignore", rule: 0 });
    expect(route(event({ data: { app: "billing", daysLeft: 20 } }), rows)).toEqual({ kind: "ignore", rule: null });
  });

  it("never guess: what is not listed, or is two, or cannot be evaluated, is said and not proposed", () => {
    expect(route(event({ data: { app: "nobody", daysLeft: 1 } }), rows)).toEqual({
      kind: "unlisted",
      rule: 1,
      application: "nobody",
    });
    const shared = event({ type: "Microsoft.KeyVault.SecretNearExpiry", data: { ObjectName: "shared" } });
    expect(route(shared, rows)).toEqual({ kind: "ambiguous", rule: 2, application: "shared" });
    expect(route(event({ data: {} }), rows)).toEqual({ kind: "rule-failed", rule: 1 });
    expect(route(event({ data: { app: 7, daysLeft: 1 } }), rows)).toEqual({ kind: "rule-failed", rule: 1 });
  });

  it("never throw, whatever an event says", () => {
    fc.assert(
      fc.property(fc.string(), fc.dictionary(fc.string(), fc.jsonValue()), (type, data) => {
        route(event({ type, data }), rows);
        route(event({ data }), rows);
      }),
      { numRuns: 2_000 },
    );
  });

  it("are refused at load when they cannot be right", () => {
    expect(expressionProblem(`event.type == "a"`, "bool")).toBeNull();
    expect(expressionProblem("event.data.app", "string")).toBeNull();
    expect(expressionProblem(`"a"`, "bool")).toContain("of type bool, got string");
    expect(expressionProblem("event.type ==", "bool")).toContain("expected a CEL expression");
    expect(expressionProblem("evnt.type == 'a'", "bool")).toContain("evnt");
    expect(expressionProblem(`event.type.matches("(a+)+$")`, "bool")).toContain("without matches()");
  });
});

describe("what a delivery says", () => {
  it("is read in the forms of Standard Webhooks and Event Grid, stray blanks of the vendor's samples included", () => {
    expect(readStandardEvent("msg_1", { type: "a", data: { x: 1 } })).toEqual({
      id: "msg_1",
      type: "a",
      source: "",
      subject: "",
      data: { x: 1 },
    });
    const grid = {
      id: "1",
      topic: "/vaults/v",
      subject: "s",
      eventType: "Microsoft.KeyVault.SecretNearExpiry",
      data: { "ObjectName ": " s " },
    };
    expect(readGridEvents([grid])).toEqual([
      { id: "1", type: grid.eventType, source: "/vaults/v", subject: "s", data: { ObjectName: "s" } },
    ]);
    const cloud = { specversion: "1.0", id: "2", source: "/vaults/v", type: "T", subject: "s", time: "x" };
    expect(readGridEvents(cloud)).toEqual([{ id: "2", type: "T", source: "/vaults/v", subject: "s", data: {} }]);
  });

  it("is nothing when any part of it has another form", () => {
    expect(readGridEvents([])).toBeNull();
    expect(readGridEvents([{ id: "1" }])).toBeNull();
    expect(readGridEvents(Array.from({ length: 101 }, (_, n) => ({ id: String(n), eventType: "a" })))).toBeNull();
    expect(readStandardEvent("", { type: "a" })).toBeNull();
    expect(readStandardEvent("id", { type: "" })).toBeNull();
    fc.assert(
      fc.property(fc.jsonValue(), (body) => {
        readGridEvents(body);
        readStandardEvent("id", body);
      }),
    );
  });
});
