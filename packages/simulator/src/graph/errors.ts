import type { FailureRequest, Incoming, Outcome, Reply } from "../http/exchange.ts";
import type { World } from "../world.ts";

const CONCURRENCY_TEXT = "Error due to concurrent requests being made to the tenant. Please wait briefly and retry.";

/** An error body as Graph writes it. */
export function graphError(world: World, incoming: Incoming, status: number, code: string, message: string): Reply {
  return {
    status,
    body: {
      error: {
        code,
        message,
        innerError: {
          date: new Date(world.clock.nowMs).toISOString().slice(0, 19),
          "request-id": incoming.requestId,
          "client-request-id": incoming.clientRequestId ?? incoming.requestId,
        },
      },
    },
  };
}

/** A refusal by the operation itself. */
export function refuse(world: World, incoming: Incoming, status: number, code: string, message: string): Outcome {
  return { reply: graphError(world, incoming, status, code, message), effect: false, code };
}

/** What a fault asks for, in Graph's words. */
export function graphFailure(world: World, request: FailureRequest, incoming: Incoming): Reply {
  const [code, message] = words(request);
  const reply = graphError(world, incoming, request.status, code, message);
  const headers: Record<string, string> = {};
  if (request.retryAfterSeconds !== null) headers["retry-after"] = String(request.retryAfterSeconds);
  if (request.status === 429) {
    headers["x-ms-throttle-scope"] = `Tenant_Application/ReadWrite/simulated/${world.tenant.id}`;
    headers["x-ms-throttle-information"] = "ResourceUnitLimitExceeded";
  }
  return { ...reply, headers };
}

function words({ status, variant }: FailureRequest): [string, string] {
  if (variant === "concurrency") {
    return [status === 400 ? "Request_BadRequest" : "Directory_ConcurrencyViolation", CONCURRENCY_TEXT];
  }
  switch (status) {
    case 400:
      return ["Request_BadRequest", "Invalid request."];
    case 401:
      return ["InvalidAuthenticationToken", "Access token has expired or is not yet valid."];
    case 403:
      return ["Authorization_RequestDenied", "Insufficient privileges to complete the operation."];
    case 404:
      return [
        "Request_ResourceNotFound",
        "Resource does not exist or one of its queried reference-property objects are not present.",
      ];
    case 429:
      return ["TooManyRequests", "Too many requests."];
    case 500:
      return ["Service_InternalServerError", "Encountered an internal server error."];
    default:
      return ["UnknownError", ""];
  }
}
