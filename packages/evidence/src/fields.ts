import { fromBase64, fromBase64url } from "./base64.ts";
import type { Digest } from "./digest.ts";
import { assertThat, show } from "./errors.ts";
import { boolean, either, integer, isRecord, list, map, nothing, object, type Shape, text } from "./shape.ts";

/* The vocabulary of fields: every value in an entry, a statement or a trust file has one of these forms. */

const DIGEST = /^sha256:[0-9a-f]{64}$/;
/** A printable-ASCII token without spaces: long enough for a cloud resource path, too narrow for prose. */
const ID = /^[\x21-\x7e]+$/;
const CODE = /^[A-Za-z0-9][A-Za-z0-9_.:/@-]*$/;
const FACT_KEY = /^[A-Za-z][A-Za-z0-9_.:-]{0,63}$/;
const TIME = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$/;

/** `run_` and 26 characters of lower-case Crockford base32. */
export const runId: Shape<string> = text(/^run_[0-9a-hjkmnp-tv-z]{26}$/, "a run id", 30);
/** `p_` and 16 hex digits: an opaque person. */
export const personId: Shape<string> = text(/^p_[0-9a-f]{16}$/, "a person id", 18);
/** A person, or a part of the product acting by schedule. */
export const actorId: Shape<string> = text(
  /^(p_[0-9a-f]{16}|system:[a-z][a-z-]{0,30})$/,
  "a person id or system:name",
  40,
);
/** An outside or inside identifier: printable ASCII, no spaces, at most 256 characters. */
export const id: Shape<string> = text(ID, "an id of printable ASCII without spaces", 256);
/** A short code out of a closed list somewhere in the product. */
export const code: Shape<string> = text(CODE, "a short code", 96);
/** A role people hold towards an application. */
export const role: Shape<string> = text(/^[a-z][a-z0-9-]{0,31}$/, "a role", 32);
/** A step's id in its plan. */
export const stepId: Shape<string> = text(/^[A-Za-z0-9][A-Za-z0-9_.:@-]{0,99}$/, "a step id", 100);
/** `system.act@major`. */
export const verb: Shape<string> = text(/^[a-z][A-Za-z0-9-]*(\.[A-Za-z0-9-]+)+@[1-9][0-9]{0,3}$/, "verb@major", 96);
/** `name@major`. */
export const procedureName: Shape<string> = text(/^[a-z][a-z0-9-]*@[1-9][0-9]{0,3}$/, "procedure@major", 96);
/** The name of a log: no spaces, no plus sign (C2SP note names). */
export const origin: Shape<string> = text(/^[\x21-\x2a\x2c-\x7e]+$/, "a log origin", 128);
/** An address or query as it was sent: printable ASCII. */
export const query: Shape<string> = text(/^[\x20-\x7e]*$/, "printable ASCII", 2_048);
/** A count or whole number, not negative. */
export const count: Shape<number> = integer(0);

/** `sha256:` and 64 lower-case hex digits. */
export const digest: Shape<Digest> = (value, path) => {
  assertThat(
    typeof value === "string" && DIGEST.test(value),
    "bad-shape",
    () => `expected ${path} to be a sha256 digest, got ${show(value)}`,
  );
  return value as Digest;
};

/** RFC 3339 in UTC with milliseconds and `Z`, naming an instant that exists. */
export const time: Shape<string> = (value, path) => {
  const ok = typeof value === "string" && TIME.test(value);
  assertThat(ok, "bad-shape", () => `expected ${path} to be a UTC time with milliseconds, got ${show(value)}`);
  const ms = Date.parse(value);
  // February 30 and 24:00 either fail to parse or come back as another instant.
  assertThat(
    Number.isFinite(ms) && new Date(ms).toISOString() === value,
    "bad-shape",
    () => `expected ${path} to be a time that exists, got ${show(value)}`,
  );
  return value;
};

/** 16 random bytes in base64url: keeps undisclosed leaf hashes unguessable. */
export const salt: Shape<string> = (value, path) => {
  assertThat(
    typeof value === "string" && value.length === 22,
    "bad-shape",
    () => `expected ${path} to be 16 bytes in base64url`,
  );
  fromBase64url(value, path);
  return value;
};

/** 32 bytes in standard base64: a Merkle root. */
export const root: Shape<string> = (value, path) => {
  assertThat(
    typeof value === "string" && value.length === 44,
    "bad-shape",
    () => `expected ${path} to be 32 bytes in base64`,
  );
  assertThat(fromBase64(value, path).length === 32, "bad-shape", () => `expected ${path} to be 32 bytes`);
  return value;
};

/** 64 lower-case hex digits, or null. */
export const leafHex: Shape<string> = text(/^[0-9a-f]{64}$/, "a leaf hash in hex", 64);

/** A reference to a checkpoint. */
export const checkpoint = object({ origin, root, size: integer(1) });

/** One fact: null, true, false, an integer, or at most 600 characters without control characters. */
export type Fact = null | boolean | number | string;
/** A fact, or a list or map of facts, at most four levels deep. */
export type FactTree = Fact | readonly FactTree[] | { readonly [key: string]: FactTree };
/** A map of facts. */
export type FactMap = { readonly [key: string]: FactTree };

/** No C0, DEL, C1, line and paragraph separators, nor bidirectional overrides: nothing that could repaint a terminal. */
const factText = text(
  /^[^\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]{0,600}$/u,
  "at most 600 characters without control characters",
  1_200,
);

/** A single fact. */
export const fact: Shape<Fact> = (value, path) => {
  if (value === null) return nothing(value, path);
  if (typeof value === "boolean") return boolean(value, path);
  if (typeof value === "number") return integer(-Number.MAX_SAFE_INTEGER)(value, path);
  return factText(value, path);
};

const FACT_LEVELS_MAX = 4;

function factTree(level: number): Shape<FactTree> {
  return (value, path) => {
    if (typeof value !== "object" || value === null) return fact(value, path);
    assertThat(level < FACT_LEVELS_MAX, "bad-shape", () => `expected ${path} with at most ${FACT_LEVELS_MAX} levels`);
    const item = factTree(level + 1);
    return Array.isArray(value) ? list(item, 0, 256)(value, path) : map(FACT_KEY, item, 64)(value, path);
  };
}

/** A map of up to 64 facts; lists (up to 256) and maps nest to four levels, this map being the first. */
export const facts: Shape<FactMap> = map(FACT_KEY, factTree(1), 64);

/** A flat map of up to 32 ids of outside things. */
export const ids: Shape<{ readonly [key: string]: Fact | readonly Fact[] }> = map(
  FACT_KEY,
  either(list(fact, 0, 256), fact, Array.isArray),
  32,
);

/** Facts with a `code` that says why. */
export const because: Shape<FactMap & { readonly code: string }> = (value, path) => {
  const all = facts(value, path);
  assertThat(isRecord(value), "bad-shape", () => `expected ${path} to be an object`);
  return { ...all, code: code(value["code"], `${path}.code`) };
};
