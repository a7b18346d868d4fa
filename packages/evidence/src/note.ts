import { fromBase64, sameBytes, toBase64 } from "./base64.ts";
import { sha256 } from "./digest.ts";
import { type RawPublicKey, type Signer, verifyEd25519 } from "./ed25519.ts";
import { assertThat, show } from "./errors.ts";
import { LIMITS } from "./limits.ts";

/* C2SP signed-note and tlog-cosignature, Ed25519 only (types 0x01 and 0x04). */

/** Signature types we know: a plain note signature, and a witness's cosignature with a time. */
export const NOTE_ED25519 = 0x01;
/** Cosignature of a checkpoint (C2SP tlog-cosignature v1). */
export const COSIGNATURE_ED25519 = 0x04;

/** A public key as a note knows it. */
export interface NoteKey {
  readonly name: string;
  readonly type: typeof NOTE_ED25519 | typeof COSIGNATURE_ED25519;
  /** First four bytes of SHA256(name || 0x0A || type || key). */
  readonly keyHash: Uint8Array;
  readonly publicKey: RawPublicKey;
}

/** One signature line of a note. */
export interface NoteSignature {
  readonly name: string;
  readonly keyHash: Uint8Array;
  readonly signature: Uint8Array;
}

/** A parsed note. `text` ends with a newline and is what is signed. */
export interface Note {
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** Narrower than C2SP, which allows Unicode: readers differ on what a space is outside ASCII. */
const NAME = /^[\x21-\x2a\x2c-\x7e]{1,256}$/;
const SIGNATURE_LINE = /^\u2014 ([\x21-\x7e]+) ([A-Za-z0-9+/=]+)$/;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** The key as a note names it. Throws `bad-key` for a name with spaces or `+`, or a key of the wrong length. */
export function noteKey(name: string, publicKey: RawPublicKey, type: NoteKey["type"] = NOTE_ED25519): NoteKey {
  assertThat(NAME.test(name), "bad-key", `expected a key name without spaces or "+", got ${show(name)}`);
  assertThat(publicKey.length === 32, "bad-key", `expected a 32-byte Ed25519 key, got ${publicKey.length} bytes`);
  const keyHash = sha256(Buffer.concat([encoder.encode(`${name}\n`), Buffer.of(type), publicKey])).subarray(0, 4);
  return { name, type, keyHash, publicKey };
}

/** `name+hex(keyHash)+base64(type || key)`. */
export function formatVkey(key: NoteKey): string {
  const blob = toBase64(Buffer.concat([Buffer.of(key.type), key.publicKey]));
  return `${key.name}+${Buffer.from(key.keyHash).toString("hex")}+${blob}`;
}

/** Parses a verifier key and checks its key hash. */
export function parseVkey(vkey: string): NoteKey {
  const first = vkey.indexOf("+");
  const second = vkey.indexOf("+", first + 1);
  // Base64 itself contains "+": only the first two separate.
  assertThat(first > 0 && second > first, "bad-key", `expected name+hash+key, got ${show(vkey)}`);
  const blob = fromBase64(vkey.slice(second + 1), "a verifier key");
  const type = blob[0];
  assertThat(
    type === NOTE_ED25519 || type === COSIGNATURE_ED25519,
    "bad-key",
    `expected an Ed25519 verifier key, got type ${show(type)}`,
  );
  const key = noteKey(vkey.slice(0, first), blob.subarray(1), type);
  assertThat(formatVkey(key) === vkey, "bad-key", `expected the key hash of ${show(key.name)} to fit its key`);
  return key;
}

/** Parses a note without checking any signature. */
export function parseNote(bytes: Uint8Array): Note {
  assertThat(
    bytes.length <= LIMITS.noteBytesMax,
    "too-large",
    `expected a note of at most ${LIMITS.noteBytesMax} bytes`,
  );
  let whole: string;
  try {
    whole = utf8.decode(bytes);
  } catch {
    assertThat(false, "bad-note", "expected a note in UTF-8");
  }
  assertThat(!/[\x00-\x09\x0b-\x1f\x7f]/.test(whole), "bad-note", "expected a note without control characters");
  const split = whole.lastIndexOf("\n\n");
  assertThat(split >= 0 && whole.endsWith("\n"), "bad-note", "expected text, a blank line, then signatures");
  const lines = whole.slice(split + 2, -1).split("\n");
  assertThat(
    lines.length <= LIMITS.noteSignaturesMax,
    "too-large",
    `expected at most ${LIMITS.noteSignaturesMax} signatures`,
  );
  return { text: whole.slice(0, split + 1), signatures: lines.map(parseSignatureLine) };
}

function parseSignatureLine(line: string): NoteSignature {
  const [, name, blob] = SIGNATURE_LINE.exec(line) ?? [];
  assertThat(name !== undefined && blob !== undefined && NAME.test(name), "bad-note", "expected a signature line");
  const bytes = fromBase64(blob, "a note signature");
  assertThat(bytes.length > 4, "bad-note", "expected a key hash and a signature");
  return { name, keyHash: bytes.subarray(0, 4), signature: bytes.subarray(4) };
}

/** A note that at least one known key has signed. */
export interface VerifiedNote {
  readonly text: string;
  /** The known keys whose signatures hold, each once. */
  readonly signedBy: readonly NoteKey[];
}

/**
 * Parses a note and verifies the signatures of the keys given. Signatures of other keys are ignored; a failing one
 * of a known key refuses the whole note; so does a note that no known key has signed.
 */
export function verifyNote(bytes: Uint8Array, keys: readonly NoteKey[]): VerifiedNote {
  const note = parseNote(bytes);
  const signedBy = new Set<NoteKey>();
  for (const line of note.signatures) {
    const key = keys.find((k) => k.name === line.name && sameBytes(k.keyHash, line.keyHash));
    if (key === undefined) continue;
    assertThat(!signedBy.has(key), "bad-note", `expected one signature of ${show(key.name)}, got two`);
    assertThat(
      holds(note.text, key, line.signature),
      "bad-signature",
      `expected a valid signature of ${show(key.name)}`,
    );
    signedBy.add(key);
  }
  assertThat(signedBy.size > 0, "bad-signature", "expected a signature of a trusted key, got none");
  return { text: note.text, signedBy: [...signedBy] };
}

function holds(text: string, key: NoteKey, signature: Uint8Array): boolean {
  if (key.type === NOTE_ED25519) return verifyEd25519(key.publicKey, encoder.encode(text), signature);
  if (signature.length !== 72) return false;
  const time = Buffer.from(signature).readBigUInt64BE(0);
  const message = encoder.encode(`cosignature/v1\ntime ${time}\n${text}`);
  return verifyEd25519(key.publicKey, message, signature.subarray(8));
}

/** Signs a text (which must end with a newline) and returns the note's bytes. */
export async function signNote(text: string, signers: readonly Signer[]): Promise<Uint8Array> {
  assertThat(text.endsWith("\n") && text.length > 1, "bad-note", "expected a text that ends with a newline");
  const lines = await Promise.all(
    signers.map(async (signer) => {
      const { keyHash } = noteKey(signer.name, signer.publicKey);
      const signature = await signer.sign(encoder.encode(text));
      return `\u2014 ${signer.name} ${toBase64(Buffer.concat([keyHash, signature]))}\n`;
    }),
  );
  const bytes = encoder.encode(`${text}\n${lines.join("")}`);
  parseNote(bytes);
  return bytes;
}
