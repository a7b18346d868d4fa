import { Document, isMap, type YAMLMap, type YAMLSeq } from "yaml";
import { type CsvDelimiter, csvText } from "../documents/csv.ts";
import { CountersignError } from "../errors.ts";
import { formatDuration } from "../time/duration.ts";
import { cellText, consumerPrefix, inventoryColumns } from "./columns.ts";
import type { InventoryFormat, ProposedRow } from "./parse.ts";
import type { Consumer, InventoryRow } from "./row.ts";

/** A row to be written, with what is to be said of it beside its fields. */
export interface WrittenRow {
  readonly row: InventoryRow | ProposedRow;
  /** Lines for people, above the row. */
  readonly says?: readonly string[];
  /** By field: why it says what it says. */
  readonly beside?: Readonly<Record<string, string>>;
}

type Form = Readonly<Record<string, unknown>>;

/** Fields in the order in which the docs have them. */
const order = [
  "status",
  "name",
  "procedure",
  "environment",
  "tenant",
  "objectId",
  "appId",
  "connection",
  "roles",
  "owners",
  "businessOwners",
  "credentialOwners",
  "record",
  "note",
  "consumers",
];

function formOf({ row }: WrittenRow): Form {
  const { consumers, ...rest } = row;
  const form: Record<string, unknown> = { ...rest };
  delete form.rowDigest;
  if (consumers !== undefined) form.consumers = (consumers as readonly (Consumer | Form)[]).map(consumerForm);
  return Object.fromEntries(order.filter((field) => form[field] !== undefined).map((field) => [field, form[field]]));
}

/** A proposal's consumers are in the form of the schema's output, a row's in that of the domain; both count seconds. */
function consumerForm(consumer: Consumer | Form): Form {
  const { kind, name, environment, pickupSeconds, cadenceSeconds, pickup, cadence, callers, ...own } = consumer as Form;
  const duration = (seconds: unknown) => formatDuration(Number(seconds));
  return {
    kind,
    name,
    environment,
    pickup: duration(pickupSeconds ?? pickup),
    cadence: duration(cadenceSeconds ?? cadence),
    ...(Array.isArray(callers) && callers.length > 0 ? { callers: [...(callers as unknown[])] } : {}),
    ...own,
  };
}

/** An inventory as text that {@link parseInventory} reads back to the same rows. The same rows are the same bytes. */
export function inventoryText(
  rows: readonly WrittenRow[],
  format: InventoryFormat,
  says: readonly string[] = [],
): string {
  return format.form === "csv" ? asCsv(rows, format.delimiter) : asYaml(rows, says);
}

function asYaml(rows: readonly WrittenRow[], says: readonly string[]): string {
  const document = new Document({ apiVersion: "countersign/inventory/v1", applications: rows.map(formOf) });
  if (says.length > 0) document.commentBefore = comment(says);
  const list = document.get("applications") as YAMLSeq;
  rows.forEach(({ says: above = [], beside = {} }, index) => {
    const map = list.items[index];
    if (!isMap(map)) return;
    if (above.length > 0) map.commentBefore = comment(above);
    if (index > 0) map.spaceBefore = true;
    for (const [field, text] of Object.entries(beside)) sayBeside(map, field, text);
    for (const field of ["owners", "businessOwners", "roles", "record"]) {
      const node = map.get(field, true) as { flow?: boolean } | undefined;
      if (node !== undefined) node.flow = true;
    }
  });
  return document.toString({ lineWidth: 0 });
}

function sayBeside(map: YAMLMap, field: string, text: string): void {
  const node = map.get(field, true) as { comment?: string | null } | undefined;
  if (node !== undefined) node.comment = comment([text]);
}

/** Text of others must not end the comment. */
function comment(lines: readonly string[]): string {
  return lines.map((line) => ` ${visible(line)}`).join("\n");
}

/** A table has no comments: what is said of a row stands in its note. */
function noted(written: WrittenRow): Form {
  const { says = [], beside = {} } = written;
  const lines = [...Object.entries(beside).map(([field, text]) => `${field}: ${text}`), ...says];
  const note = lines
    .map(visible)
    .join("\n")
    .slice(0, noteCharsMax)
    .replace(/[\ud800-\udbff]$/, "");
  return note === "" ? formOf(written) : { ...formOf(written), note };
}

const noteCharsMax = 2_000;

/** Without what a reader would not see, or that would end the line. */
function visible(line: string): string {
  return line.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029\u2065]/gu, " ");
}

function asCsv(rows: readonly WrittenRow[], delimiter: CsvDelimiter): string {
  const columns = [...inventoryColumns.keys()];
  const lines = rows.flatMap((written) => {
    const { consumers = [], ...form } = noted(written) as Form & { consumers?: Form[] };
    const cell = (column: string, value: unknown): string => {
      const text = cellText(value);
      if (text !== null) return text;
      throw new CountersignError(
        "INPUT_INVALID",
        `expected entries of ${column} without | in ${written.row.name}, got one that a cell cannot hold; use YAML`,
      );
    };
    const first = (column: string) => {
      const [outer = "", inner] = column.split(".");
      const value = form[outer];
      return inner === undefined ? value : (value as Form | undefined)?.[inner];
    };
    return Array.from({ length: Math.max(1, consumers.length) }, (_, at) =>
      columns.map((column) => {
        if (column.startsWith(consumerPrefix))
          return cell(column, consumers[at]?.[column.slice(consumerPrefix.length)]);
        return at === 0 || column === "name" ? cell(column, first(column)) : "";
      }),
    );
  });
  return csvText([columns, ...lines], delimiter);
}
