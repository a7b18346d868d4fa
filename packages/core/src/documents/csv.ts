import { CsvError, parse } from "csv-parse/sync";
import { hiddenCharacter } from "./hostile.ts";
import { documentLimits } from "./limits.ts";
import { type DocumentCode, documentError, type Problem } from "./problem.ts";

/** What stands between two cells of a line. */
export const csvDelimiters = [",", ";"] as const;
export type CsvDelimiter = (typeof csvDelimiters)[number];

/** One line of a table, whatever the table is: a CSV file, a list on a server. */
export interface TableLine {
  /** Cells by column; an empty one is left out. */
  readonly cells: ReadonlyMap<string, string>;
  /** Where a cell of that column stands, or would stand. */
  place(column: string): Pick<Problem, "line" | "col" | "at">;
}

interface Parsed {
  readonly record: readonly string[];
  /** `lines`: number of the line that the record ends on. */
  readonly info: { readonly lines: number };
}

/**
 * Reads a CSV file (RFC 4180, UTF-8 with or without a byte order mark, a first line with the names of the columns)
 * strictly: every line as long as the first, no name twice, no hidden characters. A problem's place is the line and the
 * number of the column. Throws an error with `code` that lists every problem.
 */
export function readCsv(input: Uint8Array | string, code: DocumentCode, delimiter: CsvDelimiter): TableLine[] {
  const fail = (problems: readonly Problem[]): never => {
    throw documentError(code, problems);
  };
  const text = textOf(input, fail);
  const [head, ...body] = recordsOf(text, delimiter, fail);
  if (head === undefined) return fail([at(1, 1, "expected a line with the names of the columns, got nothing")]);
  const names = head.record;
  const problems: Problem[] = [];
  const [only = ""] = names;
  const other = csvDelimiters.find((one) => one !== delimiter && only.includes(one));
  if (names.length === 1 && other !== undefined)
    fail([
      at(
        1,
        1,
        `expected columns separated by ${delimiter}, got ${other}; say inventory.delimiter: "${other}" if it is meant so`,
      ),
    ]);
  names.forEach((name, index) => {
    if (name === "") problems.push(at(1, index + 1, "expected the name of a column, got an empty cell"));
    else if (names.indexOf(name) !== index)
      problems.push({ ...at(1, index + 1, "expected each column once, got one that stands before"), path: name });
  });
  const lines: TableLine[] = [];
  let from = head.info.lines + 1;
  for (const { record, info } of body) {
    const line = from;
    from = info.lines + 1;
    if (record.length !== names.length) {
      problems.push(
        at(line, Math.min(record.length, names.length), `expected ${names.length} cells, got ${record.length}`),
      );
      continue;
    }
    const cells = new Map<string, string>();
    record.forEach((cell, index) => {
      const name = names[index] ?? "";
      if (cell.length > documentLimits.textMax)
        problems.push({
          ...at(line, index + 1, `expected at most ${documentLimits.textMax} characters, got ${cell.length}`),
          path: name,
        });
      else if (cell !== "") cells.set(name, plainCell(cell));
    });
    lines.push({
      cells,
      place(column) {
        return { line, col: Math.max(1, names.indexOf(column) + 1) };
      },
    });
  }
  if (problems.length > 0) fail(problems);
  return lines;
}

const at = (line: number, col: number, message: string): Problem => ({ line, col, path: "", message });

function textOf(input: Uint8Array | string, fail: (problems: readonly Problem[]) => never): string {
  if (input.length > documentLimits.bytesMax)
    fail([at(1, 1, `expected at most ${documentLimits.bytesMax} bytes, got ${input.length}`)]);
  let text: string;
  try {
    text = (
      typeof input === "string" ? input : new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(input)
    ).replace(/^\ufeff/, "");
  } catch {
    return fail([at(1, 1, "expected UTF-8, got other bytes")]);
  }
  const hidden = hiddenCharacter(text);
  if (hidden !== null) {
    const before = text.slice(0, hidden.at).split("\n");
    fail([at(before.length, 1, `expected visible characters only, got ${hidden.name}`)]);
  }
  return text;
}

const causes: Readonly<Record<string, string>> = {
  CSV_QUOTE_NOT_CLOSED: "expected a closing quote, got the end of the file",
  CSV_INVALID_CLOSING_QUOTE: "expected a delimiter or the end of the line after a closing quote, got something else",
  INVALID_OPENING_QUOTE: "expected a quote only at the beginning of a cell or doubled inside quotes, got one elsewhere",
};

function recordsOf(text: string, delimiter: CsvDelimiter, fail: (problems: readonly Problem[]) => never): Parsed[] {
  try {
    return parse(text, {
      delimiter,
      info: true,
      record_delimiter: ["\r\n", "\n"],
      relax_column_count: true,
    }) as unknown as Parsed[];
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const { lines, column } = error as unknown as { readonly lines?: number; readonly column?: number };
    return fail([
      at(lines ?? 1, (column ?? 0) + 1, causes[error.code] ?? "expected CSV as in RFC 4180, got another form"),
    ]);
  }
}

/** What a spreadsheet would take for a formula, also behind apostrophes, so that taking one away gives back what was written. */
const formula = /^'*[=+\-@\t\r]/;

/** Takes the apostrophe away that {@link csvText} puts before a formula. */
function plainCell(cell: string): string {
  return cell.startsWith("'") && formula.test(cell.slice(1)) ? cell.slice(1) : cell;
}

/** A table as CSV (RFC 4180), and nothing in it that a spreadsheet would take for a formula. */
export function csvText(lines: readonly (readonly string[])[], delimiter: CsvDelimiter = ","): string {
  const cellText = (cell: string) => {
    const safe = formula.test(cell) ? `'${cell}` : cell;
    return safe.includes(delimiter) || /["\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return lines.map((line) => `${line.map(cellText).join(delimiter)}\r\n`).join("");
}
