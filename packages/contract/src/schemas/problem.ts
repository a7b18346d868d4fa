import type { ErrorCode } from "@countersign/core";
import { z } from "zod";

/** The codes that an HTTP answer can carry: a part of the product's closed list, with the status each is sent with. */
export const problemStatus = {
  INPUT_INVALID: 400,
  NOT_SIGNED_IN: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  STATE_CONFLICT: 409,
  PLAN_DRIFTED: 412,
  LIMIT_EXCEEDED: 413,
  AUTHORISATION_INVALID: 422,
  PLAN_BLOCKED: 422,
  RATE_LIMITED: 429,
  UNEXPECTED: 500,
  RECORD_UNSIGNED: 503,
  READ_ONLY: 503,
  LOG_BEHIND: 503,
  DATABASE_UNAVAILABLE: 503,
  OUTSIDE_UNAVAILABLE: 503,
} as const satisfies Partial<Record<ErrorCode, number>>;

export type ProblemCode = keyof typeof problemStatus;
export const problemCodes = Object.keys(problemStatus) as readonly ProblemCode[];

/** RFC 9457 problem document. `type` ends in the code; `errors` names fields by JSON pointer. */
export const Problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.enum(problemCodes),
    detail: z.string().optional(),
    instance: z.string(),
    errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
  })
  .meta({ id: "Problem" });
export type Problem = z.infer<typeof Problem>;
