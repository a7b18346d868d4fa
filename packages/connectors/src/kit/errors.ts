import { CountersignError, type ErrorCode } from "@countersign/core";

/** What one failed exchange with an outside system says, before it becomes an error of ours. */
export interface Failure {
  readonly code: ErrorCode;
  /** Short name of the call, e.g. `application.addPassword`. */
  readonly call: string;
  readonly status: number | null;
  /** The vendor's code when it looks like one (see {@link identifier}). */
  readonly vendorCode: string | null;
  readonly requestId: string | null;
  /** True when it is certain that the request changed nothing: it never left, or was refused in so many words. */
  readonly refused: boolean;
  /** Domain milliseconds after which another try makes sense; null when none does. */
  readonly retryAfterMs: number | null;
  readonly message: string;
}

/** Makes the error; facts hold ids, numbers and short codes only, never a body (I7). */
export function outsideError(failure: Failure): CountersignError {
  return new CountersignError(failure.code, failure.message, {
    call: failure.call,
    status: failure.status,
    code: failure.vendorCode,
    requestId: failure.requestId,
    refused: failure.refused,
    retryAfterMs: failure.retryAfterMs,
  });
}

/** `text` when it has the form of an error code or id and repeats nothing of what was sent; else null. */
export function identifier(text: unknown, sent: string): string | null {
  if (typeof text !== "string" || !/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(text)) return null;
  // A hostile or careless server may echo the secret in a "code"; nothing that we sent comes back as a fact.
  if (text.length >= 6 && sent.includes(text)) return null;
  return text;
}

/** Which class an HTTP status belongs to; with words of the vendor's that it passes, a 400 is no fault of the request. */
export function classOf(status: number, passing = false): ErrorCode {
  if (status === 401) return "OUTSIDE_AUTH";
  if (status === 403) return "OUTSIDE_FORBIDDEN";
  if (status === 404 || status === 410) return "OUTSIDE_NOT_FOUND";
  if (status === 409 || status === 412) return "OUTSIDE_CONFLICT";
  if (status === 429) return "OUTSIDE_RATE_LIMITED";
  if (status >= 400 && status < 500) return passing ? "OUTSIDE_UNAVAILABLE" : "OUTSIDE_INVALID";
  if (status >= 500) return "OUTSIDE_UNAVAILABLE";
  return "OUTSIDE_MALFORMED";
}

/** Reads a fact of a {@link CountersignError}; null for anything else. */
export function factOf(error: unknown, name: string): string | number | boolean | null {
  return error instanceof CountersignError ? (error.facts[name] ?? null) : null;
}
