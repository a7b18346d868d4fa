import { CountersignError } from "@countersign/core";
import type { FastifyRequest } from "fastify";

/** Over https the `__Host-` prefix pins the cookie to this host; browsers refuse it on loopback http. */
export function cookieName(url: string): string {
  return url.startsWith("https:") ? "__Host-cs_session" : "cs_session";
}

/** Where a request's session id came from. */
export interface Presented {
  readonly id: string;
  readonly by: "cookie" | "bearer";
}

/** The session id that a request presents. A bearer token wins, so that a script is never mixed up with a browser. */
export function presented(request: FastifyRequest, cookie: string): Presented | null {
  const [, token] = /^Bearer ([A-Za-z0-9_-]{1,100})$/.exec(request.headers.authorization ?? "") ?? [];
  if (token !== undefined) return { id: token, by: "bearer" };
  const id = request.cookies[cookie];
  return id === undefined ? null : { id, by: "cookie" };
}

/**
 * Refuses a changing request that another site could have caused: a foreign `Origin` always; with a cookie also one
 * without our own header, which no form can send and which costs another origin a preflight that we never grant.
 */
export function refuseForgery(request: FastifyRequest, by: Presented["by"] | null, ownOrigin: string): void {
  if (request.method === "GET" || request.method === "HEAD") return;
  const { origin } = request.headers;
  const site = request.headers["sec-fetch-site"];
  const foreign =
    (origin !== undefined && origin !== ownOrigin) || (site !== undefined && site !== "same-origin" && site !== "none");
  if (foreign)
    throw new CountersignError("FORBIDDEN", `expected a request from ${ownOrigin}, got one from another site`);
  if (by === "cookie" && request.headers["x-countersign"] !== "1") {
    throw new CountersignError("FORBIDDEN", "expected the header x-countersign: 1, got none");
  }
}
