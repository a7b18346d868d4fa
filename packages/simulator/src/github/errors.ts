import type { FailureRequest, Outcome, Reply } from "../http/exchange.ts";

const DOCS = "https://docs.github.com/rest";

function githubError(status: number, message: string): Reply {
  return { status, body: { message, documentation_url: DOCS, status: String(status) } };
}

/** A refusal by the operation itself. */
export function refuseGithub(status: number, message: string): Outcome {
  return { reply: githubError(status, message), effect: false, code: String(status) };
}

/** What a fault asks for, in the vendor's words. A 403 that says when to come back is the secondary rate limit. */
export function githubFailure({ status, retryAfterSeconds }: FailureRequest): Reply {
  if (status >= 500) return { status, headers: { "content-type": "text/html" }, body: "<html>Unicorn!</html>" };
  const limited = status === 429 || (status === 403 && retryAfterSeconds !== null);
  const headers: Record<string, string> =
    retryAfterSeconds === null ? {} : { "retry-after": String(retryAfterSeconds) };
  return {
    ...githubError(status, limited ? "You have exceeded a secondary rate limit." : (words[status] ?? "")),
    headers,
  };
}

const words: Readonly<Record<number, string>> = {
  400: "Problems parsing JSON",
  401: "Bad credentials",
  403: "Resource not accessible by integration",
  404: "Not Found",
  409: "Conflict",
  422: "Validation Failed",
};
