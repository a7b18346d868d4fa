import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { CountersignError, csvText, inventoryText, parseInventory } from "../../src/index.ts";
import { yamlBlocks } from "../documents/blocks.ts";

const [example = ""] = yamlBlocks(readFileSync(new URL("../../../../docs/inventory.md", import.meta.url), "utf8"));
const strict = { seconds: false };
const csv = { form: "csv", delimiter: "," } as const;
const known = parseInventory(example, strict);
const written = inventoryText(
  known.rows.map((row) => ({ row })),
  csv,
);

function refusal(text: string | Uint8Array, delimiter: "," | ";" = ","): string {
  try {
    parseInventory(text, strict, { form: "csv", delimiter });
  } catch (error) {
    if (error instanceof CountersignError && error.code === "INVENTORY_INVALID") return error.message;
    throw error;
  }
  throw new Error("expected a refusal, got rows");
}
const table = (...lines: string[][]) => lines.map((line) => `${line.join(",")}\r\n`).join("");
const replaced = (from: string | RegExp, to: string) => {
  const text = written.replace(from, to);
  if (text === written) throw new Error(`nothing to replace: ${String(from)}`);
  return text;
};

describe("an inventory as CSV", () => {
  it("says the same as YAML: the rows of the docs' example, their digests included", () => {
    expect(parseInventory(written, strict, csv).rows).toEqual(known.rows);
    const yaml = inventoryText(
      known.rows.map((row) => ({ row })),
      { form: "yaml" },
    );
    expect(parseInventory(yaml, strict).rows).toEqual(known.rows);
  });

  it("a byte order mark, other line ends and semicolons that were declared change nothing", () => {
    const semicolons = inventoryText(
      known.rows.map((row) => ({ row })),
      { form: "csv", delimiter: ";" },
    );
    for (const [text, delimiter] of [
      [`\ufeff${written}`, ","],
      [written.replaceAll("\r\n", "\n"), ","],
      [semicolons, ";"],
    ] as const)
      expect(parseInventory(text, strict, { form: "csv", delimiter }).rows).toEqual(known.rows);
  });

  it("semicolons that nobody declared are refused, with a hint", () => {
    expect(refusal(written.replaceAll(",", ";"))).toBe(
      '1:1 expected columns separated by ,, got ;; say inventory.delimiter: ";" if it is meant so',
    );
  });

  it("names the line, the column and what stands there", () => {
    expect(refusal(replaced("P1D,192.0.2.7", "P1D,192.0.2.700"))).toMatch(/^3:21 consumer\.callers: expected .*, got /);
    expect(refusal(replaced(",web,prod,P1D", ",web,prod,1 day"))).toMatch(
      /^2:19 consumer\.pickup: expected a duration in .*, got "1 day"$/,
    );
    expect(refusal(replaced("8f1c5a52-0000-4000-8000-000000000001", ""))).toBe(
      "2:6 objectId: expected text, got nothing",
    );
    expect(refusal(replaced("latest,", "newest,"))).toMatch(/^2:16 consumer\.kind: expected .*, got /);
  });

  it.each([
    ["no column twice", table(["name", "name"]), "1:2 name: expected each column once"],
    ["no unnamed column", table(["name", ""]), "1:2 expected the name of a column, got an empty cell"],
    [
      "no unknown column",
      table(["name", "colour"], ["a", "red"]),
      '2:2 colour: expected only known columns, got "colour"',
    ],
    ["no short line", table(["name", "tenant"], ["a"]), "2:1 expected 2 cells, got 1"],
    ["no line without a name", table(["name", "tenant"], ["", "contoso"]), "2:1 name: expected the application's name"],
    ["no open quote", 'name,tenant\r\n"a,contoso\r\n', "expected a closing quote, got the end of the file"],
    ["no hidden character", "name,tenant\r\na\u202eb,contoso\r\n", "2:1 expected visible characters only, got U+202E"],
    ["nothing at all", "", "1:1 expected a line with the names of the columns, got nothing"],
  ])("%s", (_what, text, says) => {
    expect(refusal(text)).toContain(says);
  });

  it("a further line of an application cannot say something else about it", () => {
    expect(refusal(replaced(/^,billing-api,,,/m, ",billing-api,,dev,"))).toMatch(
      /^3:4 environment: expected the same as on the first line of billing-api, or nothing/,
    );
  });

  it("bytes that are no UTF-8 are refused, and more than the limit too", () => {
    expect(refusal(new Uint8Array([0x6e, 0xff]))).toBe("1:1 expected UTF-8, got other bytes");
    expect(refusal(new Uint8Array(8 * 1024 * 1024 + 1))).toContain("expected at most 8388608 bytes");
  });

  it("what a spreadsheet would run is escaped on the way out and read back as it was", () => {
    const lines = [["name"], ["=1+1"], ["'=1"], ["@x"], ["-1"], ["plain"]];
    expect(csvText(lines)).toBe("name\r\n'=1+1\r\n''=1\r\n'@x\r\n'-1\r\nplain\r\n");
    const row = known.rows[0];
    if (row === undefined) throw new Error("expected a row");
    const asked = {
      kind: "manual",
      name: "fax",
      environment: "prod",
      pickupSeconds: 86_400,
      cadenceSeconds: 86_400,
      callers: [],
      checklist: ["=call the office", 'say "done", in writing'],
    } as const;
    const text = inventoryText([{ row: { ...row, consumers: [asked] } }], csv);
    expect(text).toContain(`"'=call the office|say ""done"", in writing"`);
    expect(parseInventory(text, strict, csv).rows[0]?.consumers).toEqual([asked]);
  });

  it("an entry that a cell cannot hold is refused, not cut in two", () => {
    const row = known.rows[0];
    if (row === undefined) throw new Error("expected a row");
    const consumers = [{ ...row.consumers[0], kind: "manual", checklist: ["a|b"] }] as never;
    expect(() => inventoryText([{ row: { ...row, consumers } }], csv)).toThrow(
      /expected entries of consumer.checklist without \|/,
    );
  });
});

describe("a proposed row", () => {
  const proposal = table(
    ["status", "name", "appId"],
    ["proposed", "billing-api", "8f1c5a52-0000-4000-8000-000000000002"],
  );

  it("is read, need not be complete, and lists nothing", () => {
    const { rows, proposed } = parseInventory(proposal, strict, csv);
    expect(rows).toEqual([]);
    expect(proposed.map(({ name }) => name)).toEqual(["billing-api"]);
  });

  it("is judged like any other once it is approved, and its name is taken", () => {
    expect(refusal(proposal.replace("proposed", "approved"))).toContain("procedure: expected");
    expect(refusal(proposal.replace("proposed", "maybe"))).toMatch(/^2:1 status: expected .*, got "maybe"/);
    const twice = example.replace("applications:\n", "applications:\n  - { status: proposed, name: orders }\n");
    expect(() => parseInventory(twice, strict)).toThrow(/name: expected each only once/);
  });

  it("approving it changes nothing of the row's digest", () => {
    const approved = example.replace("  - name: billing-api", "  - status: approved\n    name: billing-api");
    expect(parseInventory(approved, strict).rows).toEqual(known.rows);
  });
});
