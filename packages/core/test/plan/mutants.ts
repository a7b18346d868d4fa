import type { Json } from "@countersign/evidence";

/** A plan with one thing changed, and where. */
export interface Mutant {
  readonly path: string;
  readonly value: Json;
}

/** Other values to put in a scalar's place; most are still well-formed where they stand. */
function others(value: Json): Json[] {
  if (typeof value === "number")
    return [value + 1, Math.max(0, value - 1), value * 2 + 3, 0].filter((n) => n !== value);
  if (typeof value === "boolean") return [!value];
  if (value === null) return ["something", 0];
  if (typeof value !== "string") return [];
  const flipped = [...value].map((char, at) => value.slice(0, at) + (char === "b" ? "c" : "b") + value.slice(at + 1));
  return [...flipped, `${value}x`, value.slice(1), value.toUpperCase(), `${value}\u200b`].filter(
    (text) => text !== value,
  );
}

/** Every single change: a scalar altered, a key removed or added, a list item removed, repeated or swapped. */
export function* mutantsOf(value: Json, path = "plan"): Generator<Mutant> {
  for (const other of others(value)) yield { path, value: other };
  if (Array.isArray(value)) {
    const items: readonly Json[] = value;
    for (const [at, item] of items.entries()) {
      const put = (...middle: Json[]): Json => [...items.slice(0, at), ...middle, ...items.slice(at + 1)];
      yield { path: `${path}[${at}] removed`, value: put() };
      yield { path: `${path}[${at}] repeated`, value: put(item, item) };
      const next = items[at + 1];
      if (next !== undefined && JSON.stringify(next) !== JSON.stringify(item)) {
        yield { path: `${path}[${at}] swapped`, value: [...items.slice(0, at), next, item, ...items.slice(at + 2)] };
      }
      for (const inner of mutantsOf(item, `${path}[${at}]`)) yield { path: inner.path, value: put(inner.value) };
    }
  } else if (typeof value === "object" && value !== null) {
    const object = value as { readonly [key: string]: Json };
    yield { path: `${path} + key`, value: { ...object, extra: 1 } };
    for (const [key, item] of Object.entries(object)) {
      const { [key]: _gone, ...rest } = object;
      yield { path: `${path}.${key} removed`, value: rest };
      for (const inner of mutantsOf(item, `${path}.${key}`)) {
        yield { path: inner.path, value: { ...object, [key]: inner.value } };
      }
    }
  }
}

/** The same value with the keys of every object in reverse order. */
export function reversed(value: Json): Json {
  if (Array.isArray(value)) return (value as readonly Json[]).map(reversed);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, item]) => [key, reversed(item)]),
  );
}
