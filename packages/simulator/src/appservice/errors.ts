import type { FailureRequest, Outcome, Reply } from "../http/exchange.ts";

/** An error body as Azure Resource Manager writes it. */
function armError(status: number, code: string, message: string): Reply {
  return { status, body: { error: { code, message } } };
}

/** A refusal by the operation itself. */
export function refuseArm(status: number, code: string, message: string): Outcome {
  return { reply: armError(status, code, message), effect: false, code };
}

/** What a fault asks for, in the vendor's words. */
export function armFailure(request: FailureRequest): Reply {
  const [code, message] = words(request.status);
  const headers: Record<string, string> =
    request.retryAfterSeconds === null ? {} : { "retry-after": String(request.retryAfterSeconds) };
  return { ...armError(request.status, code, message), headers };
}

function words(status: number): [string, string] {
  switch (status) {
    case 401:
      return ["ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than current UTC time."];
    case 403:
      return ["AuthorizationFailed", "The client does not have authorization to perform the action."];
    case 404:
      return ["ResourceNotFound", "The Resource under resource group was not found."];
    case 409:
      return ["Conflict", "Cannot modify this site because another operation is in progress."];
    case 429:
      return ["TooManyRequests", "The request is being throttled as the limit has been reached."];
    default:
      return status < 500
        ? ["BadRequest", "The parameters are not valid."]
        : ["ServiceUnavailable", "Try again later."];
  }
}
