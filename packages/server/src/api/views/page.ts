import { CountersignError } from "@countersign/core";

/** Keyset page over rows already in order: everything after the cursor's key, and counts of the whole. */
export function pageOf<T>(
  rows: readonly T[],
  keyOf: (row: T) => readonly (string | number)[],
  input: { readonly cursor?: string | undefined; readonly limit: number },
): { items: T[]; nextCursor: string | null; total: number } {
  const after = input.cursor === undefined ? null : decodeCursor(input.cursor);
  const start = after === null ? 0 : rows.findIndex((row) => JSON.stringify(keyOf(row)) === after) + 1;
  // A row that has left the list since: begin again rather than skip rows silently.
  const items = rows.slice(start, start + input.limit);
  const last = items.at(-1);
  const more = start + items.length < rows.length && last !== undefined;
  return { items, nextCursor: more ? encodeCursor(JSON.stringify(keyOf(last))) : null, total: rows.length };
}

export function encodeCursor(key: string): string {
  return Buffer.from(key).toString("base64url");
}

export function decodeCursor(cursor: string): string {
  const text = Buffer.from(cursor, "base64url").toString("utf8");
  if (encodeCursor(text) !== cursor)
    throw new CountersignError("INPUT_INVALID", "expected a cursor from an earlier answer, got something else");
  return text;
}

/** How often each value occurs, the most frequent first. */
export function facetOf(values: readonly string[]): { value: string; count: number }[] {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts]
    .map(([value, count]) => ({ value, count }))
    .sort((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1));
}

/**
 * Total and choices from counts by every word that can be chosen: each choice is counted without its own filter.
 * `wanted`: what is filtered by; undefined: not by this word.
 */
export function facetsOf<C extends { readonly count: number }, W extends { readonly [K in keyof C]?: unknown }>(
  counts: readonly C[],
  wanted: W,
): { total: number; facets: Record<string, { value: string; count: number }[]> } {
  const words = Object.keys(wanted) as (keyof C & keyof W & string)[];
  const fits = (count: C, except: string | null) =>
    words.every((word) => word === except || wanted[word] === undefined || wanted[word] === (count[word] as unknown));
  const sum = (of: readonly C[]) => of.reduce((total, { count }) => total + count, 0);
  const facet = (word: (typeof words)[number]) =>
    facetOfCounts(
      counts.filter((count) => fits(count, word)),
      (count) => String(count[word]),
    );
  return {
    total: sum(counts.filter((count) => fits(count, null))),
    facets: Object.fromEntries(words.map((word) => [word, facet(word)])),
  };
}

/** Counts added up by a word, the most frequent first. */
export function facetOfCounts<C extends { readonly count: number }>(
  counts: readonly C[],
  wordOf: (count: C) => string,
): { value: string; count: number }[] {
  return [...Map.groupBy(counts, wordOf)]
    .map(([value, of]) => ({ value, count: of.reduce((total, { count }) => total + count, 0) }))
    .sort((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1));
}
