import { fromBase64, toBase64 } from "./base64.ts";
import { canonicalize, type Json } from "./canonical.ts";
import type { EnvelopeKey } from "./dsse.ts";
import { keyIdOf, type RawPublicKey } from "./ed25519.ts";
import { assertThat, EvidenceError, show } from "./errors.ts";
import { digest, id, origin, personId, role } from "./fields.ts";
import { LIMITS } from "./limits.ts";
import { NOTE_ED25519, type NoteKey, parseVkey } from "./note.ts";
import { boolean, distinct, integer, list, object, oneOf, type Shape, text } from "./shape.ts";

const publicKey: Shape<RawPublicKey> = (value, path) => {
  const ok = typeof value === "string" && value.length === 44;
  assertThat(ok, "bad-shape", `expected ${path} to be 32 bytes in base64, got ${show(value)}`);
  const bytes = fromBase64(value, path);
  assertThat(bytes.length === 32, "bad-shape", `expected ${path} to be 32 bytes`);
  return bytes;
};

const envelopeKey: Shape<EnvelopeKey> = (value, path) => {
  const key = object({ keyId: text(/^[0-9a-f]{8}$/, "a key id", 8), publicKey })(value, path);
  assertThat(
    key.keyId === keyIdOf(key.publicKey),
    "bad-key",
    `expected ${path}.keyId to fit its key, got ${show(key.keyId)}`,
  );
  return key;
};

const logKey: Shape<NoteKey> = (value, path) => {
  const { vkey } = object({ vkey: text(/^[\x21-\x7e]+$/, "a verifier key", 512) })(value, path);
  const key = parseVkey(vkey);
  // A witness's cosignature says "I saw this", not "this is the log".
  assertThat(key.type === NOTE_ED25519, "bad-key", `expected ${path} to be a log key, got a cosigner's`);
  return key;
};

const person = object({
  iss: id,
  level: oneOf("session", "idp", "passkey"),
  person: personId,
  roles: distinct(list(role, 0, 32)),
  sub: id,
});

const trustFile = object({
  inventories: list(object({ digest }), 0, LIMITS.trustListMax),
  logKeys: list(logKey, 1, 16),
  origin,
  people: list(person, 0, LIMITS.peopleMax),
  policies: list(object({ digest }), 0, LIMITS.trustListMax),
  profile: oneOf("demo", "test", "production"),
  runKeys: list(envelopeKey, 1, 16),
  sessionKeys: list(envelopeKey, 0, 16),
  solo: boolean,
  v: integer(1, 1),
});

/** A person as the trust file enrols them. */
export interface TrustedPerson {
  readonly person: string;
  readonly iss: string;
  readonly sub: string;
  readonly roles: readonly string[];
  readonly level: "session" | "idp" | "passkey";
}

/** Everything a verifier believes before it opens a bundle. Never taken from a bundle. */
export interface Trust {
  readonly origin: string;
  readonly profile: "demo" | "test" | "production";
  /** One person may hold several roles; such an installation may not act in prod. */
  readonly solo: boolean;
  readonly logKeys: readonly NoteKey[];
  readonly runKeys: readonly EnvelopeKey[];
  readonly sessionKeys: readonly EnvelopeKey[];
  readonly people: readonly TrustedPerson[];
  readonly policies: ReadonlySet<string>;
  readonly inventories: ReadonlySet<string>;
}

/** The trust file as data: what {@link writeTrust} takes. */
export interface TrustFile {
  readonly v: 1;
  readonly origin: string;
  readonly profile: "demo" | "test" | "production";
  readonly solo: boolean;
  readonly logKeys: readonly { readonly vkey: string }[];
  readonly runKeys: readonly { readonly keyId: string; readonly publicKey: string }[];
  readonly sessionKeys: readonly { readonly keyId: string; readonly publicKey: string }[];
  readonly people: readonly TrustedPerson[];
  readonly policies: readonly { readonly digest: string }[];
  readonly inventories: readonly { readonly digest: string }[];
}

/**
 * Parses trust.json. Any JSON layout is accepted (a person may edit it), but no unknown key, no key twice in an object,
 * no key, person or identity listed twice.
 */
export function parseTrust(bytes: Uint8Array): Trust {
  assertThat(
    bytes.length <= LIMITS.trustBytesMax,
    "too-large",
    `expected a trust file of at most ${LIMITS.trustBytesMax} bytes`,
  );
  const file = trustFile(parseJsonOnce(bytes), "trust");
  eachOnce(
    "key",
    [...file.logKeys, ...file.runKeys, ...file.sessionKeys].map((key) => toBase64(key.publicKey)),
  );
  eachOnce(
    "person",
    file.people.map((p) => p.person),
  );
  eachOnce(
    "identity",
    file.people.map((p) => JSON.stringify([p.iss, p.sub])),
  );
  for (const key of file.logKeys) {
    assertThat(key.name === file.origin, "bad-key", `expected log key ${show(key.name)} to bear the origin's name`);
  }
  return {
    origin: file.origin,
    profile: file.profile,
    solo: file.solo,
    logKeys: file.logKeys,
    runKeys: file.runKeys,
    sessionKeys: file.sessionKeys,
    people: file.people,
    policies: new Set(file.policies.map((p) => p.digest)),
    inventories: new Set(file.inventories.map((p) => p.digest)),
  };
}

/** The bytes of a trust file: indented for people, checked by parsing it again. */
export function writeTrust(file: TrustFile): Uint8Array {
  const sorted: unknown = JSON.parse(canonicalize(file as unknown as Json));
  const bytes = Buffer.from(`${JSON.stringify(sorted, null, 2)}\n`, "utf8");
  parseTrust(bytes);
  return bytes;
}

/** A key as the trust file lists it. */
export function trustedKey(key: RawPublicKey): { readonly keyId: string; readonly publicKey: string } {
  return { keyId: keyIdOf(key), publicKey: toBase64(key) };
}

function eachOnce(what: string, items: readonly string[]): void {
  // A key with two roles could sign in one place what it was asked to sign in another.
  assertThat(new Set(items).size === items.length, "bad-shape", `expected each ${what} once in the trust file`);
}

/** Parses JSON and refuses an object that has a key twice, which JSON.parse would read as the last one. */
function parseJsonOnce(bytes: Uint8Array): unknown {
  let text: string;
  let value: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    value = JSON.parse(text);
  } catch {
    throw new EvidenceError("bad-shape", "expected the trust file to be JSON in UTF-8");
  }
  // Every member has one colon outside strings: as many of them must survive parsing.
  const colons = text.replace(/"(?:[^"\\]|\\.)*"/g, "").split(":").length - 1;
  assertThat(colons === countMembers(value), "bad-shape", "expected each key once in every object of the trust file");
  return value;
}

function countMembers(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const items: unknown[] = Object.values(value);
  return items.reduce<number>((n, item) => n + countMembers(item), Array.isArray(value) ? 0 : items.length);
}
