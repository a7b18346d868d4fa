import type { z } from "zod";

/** Roles that a person may hold; policy names the same words in its quorums. */
export const roles = ["app-owner", "business-owner", "platform", "security", "auditor"] as const;
export type Role = (typeof roles)[number];

/**
 * Who may call a route: `public` = anybody who reaches the address, `signed-in` = any person with a session,
 * a list = a person who holds at least one of these roles.
 */
export type Access = "public" | "signed-in" | readonly Role[];

export type Method = "GET" | "POST" | "DELETE";

/** What a successful answer is made of. `events` is a `text/event-stream`, `zip` an `application/zip`. */
export type Content = "json" | "empty" | "zip" | "events";

/**
 * One route of the HTTP API: the server registers it, the client calls it, the OpenAPI document describes it,
 * all from this object. `params`, `query` and `body` are strict: an unknown member is refused.
 */
export interface Route<
  P extends z.ZodType = z.ZodType,
  Q extends z.ZodType = z.ZodType,
  B extends z.ZodType = z.ZodType,
  R extends z.ZodType = z.ZodType,
> {
  readonly method: Method;
  /** Fastify and OpenAPI form: `/v1/runs/{id}`. */
  readonly path: `/v1/${string}`;
  readonly summary: string;
  readonly roles: Access;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  readonly response: R;
  /** Status of success; 200 when not given. */
  readonly status?: 200 | 201 | 202 | 204;
  readonly content?: Content;
  /** Headers a caller must send beside the usual ones. */
  readonly requires?: readonly ("Idempotency-Key" | "If-Match")[];
  /** Only registered in these profiles; everywhere when not given. */
  readonly profiles?: readonly ("demo" | "test")[];
  /** May be called while the installation is read-only. GET routes always may. */
  readonly whileReadOnly?: boolean;
}

/** Declares a route; only there so that its schemas keep their types. */
export function route<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, R extends z.ZodType>(
  declared: Route<P, Q, B, R>,
): Route<P, Q, B, R> {
  return declared;
}
