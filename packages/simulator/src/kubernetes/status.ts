import type { FailureRequest, Outcome, Reply } from "../http/exchange.ts";

const REASONS: Readonly<Record<number, string>> = {
  400: "BadRequest",
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  409: "Conflict",
  415: "UnsupportedMediaType",
  422: "Invalid",
  429: "TooManyRequests",
  500: "InternalError",
  503: "ServiceUnavailable",
  504: "Timeout",
};

/** A `Status` object, which is how the API server refuses. */
export function status(code: number, message: string): Reply {
  const reason = REASONS[code] ?? "Unknown";
  return {
    status: code,
    body: { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason, code },
  };
}

export function refuseCluster(code: number, message: string): Outcome {
  return { reply: status(code, message), effect: false, code: REASONS[code] ?? String(code) };
}

export function clusterFailure({ status: code, retryAfterSeconds }: FailureRequest): Reply {
  const headers: Record<string, string> =
    retryAfterSeconds === null ? {} : { "retry-after": String(retryAfterSeconds) };
  return { ...status(code, "the request was refused"), headers };
}
