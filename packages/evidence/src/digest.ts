import { hash } from "node:crypto";
import { canonicalBytes, type Json } from "./canonical.ts";
import { assertThat, show } from "./errors.ts";

/** `sha256:` and 64 lower-case hex digits. */
export type Digest = `sha256:${string}`;

const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** SHA-256, 32 bytes. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return hash("sha256", bytes, "buffer");
}

/** SHA-256 as 64 lower-case hex digits. */
export function sha256Hex(bytes: Uint8Array): string {
  return hash("sha256", bytes, "hex");
}

/** The digest of bytes as they are, or of the canonical form of a JSON value. A string is a JSON value, not bytes. */
export function digestOf(value: Uint8Array | Json): Digest {
  return `sha256:${sha256Hex(value instanceof Uint8Array ? value : canonicalBytes(value))}`;
}

/** True for a well-formed digest. */
export function isDigest(value: unknown): value is Digest {
  return typeof value === "string" && DIGEST.test(value);
}

/** The 64 hex digits of a digest: its name as a file. */
export function digestHex(digest: string): string {
  assertThat(isDigest(digest), "bad-shape", `expected a sha256 digest, got ${show(digest)}`);
  return digest.slice("sha256:".length);
}
