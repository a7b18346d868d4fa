import type { FailureRequest, Outcome, Reply } from "../http/exchange.ts";

/** An error body as the vault writes it. */
export function vaultError(status: number, code: string, message: string, inner: string | null): Reply {
  const error = inner === null ? { code, message } : { code, message, innererror: { code: inner } };
  return { status, body: { error } };
}

/** A refusal by the operation itself. */
export function refuseVault(status: number, code: string, message: string, inner: string | null = null): Outcome {
  return { reply: vaultError(status, code, message, inner), effect: false, code: inner ?? code };
}

/** What a fault asks for, in the vault's words. */
export function vaultFailure(request: FailureRequest): Reply {
  const [code, message, inner] = words(request.status);
  const headers: Record<string, string> =
    request.retryAfterSeconds === null ? {} : { "retry-after": String(request.retryAfterSeconds) };
  return { ...vaultError(request.status, code, message, inner), headers };
}

function words(status: number): [string, string, string | null] {
  switch (status) {
    case 400:
      return ["BadParameter", "The request is invalid.", null];
    case 401:
      return ["Unauthorized", "[TokenExpired] Error validating token: IDX10223.", null];
    case 403:
      return ["Forbidden", "Caller is not authorized to perform action on resource.", "ForbiddenByRbac"];
    case 404:
      return ["SecretNotFound", "A secret with (name/id) was not found in this key vault.", null];
    case 409:
      return ["Conflict", "The request could not be completed due to a conflict with the current state.", null];
    case 429:
      return ["Throttled", "Request was not processed because too many requests were received.", null];
    default:
      return ["InternalServerError", "The service is temporarily unavailable.", null];
  }
}
