import { z } from "zod";
import { consumerKinds } from "../consumer-kinds/index.ts";

/** How the text of a cell becomes a value of the form. */
type CellType = "text" | "list" | "lists by key" | "whole number" | "yes or no";

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
  businessOwners: "list",
  credentialOwners: "lists by key",
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

/** Between a key and an entry of its list; neither ids of credentials nor of people have one. */
const keySeparator = "=";

/** `key=entry|key=entry`; text in another form stays text. */
function listsByKey(text: string): unknown {
  const lists: Record<string, string[]> = {};
  for (const part of text.split(separator)) {
    const [key = "", entry, ...more] = part.split(keySeparator).map((side) => side.trim());
    if (entry === undefined || more.length > 0 || key === "__proto__") return text;
    lists[key] = [...(lists[key] ?? []), entry];
  }
  return lists;
}

/** What a cell says, for the schema to judge: text that is no number stays text. */
export function cellValue(column: string, text: string): unknown {
  switch (inventoryColumns.get(column)) {
    case "list":
      return text.split(separator).map((entry) => entry.trim());
    case "lists by key":
      return listsByKey(text);
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
  const entries = Array.isArray(value) ? value.map(String) : entriesByKey(value);
  if (entries === null) return String(value);
  return entries.some((entry) => entry.includes(separator) || entry.trim() !== entry) ? null : entries.join(separator);
}

function entriesByKey(value: unknown): string[] | null {
  if (typeof value !== "object" || value === null) return null;
  return Object.entries(value as Record<string, readonly string[]>).flatMap(([key, list]) =>
    list.map((entry) => `${key}${keySeparator}${entry}`),
  );
}
