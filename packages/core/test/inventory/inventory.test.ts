import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  type ConfigScopes,
  type Connection,
  CountersignError,
  checkInventory,
  type InventoryRow,
  parseInventory,
} from "../../src/index.ts";
import { yamlBlocks } from "../documents/blocks.ts";

const [example = ""] = yamlBlocks(readFileSync(new URL("../../../../docs/inventory.md", import.meta.url), "utf8"));
const strict = { seconds: false };
const rows = (text: string) => parseInventory(text, strict).rows;
const first = (text: string): InventoryRow => rows(text)[0] as InventoryRow;
function refusal(text: string): string {
  try {
    rows(text);
  } catch (error) {
    if (error instanceof CountersignError && error.code === "INVENTORY_INVALID") return error.message;
    throw error;
  }
  throw new Error("expected a refusal, got rows");
}
const replaced = (from: string | RegExp, to: string) => {
  const text = example.replace(from, to);
  if (text === example) throw new Error(`nothing to replace: ${String(from)}`);
  return text;
};

const connection = (
  name: string,
  kind: string,
  environment: string,
  scope: string[],
  more: Partial<Connection> = {},
): Connection => ({
  name,
  kind,
  environment,
  prod: environment === "prod",
  tenant: null,
  scope,
  settings: {},
  ...more,
});
const config: ConfigScopes = {
  tenants: [
    {
      name: "contoso",
      id: "11111111-2222-4333-8444-555555555555",
      authority: "https://a.example",
      graph: "https://g.example",
      reader: { clientId: "r", secret: "env:R" },
      writer: { clientId: "w", secret: "env:W" },
      ownExecutorAppIds: [],
    },
  ],
  connections: [
    connection("billing-vault", "key-vault", "prod", ["billing-*"], { tenant: "contoso" }),
    connection("batch-files", "files", "prod", ["billing/*.ref"]),
    connection("dev-vault", "key-vault", "dev", ["orders-*"]),
    connection("dev-files", "files", "dev", ["orders/*.json"]),
    connection("orders-db", "postgres", "dev", ["orders_*"]),
  ],
};
const people = ["aa", "bb", "cc", "dd"].map((end) => ({ person: `p_00000000000000${end}` }));
const problems = (text: string, changed: Partial<ConfigScopes> = {}) =>
  checkInventory(rows(text), { ...config, ...changed }, people).map((problem) => problem.code);
const withConnection = (name: string, more: Partial<Connection>) => ({
  connections: config.connections.map((item) => (item.name === name ? { ...item, ...more } : item)),
});

describe("an inventory", () => {
  it("the example of the docs is accepted and fits its configuration", () => {
    expect(rows(example)).toHaveLength(2);
    expect(checkInventory(rows(example), config, people)).toEqual([]);
    expect(first(example).consumers[1]).toEqual({
      kind: "pinned",
      name: "batch",
      environment: "prod",
      pickupSeconds: 300,
      cadenceSeconds: 86_400,
      callers: ["192.0.2.7"],
      connection: "batch-files",
      path: "billing/batch.ref",
    });
  });

  it("its digest covers the bytes, a row's digest what the row means", () => {
    const commented = `${example}# a comment\n`;
    expect(parseInventory(commented, strict).digest).not.toBe(parseInventory(example, strict).digest);
    expect(parseInventory(new TextEncoder().encode(example), strict).digest).toBe(
      parseInventory(example, strict).digest,
    );
    expect(first(commented).rowDigest).toBe(first(example).rowDigest);
    expect(first(replaced("pickup: PT24H", "pickup: P1D")).rowDigest).toBe(first(example).rowDigest);
  });

  it.each([
    ["an owner", "p_00000000000000bb]", "p_00000000000000bc]"],
    ["a business owner", "[p_00000000000000cc]", "[p_00000000000000cd]"],
    ["an owner of a credential", "[p_00000000000000dd]", "[p_00000000000000de]"],
    ["an environment", "environment: prod", "environment: stage"],
    ["a consumer's target", "billing/batch.ref", "billing/other.ref"],
    ["a pick-up time", "pickup: PT5M", "pickup: PT6M"],
    ["the record", "billing-api-secret", "billing-api-secret2"],
    ["the application", "8f1c5a52-0000-4000-8000-000000000002", "8f1c5a52-0000-4000-8000-000000000003"],
  ])("a change of %s changes the row's digest", (_what, from, to) =>
    expect(first(replaced(from, to)).rowDigest).not.toBe(first(example).rowDigest),
  );

  const mistakes: readonly (readonly [string, string | RegExp, string, string])[] = [
    ["a name twice", "name: orders\n", "name: billing-api\n", "applications[1].name: expected each only once"],
    [
      "a record twice",
      "{ connection: dev-vault, name: orders-db }",
      "{ connection: billing-vault, name: Billing-API-Secret }",
      "applications[1].record: expected each only once",
    ],
    [
      "one role twice",
      "[orders_a, orders_b]",
      "[orders_a, orders_a]",
      "applications[1].roles: expected two different roles",
    ],
    ["an owner twice", "p_00000000000000bb]", "p_00000000000000aa]", "owners[1]: expected each owner once"],
    [
      "a business owner twice",
      "[p_00000000000000cc]",
      "[p_00000000000000cc, p_00000000000000cc]",
      "businessOwners[1]: ",
    ],
    [
      "owners of what is no id",
      "8f1c5a52-0000-4000-8000-000000000003:",
      "the-old-one:",
      "credentialOwners.the-old-one: expected the id of a credential",
    ],
    [
      "owners of one credential in two places",
      "[p_00000000000000dd]",
      "[p_00000000000000dd]\n      8F1C5A52-0000-4000-8000-000000000003: [p_00000000000000aa]",
      "expected each id once",
    ],
    ["a consumer's name twice", "name: reports", "name: web", "consumers[2].name: expected a unique name"],
    [
      "a copy into the record itself",
      "entry: billing-reports-copy",
      "entry: billing-api-secret",
      "expected a copy outside the record itself",
    ],
    [
      "a connection file for an Entra application",
      "kind: pinned ",
      "kind: connection-file ",
      "expected a kind that holds a client secret",
    ],
    [
      "a path that climbs",
      "path: billing/batch.ref",
      "path: billing/../../etc/passwd",
      "path: expected a relative path",
    ],
    ["an absolute path", "path: billing/batch.ref", "path: /etc/passwd", "path: expected a relative path"],
    ["a duration in months", "pickup: PT5M", "pickup: P1M", "pickup: expected a duration"],
    ["seconds outside demo and test", "pickup: PT5M", "pickup: PT30S", "pickup: expected a duration"],
    ["a caller that is a host name", '"192.0.2.7"', '"batch.example.com"', "callers[0]: expected"],
    ["an owner who is a mail address", "p_00000000000000bb]", "bob@example.com]", "owners[1]: expected a person id"],
    ["an unknown procedure", "procedure: entra-client-secret", "procedure: shell", "procedure: expected"],
    ["a vault entry with a slash", "name: billing-api-secret", "name: a/b", "record.name: expected a name"],
    [
      "a role name that is SQL",
      "[orders_a, orders_b]",
      '[orders_a, "x; drop role y"]',
      "roles[1]: expected a role name",
    ],
    [
      "a URL in the place of a connection",
      "connection: batch-files",
      "connection: https://evil.example",
      "connection: expected a name",
    ],
  ];
  it.each(mistakes)("refuses %s", (_name, from, to, why) => expect(refusal(replaced(from, to))).toContain(why));

  it("refuses the same application in two rows, in whatever letters its ids are written", () => {
    const block = /( {2}- name: billing-api[\s\S]*?)(?=\n {2}- name: orders)/.exec(example)?.[1] ?? "";
    const again = block
      .replace("name: billing-api ", "name: billing-again ")
      .replaceAll("8f1c5a52", "8F1C5A52")
      .replace("billing-api-secret", "other-secret");
    expect(refusal(`${example}\n${again}\n`)).toMatch(/applications\[2\]\.objectId: expected each only once/);
  });

  it("accepts seconds where the profile allows them", () => {
    expect(
      parseInventory(replaced("pickup: PT5M", "pickup: PT5S"), { seconds: true }).rows[0]?.consumers[1]?.pickupSeconds,
    ).toBe(5);
  });
});

describe("an inventory against its configuration", () => {
  it.each([
    ["an unknown tenant", example.replaceAll("tenant: contoso", "tenant: fabrikam"), {}, "wrong-tenant"],
    ["a vault of another tenant", example, withConnection("billing-vault", { tenant: "fabrikam" }), "wrong-tenant"],
    ["an unknown connection", replaced("connection: batch-files", "connection: nowhere"), {}, "scope-refused"],
    [
      "a connection of another kind",
      replaced("connection: batch-files", "connection: billing-vault"),
      {},
      "scope-refused",
    ],
    ["a path outside the scope", replaced("billing/batch.ref", "payroll/batch.ref"), {}, "scope-refused"],
    ["an entry outside the scope", replaced("entry: billing-reports-copy", "entry: payroll-copy"), {}, "scope-refused"],
    ["a role outside the scope", replaced("orders_b", "postgres"), {}, "scope-refused"],
    ["a scope without patterns", example, withConnection("billing-vault", { scope: [] }), "scope-refused"],
    [
      "another environment",
      replaced("environment: prod\n    tenant", "environment: stage\n    tenant"),
      {},
      "environment-mismatch",
    ],
    [
      "a prod value for a place that is not prod",
      example,
      withConnection("batch-files", { prod: false }),
      "prod-into-nonprod",
    ],
    ["a business owner nobody knows", replaced("[p_00000000000000cc]", "[p_00000000000000ff]"), {}, "owner-unknown"],
    [
      "an owner of a credential nobody knows",
      replaced("[p_00000000000000dd]", "[p_00000000000000ff]"),
      {},
      "owner-unknown",
    ],
    ["an owner nobody knows", replaced("p_00000000000000bb]", "p_00000000000000ff]"), {}, "owner-unknown"],
  ] as const)("says %s", (_name, text, changed, code) => expect(problems(text, changed)).toContain(code));
});
