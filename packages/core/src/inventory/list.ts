import type { TableLine } from "../documents/csv.ts";
import { hiddenCharacter } from "../documents/hostile.ts";
import { documentLimits } from "../documents/limits.ts";
import { documentError, type Problem } from "../documents/problem.ts";

/** A column of a list on a server. */
export interface ListColumn {
  /** Key under which items hold it. */
  readonly key: string;
  /** What people call it. */
  readonly title: string;
}

/** An item of such a list. */
export interface ListItem {
  /** Its number, by which people find it. */
  readonly id: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Between the entries of a choice of several; the same as in a cell of CSV. */
const separator = "|";

/**
 * An inventory that people keep as a list, as a table: an item is a line, and a mistake is named by the item's number.
 * Throws INVENTORY_INVALID with every cell that is no text, number, yes or no, or choice.
 */
export function listLines(columns: readonly ListColumn[], items: readonly ListItem[]): TableLine[] {
  const problems: Problem[] = [];
  columns.forEach(({ title }, index) => {
    if (columns.findIndex((column) => column.title === title) !== index)
      problems.push({ line: 0, col: index, at: "column", path: title, message: "expected each column once, got two" });
  });
  const lines = items.map(({ id, fields }, index): TableLine => {
    const place = (title: string) => ({
      line: index + 1,
      col: columns.findIndex((column) => column.title === title) + 1,
      at: `item ${id}`,
    });
    const cells = new Map<string, string>();
    for (const { key, title } of columns) {
      const { text, problem } = cellOf(fields[key]);
      if (problem !== null) problems.push({ ...place(title), path: title, message: problem });
      else if (text !== "") cells.set(title, text);
    }
    return { cells, place };
  });
  if (problems.length > 0) throw documentError("INVENTORY_INVALID", problems);
  return lines;
}

function cellOf(value: unknown): { readonly text: string; readonly problem: string | null } {
  const refused = (problem: string) => ({ text: "", problem });
  if (Array.isArray(value)) {
    const entries: readonly unknown[] = value;
    if (!entries.every((entry): entry is string => typeof entry === "string" && !entry.includes(separator)))
      return refused(`expected choices that are text without ${separator}, got others`);
    return cellOf(entries.join(separator));
  }
  if (value === undefined || value === null) return { text: "", problem: null };
  if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean")
    return refused("expected text, a number, yes or no, or choices, got another type of column");
  const text = String(value);
  const hidden = hiddenCharacter(text);
  if (hidden !== null) return refused(`expected visible characters only, got ${hidden.name}`);
  return text.length > documentLimits.textMax
    ? refused(`expected at most ${documentLimits.textMax} characters, got ${text.length}`)
    : { text, problem: null };
}
