import { assertThat, show } from "./errors.ts";

/*
 * Small strict validators: a shape takes a parsed value and returns it typed, or throws `bad-shape` naming the path.
 * Unknown keys are refused; nothing has a default. (No schema library: this package has no dependency.)
 */

/** Checks a value found at `path` and returns it with its type. */
export type Shape<T> = (value: unknown, path: string) => T;
/** The type a shape returns. */
export type Shaped<S> = S extends Shape<infer T> ? T : never;

/** A string that matches `pattern` and has at most `charsMax` UTF-16 units. */
export function text(pattern: RegExp, meaning: string, charsMax: number): Shape<string> {
  return (value, path) => {
    const ok = typeof value === "string" && value.length <= charsMax && pattern.test(value);
    assertThat(ok, "bad-shape", () => `expected ${path} to be ${meaning}, got ${show(value)}`);
    return value;
  };
}

/** One of a closed list of strings. */
export function oneOf<const T extends string>(...choices: readonly T[]): Shape<T> {
  return (value, path) => {
    const ok = typeof value === "string" && (choices as readonly string[]).includes(value);
    assertThat(ok, "bad-shape", () => `expected ${path} to be ${choices.join(" | ")}, got ${show(value)}`);
    return value as T;
  };
}

/** An integer from `min` to `max`. */
export function integer(min = 0, max: number = Number.MAX_SAFE_INTEGER): Shape<number> {
  return (value, path) => {
    const ok = typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max;
    assertThat(ok, "bad-shape", () => `expected ${path} to be an integer from ${min} to ${max}, got ${show(value)}`);
    return value;
  };
}

/** True or false. */
export const boolean: Shape<boolean> = (value, path) => {
  assertThat(typeof value === "boolean", "bad-shape", () => `expected ${path} to be true or false, got ${show(value)}`);
  return value;
};

/** Null and nothing else. */
export const nothing: Shape<null> = (value, path) => {
  assertThat(value === null, "bad-shape", () => `expected ${path} to be null, got ${show(value)}`);
  return null;
};

/** The shape, or null. */
export function nullable<T>(shape: Shape<T>): Shape<T | null> {
  return (value, path) => (value === null ? null : shape(value, path));
}

/** A list with `min` to `max` items. */
export function list<T>(item: Shape<T>, min: number, max: number): Shape<readonly T[]> {
  return (value, path) => {
    const ok = Array.isArray(value) && value.length >= min && value.length <= max;
    assertThat(ok, "bad-shape", () => {
      const got = Array.isArray(value) ? `${value.length}` : show(value);
      return `expected ${path} to be a list of ${min} to ${max}, got ${got}`;
    });
    return (value as unknown[]).map((v, i) => item(v, `${path}[${i}]`));
  };
}

/** The items of a list, each once (compared as strings). */
export function distinct<T extends string>(shape: Shape<readonly T[]>): Shape<readonly T[]> {
  return (value, path) => {
    const items = shape(value, path);
    assertThat(new Set(items).size === items.length, "bad-shape", () => `expected ${path} to name each item once`);
    return items;
  };
}

/** An object with exactly these keys. */
export function object<F extends Record<string, Shape<unknown>>>(
  fields: F,
): Shape<{ readonly [K in keyof F]: Shaped<F[K]> }> {
  const keys = Object.keys(fields);
  return (value, path) => {
    assertThat(isRecord(value), "bad-shape", () => `expected ${path} to be an object, got ${show(value)}`);
    for (const key of Object.keys(value)) {
      assertThat(Object.hasOwn(fields, key), "bad-shape", () => `expected ${path} without key ${show(key)}`);
    }
    return pick(value, keys, fields, path);
  };
}

/** An object with exactly these keys, of which two must not hold the same: two people, two places. */
export function different<F extends Record<string, Shape<unknown>>>(
  fields: F,
  one: keyof F & string,
  other: keyof F & string,
): Shape<{ readonly [K in keyof F]: Shaped<F[K]> }> {
  const shape = object(fields);
  return (value, path) => {
    const found = shape(value, path);
    assertThat(
      found[one] !== found[other],
      "bad-shape",
      () => `expected ${path}.${other} to be another than ${path}.${one}`,
    );
    return found;
  };
}

/** An object with at least these keys; other keys are left out of the result. For documents another part owns. */
export function part<F extends Record<string, Shape<unknown>>>(
  fields: F,
): Shape<{ readonly [K in keyof F]: Shaped<F[K]> }> {
  const keys = Object.keys(fields);
  return (value, path) => {
    assertThat(isRecord(value), "bad-shape", () => `expected ${path} to be an object, got ${show(value)}`);
    return pick(value, keys, fields, path);
  };
}

function pick<F extends Record<string, Shape<unknown>>>(
  value: Record<string, unknown>,
  keys: readonly string[],
  fields: F,
  path: string,
): { readonly [K in keyof F]: Shaped<F[K]> } {
  const result: Record<string, unknown> = {};
  for (const key of keys) {
    assertThat(Object.hasOwn(value, key), "bad-shape", () => `expected ${path}.${key}, got nothing`);
    result[key] = (fields[key] as Shape<unknown>)(value[key], `${path}.${key}`);
  }
  return result as { readonly [K in keyof F]: Shaped<F[K]> };
}

/** An object used as a map: keys match `key`, at most `max` of them, every value has the shape. */
export function map<T>(key: RegExp, item: Shape<T>, max: number): Shape<{ readonly [key: string]: T }> {
  return (value, path) => {
    assertThat(isRecord(value), "bad-shape", () => `expected ${path} to be an object, got ${show(value)}`);
    const entries = Object.entries(value);
    assertThat(
      entries.length <= max,
      "bad-shape",
      () => `expected ${path} with at most ${max} keys, got ${entries.length}`,
    );
    return Object.fromEntries(
      entries.map(([k, v]) => {
        assertThat(key.test(k), "bad-shape", () => `expected ${path} without key ${show(k)}`);
        return [k, item(v, `${path}.${k}`)];
      }),
    );
  };
}

/** The first of several shapes that accepts. */
export function either<A, B>(a: Shape<A>, b: Shape<B>, accepts: (value: unknown) => boolean): Shape<A | B> {
  return (value, path) => (accepts(value) ? a(value, path) : b(value, path));
}

/** True for a plain JSON object. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
