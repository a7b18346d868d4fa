import { createHmac, timingSafeEqual } from "node:crypto";
import type { SecretValue } from "@countersign/core";

/** Deliveries older or newer than this are refused (Standard Webhooks, verifying timestamps). */
export const toleranceMs = 5 * 60_000;

/** Which of the keys signed; null: none did, or the delivery is too old, too new or in another form. */
export type KeyIndex = number | null;

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * Standard Webhooks: `webhook-signature` holds one or more `v1,<base64>` over `{id}.{timestamp}.{body}`, HMAC SHA-256 with
 * the key's bytes (https://www.standardwebhooks.com, specification). `nowMs` is real time: a signature's age is no matter of domain time.
 */
export function signedBy(headers: Headers, body: Uint8Array, keys: readonly SecretValue[], nowMs: number): KeyIndex {
  const [id, stamp, signatures] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) => headers[name]);
  if (typeof id !== "string" || typeof stamp !== "string" || typeof signatures !== "string") return null;
  if (!/^[\x21-\x7e]{1,200}$/.test(id) || !/^\d{1,12}$/.test(stamp) || signatures.length > 2_000) return null;
  if (Math.abs(nowMs - Number(stamp) * 1_000) > toleranceMs) return null;
  const given = signatures
    .split(" ")
    .filter((part) => part.startsWith("v1,"))
    .map((part) => Buffer.from(part.slice(3), "base64"));
  const found = keys.findIndex((key) => {
    const wanted = createHmac("sha256", keyBytes(key)).update(`${id}.${stamp}.`).update(body).digest();
    return given.some((one) => one.length === wanted.length && timingSafeEqual(one, wanted));
  });
  return found === -1 ? null : found;
}

/** `whsec_<base64>`, or the bytes themselves. */
function keyBytes(key: SecretValue): Uint8Array {
  const text = key.reveal();
  return text.startsWith("whsec_") ? Buffer.from(text.slice(6), "base64") : Buffer.from(text);
}

/** Whether a header holds one of the keys, as Event Grid sends it as a delivery attribute. */
export function presentedKey(header: Headers[string], keys: readonly SecretValue[]): KeyIndex {
  if (typeof header !== "string" || header.length > 1_000) return null;
  const given = digest(header);
  const found = keys.findIndex((key) => timingSafeEqual(given, digest(key.reveal())));
  return found === -1 ? null : found;
}

/** Of one length whatever the text, so that comparing takes the same time. */
function digest(text: string): Buffer {
  return createHmac("sha256", "countersign/hook").update(text).digest();
}
