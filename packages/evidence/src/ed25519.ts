import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { toBase64url } from "./base64.ts";
import { sha256Hex } from "./digest.ts";
import { assertThat } from "./errors.ts";

/** An Ed25519 public key, 32 raw bytes. */
export type RawPublicKey = Uint8Array;

/** What signs: a key file here, a key service elsewhere. `sign` answers a raw 64-byte Ed25519 signature. */
export interface Signer {
  /** Name on a signed note; for a log key the origin of the log. */
  readonly name: string;
  readonly type: "ed25519";
  readonly publicKey: RawPublicKey;
  sign(bytes: Uint8Array): Promise<Uint8Array>;
}

const cache = new Map<string, KeyObject>();

/** True if `signature` is the key's Ed25519 signature over `bytes`. Wrong lengths are false, never an exception. */
export function verifyEd25519(publicKey: RawPublicKey, bytes: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  try {
    return verify(null, bytes, keyObject(publicKey), signature);
  } catch {
    // OpenSSL refuses points that are not on the curve: such a key signs nothing.
    return false;
  }
}

/** First 8 hex digits of SHA-256 over the raw public key. A name, never a security input. */
export function keyIdOf(publicKey: RawPublicKey): string {
  assertThat(publicKey.length === 32, "bad-key", `expected a 32-byte Ed25519 key, got ${publicKey.length} bytes`);
  return sha256Hex(publicKey).slice(0, 8);
}

function keyObject(publicKey: RawPublicKey): KeyObject {
  const x = toBase64url(publicKey);
  let key = cache.get(x);
  if (key === undefined) {
    key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
    if (cache.size >= 64) cache.clear();
    cache.set(x, key);
  }
  return key;
}
