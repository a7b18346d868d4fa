import { csvLine, plain, print, printJson, table } from "./output.ts";

/** Rows that the API is asked for at a time. */
export const pageSize = 200;
/** Rows that a person is shown; `--csv` and `--json` have all. */
const shownMax = 50;
/** More than this is no answer but a fault of the server. */
const pagesMax = 100_000;

type Facets = Readonly<Record<string, readonly { readonly value: string; readonly count: number }[]>>;

interface Page<T> {
  readonly items: readonly T[];
  readonly nextCursor: string | null;
  readonly total: number;
  readonly facets: Facets;
}

/** A list that the API gives page by page, and how its rows are written. */
export interface Listing<T, P extends Page<T> = Page<T>> {
  readonly ask: (cursor: string | null) => Promise<P>;
  /** What a person is told before the rows. */
  readonly counts: (page: P) => readonly string[];
  readonly head: readonly string[];
  readonly cells: (item: T) => readonly string[];
  readonly columns: readonly string[];
  /** What stands in each column of a line of CSV. */
  readonly values: (item: T) => readonly unknown[];
}

/** All rows, page after page. */
export async function* pages<T, P extends Pick<Page<T>, "items" | "nextCursor">>(
  ask: (cursor: string | null) => Promise<P>,
): AsyncGenerator<P> {
  let cursor: string | null = null;
  for (let count = 0; count < pagesMax; count += 1) {
    const page: P = await ask(cursor);
    yield page;
    cursor = page.nextCursor;
    if (cursor === null) return;
  }
}

/** Prints a list: its first rows for a person, all of them as one object with `json` or as lines with `csv`. */
export async function printListing<T, P extends Page<T>>(
  { ask, counts, head, cells, columns, values }: Listing<T, P>,
  { json, csv }: { readonly json?: boolean; readonly csv?: boolean },
): Promise<void> {
  if (json !== true && csv !== true) {
    const page = await ask(null);
    for (const line of counts(page)) print(line);
    const rows = page.items.slice(0, shownMax).map((item) => cells(item).map(plain));
    if (rows.length > 0) print(table(head, rows));
    if (page.total > rows.length) print(`${rows.length} of ${page.total}; --csv has all`);
    return;
  }
  const items: T[] = [];
  let last: Page<T> | null = null;
  if (csv === true) process.stdout.write(csvLine(columns));
  for await (const page of pages(ask)) {
    last = page;
    if (csv === true) for (const item of page.items) process.stdout.write(csvLine(values(item).map(text)));
    else items.push(...page.items);
  }
  if (json === true && last !== null) printJson({ total: last.total, facets: last.facets, items });
}

/** A line for each value of a facet. */
export function facetLines(facets: Facets, name: string): string[] {
  return (facets[name] ?? []).map(({ value, count }) => countLine(count, value));
}

export function countLine(count: number, what: string): string {
  return `${String(count).padStart(8)}  ${what}`;
}

/** A value as a cell holds it: nothing for null, an object as JSON. */
export function text(value: unknown): string {
  if (value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}
