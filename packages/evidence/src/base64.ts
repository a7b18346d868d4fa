import { assertThat } from "./errors.ts";

/** Standard base64 with padding. */
export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

/** Strict standard base64: padded, no other characters, unused bits zero (so that one value has one spelling). */
export function fromBase64(text: string, what: string): Uint8Array {
  const bytes = Buffer.from(text, "base64");
  assertThat(bytes.toString("base64") === text, "bad-shape", `expected ${what} in canonical base64`);
  return bytes;
}

/** Base64url without padding. */
export function toBase64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64url");
}

/** Strict base64url without padding, unused bits zero. */
export function fromBase64url(text: string, what: string): Uint8Array {
  const bytes = Buffer.from(text, "base64url");
  assertThat(bytes.toString("base64url") === text, "bad-shape", `expected ${what} in canonical base64url`);
  return bytes;
}

/** Lower-case hex. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}

/** Equal length and equal bytes. Not constant time: nothing secret is compared here. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
