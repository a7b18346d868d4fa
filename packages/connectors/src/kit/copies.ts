/** What every verb shares that copies the record's value into a consumer's own store. */
import { CountersignError, isCode, type SecretValue, type VerbContext } from "@countersign/core";
import { z } from "zod";
import { matchesAny } from "./glob.ts";
import { recordReference, stepId } from "./schema.ts";
import type { Records } from "./seams.ts";
import { heldValue, need, needId } from "./verb.ts";

/** Parameters of every such verb, besides where its target stands. */
export const copyParams = {
  connection: z.string().min(1),
  record: recordReference,
  store: stepId,
  created: stepId,
  /** Version of the record that was newest when the plan was made: what an undo writes again. */
  previous: z.string().max(200).nullable(),
};

type CopyParams = z.infer<z.ZodObject<typeof copyParams>>;

/** A connection as its scope is judged (I12). */
interface Scope {
  readonly name: string;
  readonly prod: boolean;
  readonly names: readonly string[];
}

/** The values that a copy may hold, and whether it may be written at all. */
export interface Copies {
  /** The run's new value: from memory, or read from the record by the version that was stored. */
  next(ctx: VerbContext, params: CopyParams): Promise<SecretValue>;
  /** The value that the record held before. Throws UNDO_IMPOSSIBLE when there is none to go back to. */
  previous(ctx: VerbContext, params: CopyParams): Promise<SecretValue>;
  /** Throws SCOPE_REFUSED for a target outside the connection's scope, or for a prod value outside prod (I12). */
  assertScope(params: CopyParams, scope: Scope, target: string): void;
}

export function createCopies(records: Records): Copies {
  const read = async (ctx: VerbContext, { record }: CopyParams, version: string) =>
    (await records(record.connection).version(ctx, record.name, version)).value;
  return {
    async next(ctx, params) {
      return heldValue(ctx) ?? (await read(ctx, params, needId(need(ctx, params.store), "version")));
    },
    async previous(ctx, params) {
      if (params.previous === null)
        throw new CountersignError("UNDO_IMPOSSIBLE", "expected a previous version in the plan, got none");
      try {
        return await read(ctx, params, params.previous);
      } catch (error) {
        if (!isCode(error, "OUTSIDE_NOT_FOUND", "OUTSIDE_FORBIDDEN")) throw error;
        throw new CountersignError(
          "UNDO_IMPOSSIBLE",
          "expected the record to return the previous value, got a refusal",
        );
      }
    },
    assertScope(params, scope, target) {
      if (!matchesAny(target, scope.names))
        throw new CountersignError("SCOPE_REFUSED", `expected a target in the scope of ${scope.name}, got ${target}`);
      if (records(params.record.connection).prod && !scope.prod)
        throw new CountersignError("SCOPE_REFUSED", `expected a prod scope for a prod value, got ${scope.name}`);
    },
  };
}
