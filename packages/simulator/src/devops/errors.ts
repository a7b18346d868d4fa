import type { FailureRequest, Outcome, Reply } from "../http/exchange.ts";

/** An error body as Azure DevOps writes it. */
function devopsError(status: number, typeKey: string, message: string): Reply {
  return {
    status,
    body: {
      $id: "1",
      innerException: null,
      message,
      typeName: `Microsoft.TeamFoundation.DistributedTask.WebApi.${typeKey}, Microsoft.TeamFoundation.DistributedTask.WebApi`,
      typeKey,
      errorCode: 0,
      eventId: 3000,
    },
  };
}

/** A refusal by the operation itself. */
export function refuseDevops(status: number, typeKey: string, message: string): Outcome {
  return { reply: devopsError(status, typeKey, message), effect: false, code: typeKey };
}

/** A caller that is not known is shown the way to the sign-in page, with a status of the 200s and no JSON. */
export function signInPage(): Outcome {
  return {
    reply: { status: 203, headers: { "content-type": "text/html; charset=utf-8" }, body: "<html>Sign In</html>" },
    effect: false,
    code: "sign-in-page",
  };
}

/** What a fault asks for, in the vendor's words. */
export function devopsFailure(request: FailureRequest): Reply {
  const [typeKey, message] = words(request.status);
  const headers: Record<string, string> =
    request.retryAfterSeconds === null ? {} : { "retry-after": String(request.retryAfterSeconds) };
  return { ...devopsError(request.status, typeKey, message), headers };
}

function words(status: number): [string, string] {
  switch (status) {
    case 401:
      return ["UnauthorizedRequestException", "TF400813: The user is not authorized to access this resource."];
    case 403:
      return ["AccessDeniedException", "You do not have permission to perform this operation on the variable group."];
    case 404:
      return ["VariableGroupNotFoundException", "Variable group was not found."];
    case 409:
      return ["VariableGroupExistsException", "A variable group of that name exists already."];
    case 429:
      return ["RequestBlockedException", "TF400733: The request has been canceled: too many requests."];
    default:
      return status < 500
        ? ["ArgumentException", "Value cannot be null or is not valid."]
        : ["ServiceUnavailableException", "TF246017: The service is temporarily unavailable."];
  }
}
