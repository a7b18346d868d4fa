import { describe, expect, it } from "vitest";
import { inventoryDiff, type ListItem, listLines, parseInventory, parseInventoryTable } from "../../src/index.ts";

const titles = ["name", "status", "note", "owners", "record.connection", "procedure"];
const columns = titles.map((title) => ({ key: title.replace(".", "_x002e_"), title }));
const read = (items: readonly ListItem[], more: readonly string[] = []) =>
  parseInventoryTable(listLines([...columns, ...more.map((title) => ({ key: title, title }))], items), {
    seconds: false,
  });
const proposed = (id: string, fields: Record<string, unknown>): ListItem => ({
  id,
  fields: { status: "proposed", ...fields },
});

describe("an inventory that is a list", () => {
  it("is read by what people call the columns; what nobody filled in is not there", () => {
    const owners = ["p_00000000000000aa", "p_00000000000000bb"];
    const { rows, proposed: found } = read([
      proposed("7", { name: "billing", owners, record_x002e_connection: null, note: "" }),
      proposed("9", { name: "orders" }),
    ]);
    expect(rows).toEqual([]);
    expect(found.map(({ name, owners: of }) => [name, of])).toEqual([
      ["billing", owners],
      ["orders", undefined],
    ]);
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    ["an unknown column", { name: "a", Owner: "ada" }, /^item 12 Owner: expected only known columns, got "Owner"$/],
    ["no name", { note: "x" }, /^item 12 name: expected the application's name on every line, got nothing$/],
    [
      "a person's column",
      { name: "a", note: { LookupId: 4 } },
      /^item 12 note: expected text, a number, yes or no, or choices/,
    ],
    [
      "a choice that would be two",
      { name: "a", owners: ["p|q"] },
      /^item 12 owners: expected choices that are text without \|/,
    ],
    [
      "a character that nobody sees",
      { name: "a", note: "a\u202eb" },
      /^item 12 note: expected visible characters only, got U\+202E$/,
    ],
    [
      "a long text",
      { name: "a", note: "x".repeat(2_001) },
      /^item 12 note: expected at most 2000 characters, got 2001$/,
    ],
    ["a wrong value", { name: "a", procedure: "by-hand" }, /^item 12 procedure: expected /],
    ["the formula of a name", { name: "=cmd" }, /^item 12 name: expected /],
  ])("is refused for %s, at the item's number", (_what, fields, message) => {
    expect(() => read([proposed("12", fields)], ["Owner"])).toThrow(message);
  });

  it("is refused where two columns are called the same", () => {
    expect(() => read([proposed("1", { name: "a" })], ["name"])).toThrow(
      "column name: expected each column once, got two",
    );
  });
});

const yaml = (rows: string) =>
  parseInventory(`apiVersion: countersign/inventory/v1\napplications:\n${rows}`, { seconds: false });
const row = (name: string, more = "") => `  - { status: proposed, name: ${name}${more} }\n`;

describe("what two inventories differ in", () => {
  it("is said by application and field: what comes, what goes, what says something else", () => {
    const before = yaml(`${row("a", ", environment: dev")}${row("b")}${row("same", ", note: x")}`);
    const after = yaml(`${row("same", ", note: x")}${row("c")}${row("a", ", environment: prod, note: why")}`);
    expect(inventoryDiff(before, after)).toEqual([
      {
        application: "a",
        change: "changed",
        fields: [
          { field: "environment", was: '"dev"', is: '"prod"' },
          { field: "note", was: "", is: '"why"' },
        ],
      },
      { application: "b", change: "removed", fields: [] },
      { application: "c", change: "added", fields: [] },
    ]);
    expect(inventoryDiff(after, after)).toEqual([]);
  });
});
