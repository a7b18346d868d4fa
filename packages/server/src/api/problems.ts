import { type Problem, type ProblemCode, problemStatus } from "@countersign/contract";
import { CountersignError, type ErrorCode, errorCodes } from "@countersign/core";
import { EvidenceError } from "@countersign/evidence";
import { InvalidRequest } from "./validator.ts";

/** Codes that stay inside the product, with what an HTTP caller is told instead. */
const outward: Partial<Record<ErrorCode, ProblemCode>> = {
  STALE_FENCE: "CONFLICT",
  LOCK_HELD: "CONFLICT",
  OUTSIDE_RATE_LIMITED: "OUTSIDE_UNAVAILABLE",
  OUTSIDE_MALFORMED: "OUTSIDE_UNAVAILABLE",
  OUTSIDE_UNKNOWN: "OUTSIDE_UNAVAILABLE",
  DEADLINE_PASSED: "OUTSIDE_UNAVAILABLE",
};

/** The closed code, and fields by JSON pointer, of whatever was thrown. */
export function problemOf(error: unknown, requestId: string): Problem {
  const { code, detail, errors, status } = classify(error);
  return {
    type: `/problems/${code}`,
    title: errorCodes[code],
    status: status ?? problemStatus[code],
    code,
    ...(detail === undefined ? {} : { detail }),
    instance: `urn:request:${requestId}`,
    ...(errors === undefined ? {} : { errors }),
  };
}

interface Classified {
  readonly code: ProblemCode;
  readonly status?: number;
  readonly detail?: string;
  readonly errors?: { pointer: string; detail: string }[];
}

function classify(error: unknown): Classified {
  if (error instanceof InvalidRequest) {
    const errors = error.mistakes.map(({ path, key, message }) => ({
      pointer: [...path, ...(key === null ? [] : [key])].map(pointed).join(""),
      detail: message,
    }));
    return { code: "INPUT_INVALID", detail: error.message, errors };
  }
  if (error instanceof CountersignError) {
    const code = error.code in problemStatus ? (error.code as ProblemCode) : (outward[error.code] ?? "UNEXPECTED");
    const status = typeof error.facts.status === "number" ? { status: error.facts.status } : {};
    return problemStatus[code] >= 500 ? { code } : { code, detail: error.message, ...status };
  }
  if (error instanceof EvidenceError) return { code: "INPUT_INVALID", detail: error.message };
  const { statusCode, code, message } = error as { statusCode?: number; code?: string; message?: string };
  if (statusCode === 413)
    return { code: "LIMIT_EXCEEDED", detail: "expected a smaller body, got more bytes than this address takes" };
  if (statusCode === 415)
    return { code: "INPUT_INVALID", status: 415, detail: "expected content-type application/json, got another" };
  if (statusCode === 404) return { code: "NOT_FOUND" };
  if (statusCode === 429) return { code: "RATE_LIMITED", detail: message ?? "" };
  if (statusCode !== undefined && statusCode < 500)
    return { code: "INPUT_INVALID", detail: "expected well-formed JSON, got something else" };
  // PostgreSQL classes 08, 53, 57 and the driver's own socket errors: the database is away, the caller may try again.
  if (typeof code === "string" && /^(08|53|57)...$|^E(CONNREFUSED|CONNRESET|PIPE|TIMEDOUT)$/.test(code))
    return { code: "DATABASE_UNAVAILABLE" };
  return { code: "UNEXPECTED" };
}

/** One step of a JSON pointer (RFC 6901, section 3). */
function pointed(part: PropertyKey): string {
  return `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`;
}
