import type { Inventory, ProposedRow } from "./parse.ts";
import type { InventoryRow } from "./row.ts";

/** What of an inventory differs from another one, by application. */
export interface InventoryChange {
  readonly application: string;
  readonly change: "added" | "removed" | "changed";
  /** What differs in a row that is in both, in the order of the fields; whole rows have none. */
  readonly fields: readonly { readonly field: string; readonly was: string; readonly is: string }[];
}

type Row = InventoryRow | ProposedRow;

/** Compares two inventories row by row: every application that comes, goes or says something else, by name. */
export function inventoryDiff(
  before: Pick<Inventory, "rows" | "proposed">,
  after: Pick<Inventory, "rows" | "proposed">,
): InventoryChange[] {
  const [old, now] = [byName(before), byName(after)];
  const names = [...new Set([...old.keys(), ...now.keys()])].toSorted();
  return names.flatMap((application): InventoryChange[] => {
    const [was, is] = [old.get(application), now.get(application)];
    if (was === undefined) return [{ application, change: "added", fields: [] }];
    if (is === undefined) return [{ application, change: "removed", fields: [] }];
    const fields = fieldsThatDiffer(was, is);
    return fields.length === 0 ? [] : [{ application, change: "changed", fields }];
  });
}

function byName({ rows, proposed }: Pick<Inventory, "rows" | "proposed">): Map<string, Row> {
  return new Map([...rows, ...proposed].map((row) => [row.name, row]));
}

function fieldsThatDiffer(was: Row, is: Row): InventoryChange["fields"] {
  const [before, after] = [textsOf(was), textsOf(is)];
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((field) => {
    const [old, now] = [before.get(field) ?? "", after.get(field) ?? ""];
    return old === now ? [] : [{ field, was: old, is: now }];
  });
}

/** Each field as text; a consumer is a field of its own, by its name. A row without a status is an approved one. */
function textsOf(row: Row): Map<string, string> {
  const { rowDigest: _digest, consumers = [], ...fields } = row as Row & { readonly rowDigest?: string };
  const status = "rowDigest" in row ? "approved" : "proposed";
  const texts = new Map(Object.entries({ ...fields, status }).map(([field, value]) => [field, JSON.stringify(value)]));
  for (const consumer of consumers as readonly { readonly name: string }[])
    texts.set(
      `consumer ${consumer.name}`,
      JSON.stringify(Object.fromEntries(Object.entries(consumer).toSorted(([a], [b]) => (a < b ? -1 : 1)))),
    );
  return texts;
}
