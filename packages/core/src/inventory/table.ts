import type { z } from "zod";
import { checkedDocument, type ReadDocument } from "../documents/checked.ts";
import type { TableLine } from "../documents/csv.ts";
import { documentError, type Problem } from "../documents/problem.ts";
import { cellValue, consumerPrefix, inventoryColumns } from "./columns.ts";
import type { InventoryForm } from "./schema.ts";

/** An application put together from its lines, with the lines that say it. */
interface Gathered {
  readonly first: TableLine;
  readonly form: Record<string, unknown>;
  readonly consumers: { readonly line: TableLine; readonly form: Record<string, unknown> }[];
}

/**
 * Reads an inventory that stands in a table. An application has one line for each consumer: its own columns stand on the
 * first, the others repeat its name and leave them empty (or say the same again). Throws INVENTORY_INVALID.
 */
export function readTable(lines: readonly TableLine[], schema: z.ZodType<InventoryForm>): ReadDocument<InventoryForm> {
  const { applications, problems } = gather(lines);
  if (problems.length > 0) throw documentError("INVENTORY_INVALID", problems);
  const plain = {
    apiVersion: "countersign/inventory/v1",
    applications: applications.map(({ form, consumers }) => ({
      ...form,
      // A table has no way to say "none" but by saying nothing; a proposal may leave open who uses it.
      ...(form.status === "proposed" && consumers.length === 0 ? {} : { consumers: consumers.map((one) => one.form) }),
      ...(form.status === "proposed" ? {} : { owners: form.owners ?? [] }),
    })),
  };
  const place = (path: readonly PropertyKey[], message: string): Problem => {
    const { line, column } = placeOf(applications, path);
    return { ...(line?.place(column) ?? { line: 1, col: 1 }), path: column, message };
  };
  return checkedDocument(plain, schema, "INVENTORY_INVALID", place, (path, key) => place([...path, key], ""));
}

function gather(lines: readonly TableLine[]): { applications: Gathered[]; problems: Problem[] } {
  const problems: Problem[] = [];
  const applications = new Map<string, Gathered>();
  for (const line of lines) {
    const say = (column: string, message: string) => problems.push({ ...line.place(column), path: column, message });
    const name = line.cells.get("name");
    if (name === undefined) {
      say("name", "expected the application's name on every line, got nothing");
      continue;
    }
    const known = applications.get(name);
    const application: Gathered = known ?? { first: line, form: {}, consumers: [] };
    applications.set(name, application);
    const consumer: Record<string, unknown> = {};
    for (const [column, text] of line.cells) {
      if (!inventoryColumns.has(column))
        say(column, `expected only known columns, got ${JSON.stringify(column.slice(0, 60))}`);
      else if (column.startsWith(consumerPrefix))
        consumer[column.slice(consumerPrefix.length)] = cellValue(column, text);
      else if (known === undefined) put(application.form, column, cellValue(column, text));
      else if (known.first.cells.get(column) !== text)
        say(column, `expected the same as on the first line of ${name}, or nothing, got another text`);
    }
    if (Object.keys(consumer).length > 0) application.consumers.push({ line, form: consumer });
    else if (known !== undefined) say("consumer.kind", `expected another consumer of ${name}, got none`);
  }
  return { applications: [...applications.values()], problems };
}

/** `record.name` is a field of a field. */
function put(form: Record<string, unknown>, column: string, value: unknown): void {
  const [outer = "", inner] = column.split(".");
  form[outer] = inner === undefined ? value : { ...(form[outer] as object | undefined), [inner]: value };
}

function placeOf(
  applications: readonly Gathered[],
  [, index, ...rest]: readonly PropertyKey[],
): { line: TableLine | undefined; column: string } {
  const application = applications[Number(index)];
  const [field, at, inner] = rest;
  if (field === "consumers" && typeof at === "number")
    return { line: application?.consumers[at]?.line, column: `${consumerPrefix}${String(inner ?? "kind")}` };
  const column = field === "record" && at !== undefined ? `record.${String(at)}` : String(field ?? "name");
  return { line: application?.first, column: field === "record" && at === undefined ? "record.connection" : column };
}
