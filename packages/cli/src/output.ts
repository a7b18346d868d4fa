import { CountersignError, csvText } from "@countersign/core";

/** Exit codes of the command line; docs/cli.md lists them. */
export const exit = { ok: 0, failed: 1, usage: 2, noTrust: 3, startAgain: 70 } as const;

/** Writes the one JSON object of `--json` on stdout. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value));
}

/** What was asked for, for a person, on stdout; with `--json` nothing but the one object goes there. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** How it goes, and what went wrong, on stderr. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** A plain table; columns are as wide as their widest cell, and cut at `cellCharsMax`. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cellCharsMax = 60;
  const cut = (cell: string) => (cell.length > cellCharsMax ? `${cell.slice(0, cellCharsMax - 1)}…` : cell);
  const all = [head, ...rows].map((row) => row.map(cut));
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** Names come from a directory: nothing that could move the cursor of a terminal gets there. */
export function plain(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, " ");
}

/** A line of CSV (RFC 4180), with nothing in it that a spreadsheet would take for a formula. */
export function csvLine(cells: readonly string[]): string {
  return csvText([cells]);
}

/** A day, or an instant, as the API takes it. */
export function timeOf(text: string): string {
  const at = Date.parse(text);
  if (!/^\d{4}-\d{2}-\d{2}/.test(text) || Number.isNaN(at))
    throw new CountersignError("INPUT_INVALID", `expected a day such as 2026-11-01 or a time, got ${text}`);
  return new Date(at).toISOString();
}
