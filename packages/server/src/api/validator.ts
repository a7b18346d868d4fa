import { CountersignError, type Mistake, mistakesIn } from "@countersign/core";
import type { FastifySchemaCompiler } from "fastify";
import type { z } from "zod";

/** A part of a request that is not as its route wants it. */
export class InvalidRequest extends CountersignError {
  readonly mistakes: readonly Mistake[];

  constructor(mistakes: readonly Mistake[]) {
    super("INPUT_INVALID", mistakes[0]?.message ?? "expected a valid request, got another");
    this.mistakes = mistakes;
  }
}

/** Checks parts of requests against the schemas of the routes; what is wrong reads as in every document of ours. */
export const validatorCompiler: FastifySchemaCompiler<z.ZodType> =
  ({ schema }) =>
  (part: unknown) => {
    const parsed = schema.safeParse(part);
    return parsed.success
      ? { value: parsed.data }
      : { error: new InvalidRequest(mistakesIn(part, parsed.error.issues)) };
  };
