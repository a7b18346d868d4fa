import { z } from "zod";
import { consumerKinds } from "../consumer-kinds/index.ts";

/** How the text of a cell becomes a value of the form. */
type CellType = "text" | "list" | "whole number" | "yes or no";

/** Columns of an application, in the order in which they are written. */
const applicationColumns: Readonly<Record<string, CellType>> = {
  status: "text",
  name: "text",
  procedure: "text",
  environment: "text",
  tenant: "text",
  objectId: "text",
  appId: "text",
  connection: "text",
  roles: "list",
  owners: "list",
  "record.connection": "text",
  "record.name": "text",
  note: "text",
};

const everyConsumer: Readonly<Record<string, CellType>> = {
  kind: "text",
  name: "text",
  environment: "text",
  pickup: "text",
  cadence: "text",
  callers: "list",
};

const types: Readonly<Record<string, CellType>> = { array: "list", integer: "whole number", boolean: "yes or no" };

/** Columns of a consumer: what all have, and the fields of every kind, so that a new kind has its columns by itself. */
function consumerColumns(): Record<string, CellType> {
  const fields = Object.values(consumerKinds).flatMap((kind) => Object.entries(kind.fields));
  const own = fields.map(([name, field]) => {
    const { type } = z.toJSONSchema(field as z.ZodType, { io: "input", unrepresentable: "any" });
    return [name, types[String(type)] ?? "text"] as const;
  });
  return { ...everyConsumer, ...Object.fromEntries(own) };
}

export const consumerPrefix = "consumer.";

/** Every column of an inventory as a table; a consumer's begin with `consumer.`. */
export const inventoryColumns: ReadonlyMap<string, CellType> = new Map([
  ...Object.entries(applicationColumns),
  ...Object.entries(consumerColumns()).map(([name, type]) => [`${consumerPrefix}${name}`, type] as const),
]);

/** Between the entries of a list in one cell. */
const separator = "|";

/** What a cell says, for the schema to judge: text that is no number stays text. */
export function cellValue(column: string, text: string): unknown {
  switch (inventoryColumns.get(column)) {
    case "list":
      return text.split(separator).map((entry) => entry.trim());
    case "whole number":
      return /^-?\d{1,15}$/.test(text) ? Number(text) : text;
    case "yes or no":
      return text === "true" ? true : text === "false" ? false : text;
    default:
      return text;
  }
}

/** A value as the text of a cell; null where a cell cannot say it. */
export function cellText(value: unknown): string | null {
  if (value === undefined) return "";
  if (!Array.isArray(value)) return String(value);
  const entries = value.map(String);
  return entries.some((entry) => entry.includes(separator) || entry.trim() !== entry) ? null : entries.join(separator);
}
