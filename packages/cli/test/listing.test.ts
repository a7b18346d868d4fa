import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { facetLines, type Listing, printListing } from "../src/listing.ts";

interface Item {
  readonly id: number;
  readonly name: string | null;
}

let out: string[];
let said: string[];
beforeEach(() => {
  [out, said] = [[], []];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => out.push(String(text)) > 0);
  vi.spyOn(process.stderr, "write").mockImplementation((text) => said.push(String(text)) > 0);
});
afterEach(() => vi.restoreAllMocks());

/** 120 items in pages of 50, and what was asked for. */
function listing() {
  const asked: (string | null)[] = [];
  const all = Array.from({ length: 120 }, (_, id): Item => ({ id, name: id === 1 ? null : `=name\u001b${id}` }));
  const list: Listing<Item> = {
    async ask(cursor) {
      asked.push(cursor);
      const from = Number(cursor ?? 0);
      const nextCursor = from + 50 < all.length ? String(from + 50) : null;
      return {
        items: all.slice(from, from + 50),
        nextCursor,
        total: 120,
        facets: { kind: [{ value: "a", count: 3 }] },
      };
    },
    counts: ({ facets }) => facetLines(facets, "kind"),
    head: ["id", "name"],
    cells: ({ id, name }) => [String(id), name ?? ""],
    columns: ["id", "name"],
    values: ({ id, name }) => [id, name],
  };
  return { asked, list };
}

describe("a list of the command line", () => {
  it("shows a person its first rows and how many there are, and nothing that moves a terminal's cursor", async () => {
    const { asked, list } = listing();
    await printListing(list, {});
    expect(asked).toEqual([null]);
    expect(said).toEqual([]);
    expect(out[0]).toBe("       3  a\n");
    expect(out.join("")).toContain("50 of 120; --csv has all");
    expect(out.join("")).not.toContain("\u001b");
  });

  it("has every page as one object with --json", async () => {
    const { asked, list } = listing();
    await printListing(list, { json: true });
    expect(asked).toEqual([null, "50", "100"]);
    const { total, items } = JSON.parse(out.join("")) as { total: number; items: Item[] };
    expect([total, items.length, items.at(-1)?.id]).toEqual([120, 120, 119]);
  });

  it("has every page as lines with --csv, none of which a spreadsheet takes for a formula", async () => {
    const { list } = listing();
    await printListing(list, { csv: true });
    const lines = out.join("").split("\r\n");
    expect(lines[0]).toBe("id,name");
    expect(lines.filter((line) => line !== "")).toHaveLength(121);
    expect(lines[2]).toBe("1,");
    expect(out.join("")).not.toMatch(/,=/);
  });
});
