/** Every reason this package refuses something. Closed: a caller may switch over it. */
export const EVIDENCE_CODES = [
  "not-canonical",
  "too-large",
  "bad-shape",
  "bad-note",
  "bad-key",
  "bad-signature",
  "bad-proof",
  "bad-zip",
  "bad-bundle",
  "unreadable",
  "refused",
] as const;

/** One of {@link EVIDENCE_CODES}. */
export type EvidenceCode = (typeof EVIDENCE_CODES)[number];

/** The only error this package throws on purpose. The message says what was expected and what was found. */
export class EvidenceError extends Error {
  override readonly name = "EvidenceError";
  readonly code: EvidenceCode;

  constructor(code: EvidenceCode, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * Throws an {@link EvidenceError} unless `condition` holds. Where a check is made for every field of every entry, the
 * message is a function: most checks hold, and writing what nobody reads would cost more than the check.
 */
export function assertThat(
  condition: boolean,
  code: EvidenceCode,
  message: string | (() => string),
): asserts condition {
  if (!condition) throw new EvidenceError(code, typeof message === "string" ? message : message());
}

/** A short printable picture of an attacker-controlled value, safe inside an error message. */
export function show(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "a list" : "an object";
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  const printable = text.replace(/[^\x20-\x7e]/g, "?");
  return printable.length > 80 ? `${printable.slice(0, 77)}...` : printable;
}
