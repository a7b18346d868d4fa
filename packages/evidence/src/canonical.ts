import { assertThat, EvidenceError, show } from "./errors.ts";
import { LIMITS } from "./limits.ts";

/** What a canonical document can hold: integers only, no floats; decimals and large ids travel as strings. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

const KEY = /^[\x20\x21\x23-\x5b\x5d-\x7e]{1,128}$/;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/**
 * Restricted JCS (RFC 8785): keys are printable ASCII and sorted, numbers are integers within 2^53-1, strings are
 * well-formed Unicode with the shortest escapes. Throws `not-canonical` on anything that has no such form.
 */
export function canonicalize(value: Json): string {
  return write(value, 0);
}

/** The canonical UTF-8 bytes of a value: what is hashed and signed. */
export function canonicalBytes(value: Json): Uint8Array {
  return encoder.encode(canonicalize(value));
}

/** Parses bytes, refusing any that are not exactly what {@link canonicalize} would have written. */
export function parseCanonical(bytes: Uint8Array, bytesMax: number = LIMITS.planBytesMax): Json {
  checkCanonical(bytes, bytesMax);
  return JSON.parse(utf8.decode(bytes)) as Json;
}

function write(value: Json, depth: number): string {
  assertThat(
    depth <= LIMITS.jsonDepthMax,
    "not-canonical",
    () => `expected at most ${LIMITS.jsonDepthMax} levels, got more`,
  );
  if (value === null || value === true || value === false) return String(value);
  if (typeof value === "number") {
    assertThat(
      Number.isSafeInteger(value) && !Object.is(value, -0),
      "not-canonical",
      () => `expected an integer within 2^53-1, got ${show(value)}`,
    );
    return String(value);
  }
  if (typeof value === "string") {
    assertThat(value.isWellFormed(), "not-canonical", "expected well-formed Unicode, got a lone surrogate");
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) {
    const items: string[] = [];
    // An index loop, since map() would pass over the holes of a sparse list.
    for (let i = 0; i < value.length; i++) items.push(write(value[i] as Json, depth + 1));
    return `[${items.join(",")}]`;
  }
  assertThat(isPlainObject(value), "not-canonical", () => `expected JSON data, got ${typeof value}`);
  const members = Object.keys(value)
    .sort()
    .map((key) => {
      assertThat(KEY.test(key), "not-canonical", () => `expected a printable ASCII key, got ${show(key)}`);
      return `"${key}":${write(value[key] as Json, depth + 1)}`;
    });
  return `{${members.join(",")}}`;
}

function isPlainObject(value: unknown): value is { readonly [key: string]: Json } {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

// ---- the byte scanner -------------------------------------------------------------------------------------------
// One pass, no values built, no second serialisation: verifying a million entries spends its time here.

const PLAIN = 1;
const CLASS = new Uint8Array(256);
for (let c = 0x20; c < 0x80; c++) CLASS[c] = PLAIN;
CLASS[0x22] = 0;
CLASS[0x5c] = 0;

/** Throws `not-canonical` unless the bytes are one canonical document; `too-large` above `bytesMax`. */
export function checkCanonical(bytes: Uint8Array, bytesMax: number = LIMITS.planBytesMax): void {
  assertThat(bytes.length <= bytesMax, "too-large", () => `expected at most ${bytesMax} bytes, got ${bytes.length}`);
  const end = scanValue(bytes, 0, 0);
  if (end !== bytes.length) fail(end, "the end of the document");
}

function fail(at: number, expected: string): never {
  throw new EvidenceError("not-canonical", `expected ${expected} at byte ${at}`);
}

function scanValue(b: Uint8Array, i: number, depth: number): number {
  switch (b[i]) {
    case 0x22:
      return scanString(b, i + 1);
    case 0x7b:
      return scanObject(b, i + 1, depth + 1);
    case 0x5b:
      return scanArray(b, i + 1, depth + 1);
    case 0x74:
      return scanWord(b, i, "true");
    case 0x66:
      return scanWord(b, i, "false");
    case 0x6e:
      return scanWord(b, i, "null");
    default:
      return scanInteger(b, i);
  }
}

function scanWord(b: Uint8Array, i: number, word: string): number {
  for (let k = 0; k < word.length; k++) if (b[i + k] !== word.charCodeAt(k)) fail(i, word);
  return i + word.length;
}

function scanInteger(b: Uint8Array, start: number): number {
  let i = start;
  const negative = b[i] === 0x2d;
  if (negative) i++;
  const first = b[i];
  if (first === undefined || first < 0x30 || first > 0x39) fail(i, "a value without whitespace");
  let magnitude = 0;
  let digits = 0;
  for (let c = b[i]; c !== undefined && c >= 0x30 && c <= 0x39; c = b[++i]) {
    magnitude = magnitude * 10 + (c - 0x30);
    if (++digits > 16) fail(i, "an integer within 2^53-1");
  }
  if (first === 0x30 && (digits > 1 || negative)) fail(start, "an integer without leading zero");
  // 16 digits lose no more than the last unit, which is far above the bound where it could matter: 2^53-1 has 16
  // digits, and every decimal up to 2^53 is exact.
  if (magnitude > Number.MAX_SAFE_INTEGER) fail(start, "an integer within 2^53-1");
  return i;
}

function scanArray(b: Uint8Array, start: number, depth: number): number {
  if (depth > LIMITS.jsonDepthMax) fail(start, `at most ${LIMITS.jsonDepthMax} levels`);
  if (b[start] === 0x5d) return start + 1;
  let i = scanValue(b, start, depth);
  while (b[i] === 0x2c) i = scanValue(b, i + 1, depth);
  if (b[i] !== 0x5d) fail(i, "a comma or the end of the list");
  return i + 1;
}

function scanObject(b: Uint8Array, start: number, depth: number): number {
  if (depth > LIMITS.jsonDepthMax) fail(start, `at most ${LIMITS.jsonDepthMax} levels`);
  if (b[start] === 0x7d) return start + 1;
  let i = start;
  let previousStart = 0;
  let previousEnd = 0;
  for (;;) {
    if (b[i] !== 0x22) fail(i, "a key");
    const keyStart = ++i;
    while (CLASS[b[i] as number] === PLAIN && b[i] !== 0x7f) i++;
    if (b[i] !== 0x22) fail(i, "a printable ASCII key");
    if (i === keyStart || i - keyStart > LIMITS.keyCharsMax) fail(i, `a key of 1 to ${LIMITS.keyCharsMax} characters`);
    // previousEnd is 0 only for the first key: a key can never end at byte 0.
    if (previousEnd !== 0 && !ascends(b, previousStart, previousEnd, keyStart, i))
      fail(keyStart, "keys in order, each once");
    previousStart = keyStart;
    previousEnd = i;
    if (b[++i] !== 0x3a) fail(i, "a colon");
    i = scanValue(b, i + 1, depth);
    if (b[i] === 0x7d) return i + 1;
    if (b[i] !== 0x2c) fail(i, "a comma or the end of the object");
    i++;
  }
}

function ascends(b: Uint8Array, aStart: number, aEnd: number, cStart: number, cEnd: number): boolean {
  const length = Math.min(aEnd - aStart, cEnd - cStart);
  for (let k = 0; k < length; k++) {
    const difference = (b[aStart + k] as number) - (b[cStart + k] as number);
    if (difference !== 0) return difference < 0;
  }
  return aEnd - aStart < cEnd - cStart;
}

function scanString(b: Uint8Array, start: number): number {
  let i = start;
  for (;;) {
    while (CLASS[b[i] as number] === PLAIN) i++;
    const c = b[i];
    if (c === 0x22) return i + 1;
    if (c === 0x5c) i = scanEscape(b, i + 1);
    else if (c === undefined || c < 0x20) fail(i, "a string without raw control characters");
    else i = scanUtf8(b, i, c);
  }
}

function scanEscape(b: Uint8Array, i: number): number {
  switch (b[i]) {
    case 0x22: // "
    case 0x5c: // \
    case 0x62: // b
    case 0x66: // f
    case 0x6e: // n
    case 0x72: // r
    case 0x74: // t
      return i + 1;
    case 0x75:
      break;
    default:
      fail(i, "a shortest escape");
  }
  const high = b[i + 3];
  const low = b[i + 4];
  const isLowHex = low !== undefined && ((low >= 0x30 && low <= 0x39) || (low >= 0x61 && low <= 0x66));
  if (b[i + 1] !== 0x30 || b[i + 2] !== 0x30 || (high !== 0x30 && high !== 0x31) || !isLowHex)
    fail(i, "a shortest escape");
  // U+0008, 9, A, C and D have a two-character escape, which is the canonical one.
  const hasShort = low === 0x38 || low === 0x39 || low === 0x61 || low === 0x63 || low === 0x64;
  if (high === 0x30 && hasShort) fail(i, "a shortest escape");
  return i + 5;
}

/** Well-formed UTF-8 only (Unicode table 3-7): no overlong forms, no surrogates, nothing above U+10FFFF. */
function scanUtf8(b: Uint8Array, i: number, lead: number): number {
  const second = b[i + 1] ?? 0;
  if (lead >= 0xc2 && lead <= 0xdf) {
    if (isTail(second)) return i + 2;
  } else if (lead >= 0xe0 && lead <= 0xef) {
    const ok = isTail(second) && (lead !== 0xe0 || second >= 0xa0) && (lead !== 0xed || second <= 0x9f);
    if (ok && isTail(b[i + 2] ?? 0)) return i + 3;
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    const ok = isTail(second) && (lead !== 0xf0 || second >= 0x90) && (lead !== 0xf4 || second <= 0x8f);
    if (ok && isTail(b[i + 2] ?? 0) && isTail(b[i + 3] ?? 0)) return i + 4;
  }
  return fail(i, "well-formed UTF-8");
}

function isTail(c: number): boolean {
  return c >= 0x80 && c <= 0xbf;
}
