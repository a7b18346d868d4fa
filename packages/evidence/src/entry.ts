import { canonicalBytes, type Json, parseCanonical } from "./canonical.ts";
import { absent, ENTRY_DATA, ENTRY_SCOPE, type EntryData, type EntryType } from "./entry-types.ts";
import { assertThat, show } from "./errors.ts";
import { leafHex, runId, salt, time } from "./fields.ts";
import { LIMITS } from "./limits.ts";
import { integer, object, type Shape } from "./shape.ts";

/** Where an entry stands in its run: all three null for an entry of no run. */
export type RunPlace =
  | { readonly run: string; readonly runSeq: number; readonly prevRunLeaf: string | null }
  | { readonly run: null; readonly runSeq: null; readonly prevRunLeaf: null };

/** One log entry of type T. */
export type EntryOf<T extends EntryType> = RunPlace & {
  /** Domain time, RFC 3339 UTC with milliseconds. */
  readonly at: string;
  readonly data: EntryData<T>;
  /** 16 random bytes, base64url. */
  readonly salt: string;
  readonly type: T;
  readonly v: 1;
};

/** Any log entry; `type` tells which `data`. */
export type Entry = { [T in EntryType]: EntryOf<T> }[EntryType];

/** An entry before its version is put on: what {@link encodeEntry} takes. */
export type EntryDraft = { [T in EntryType]: Omit<EntryOf<T>, "v"> & RunPlace }[EntryType];

const frame = object({
  at: time,
  data: (value: unknown) => value,
  prevRunLeaf: (value: unknown) => value,
  run: (value: unknown) => value,
  runSeq: (value: unknown) => value,
  salt,
  type: (value: unknown) => value,
  v: integer(1, 1),
});

const runSeq = integer(0, LIMITS.runEntriesMax - 1);

/** The canonical bytes of an entry. Throws `bad-shape` for anything {@link parseEntry} would refuse. */
export function encodeEntry(draft: EntryDraft): Uint8Array {
  const entry = checkEntry({ ...draft, v: 1 });
  const bytes = canonicalBytes(entry as unknown as Json);
  assertThat(
    bytes.length <= LIMITS.entryBytesMax,
    "too-large",
    () => `expected an entry of at most ${LIMITS.entryBytesMax} bytes, got ${bytes.length}`,
  );
  return bytes;
}

/**
 * Parses entry bytes from anywhere. Refuses: not canonical, above 65,535 bytes, unknown type, unknown or missing
 * key, any value outside its field's form.
 */
export function parseEntry(bytes: Uint8Array): Entry {
  return checkEntry(parseCanonical(bytes, LIMITS.entryBytesMax));
}

function checkEntry(value: unknown): Entry {
  const entry = frame(value, "entry");
  const { type } = entry;
  assertThat(
    typeof type === "string" && Object.hasOwn(ENTRY_DATA, type),
    "bad-shape",
    () => `expected a known entry type, got ${show(type)}`,
  );
  const known = type as EntryType;
  const data = (ENTRY_DATA[known] as Shape<unknown>)(entry.data, known);
  return { ...entry, ...checkPlace(known, entry), data, type: known } as Entry;
}

function checkPlace(type: EntryType, entry: { run: unknown; runSeq: unknown; prevRunLeaf: unknown }): RunPlace {
  const scope = ENTRY_SCOPE[type];
  if (scope === "log" || (scope === "either" && entry.run === null)) {
    return {
      run: absent(entry.run, "entry.run"),
      runSeq: absent(entry.runSeq, "entry.runSeq"),
      prevRunLeaf: absent(entry.prevRunLeaf, "entry.prevRunLeaf"),
    };
  }
  const seq = runSeq(entry.runSeq, "entry.runSeq");
  return {
    run: runId(entry.run, "entry.run"),
    runSeq: seq,
    prevRunLeaf:
      seq === 0 ? absent(entry.prevRunLeaf, "entry.prevRunLeaf") : leafHex(entry.prevRunLeaf, "entry.prevRunLeaf"),
  };
}
