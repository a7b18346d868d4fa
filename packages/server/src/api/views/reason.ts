import { Reason } from "@countersign/contract";
import { CountersignError } from "@countersign/core";
import { reasonBytes } from "@countersign/engine";
import { digestOf, parseCanonical } from "@countersign/evidence";
import type { ApiStore, NewAttachment } from "../ports.ts";

/** A reason as an attachment: personal data stays out of the log, which holds only this digest. */
export function newReason(text: string): NewAttachment {
  const bytes = reasonBytes(text);
  return { digest: digestOf(bytes), kind: "reason", bytes };
}

/** Reads reason bytes that a caller sent back. */
export function readReason(bytes: Uint8Array): NewAttachment {
  const value = parseCanonical(bytes, 16_384) as { salt?: unknown; text?: unknown };
  const fine =
    typeof value === "object" &&
    value !== null &&
    Object.keys(value).sort().join() === "salt,text" &&
    /^[A-Za-z0-9_-]{22}$/.test(String(value.salt)) &&
    Reason.safeParse(value.text).success;
  if (!fine)
    throw new CountersignError(
      "INPUT_INVALID",
      "expected the reason attachment that the statement answer gave, got something else",
    );
  return { digest: digestOf(bytes), kind: "reason", bytes };
}

/** The text of a stored reason; null when there is none or it has been erased. */
export async function reasonText(store: ApiStore, digest: string | null): Promise<string | null> {
  const bytes = digest === null ? null : await store.attachment(digest);
  if (bytes === null) return null;
  try {
    return String((JSON.parse(new TextDecoder().decode(bytes)) as { text?: unknown }).text ?? "");
  } catch {
    // Reasons of our own services (a scan's) are plain text.
    return new TextDecoder().decode(bytes);
  }
}
