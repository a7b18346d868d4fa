import { CountersignError, type Done, type Reconciled, type Verb, type VerbContext } from "@countersign/core";
import { z } from "zod";
import { recordReference, stepId } from "../kit/schema.ts";
import type { Records } from "../kit/seams.ts";
import { isoOf } from "../kit/time.ts";
import { need, needId } from "../kit/verb.ts";
import { readText, replaceText } from "./atomic.ts";
import { confine } from "./confine.ts";
import { fileIdentity } from "./identity.ts";
import { referenceIn, withReference } from "./reference.ts";
import { type FileRoots, relativePath } from "./schema.ts";

const Params = z.strictObject({
  connection: z.string().min(1),
  path: relativePath,
  record: recordReference,
  store: stepId,
  created: stepId,
  /** The reference that the plan saw in the file. */
  previous: z.string().max(1_024).nullable(),
});
type Params = z.infer<typeof Params>;

/** `reference-file.point@1`: lets the file of a pinned consumer name the new version. */
export function referenceFilePoint(roots: FileRoots, records: Records, connector: Verb["connector"]): Verb<Params> {
  const reference = (ctx: VerbContext, params: Params) =>
    records(params.record.connection).reference(params.record.name, needId(need(ctx, params.store), "version"));
  const held = async (params: Params) => {
    const text = await readText(await confine(roots(params.connection), params.path));
    return text === null ? null : referenceIn(params.path, text);
  };
  return {
    id: "reference-file.point@1",
    connector,
    params: Params,
    value: "none",
    effect: "change",
    retry: "idempotent",
    call: "file.point",
    identify: async (_ctx, params) => fileIdentity(roots(params.connection), params.path),
    intent: (_ctx, params) => ({ previous: params.previous }),
    do: async (ctx, params) => point(ctx, params, roots, reference(ctx, params), params.previous),
    async verify(ctx, params) {
      const now = await held(params);
      if (now === reference(ctx, params)) return { kind: "verified", level: "value-matched", facts: {} };
      return { kind: "refuted", code: "other-writer", facts: { found: now !== null } };
    },
    async reconcile(ctx, params): Promise<Reconciled> {
      const want = ctx.direction === "do" ? reference(ctx, params) : params.previous;
      if ((await held(params)) !== want) return { kind: "not-done", facts: {} };
      return { kind: "done", done: pointed(ctx, true) };
    },
    undo(ctx, params) {
      if (params.previous === null)
        throw new CountersignError(
          "UNDO_IMPOSSIBLE",
          "expected a previous reference to go back to, got none in the plan",
        );
      return point(ctx, params, roots, params.previous, reference(ctx, params));
    },
  };
}

/** Compare, then write: only what the plan saw is replaced. */
async function point(
  ctx: VerbContext,
  params: Params,
  roots: FileRoots,
  to: string,
  from: string | null,
): Promise<Done> {
  const file = await confine(roots(params.connection), params.path);
  const text = await readText(file);
  if (text === null)
    throw new CountersignError("OUTSIDE_NOT_FOUND", `expected the file ${params.path} to exist, got none`, {
      call: "file.point",
    });
  const now = referenceIn(params.path, text);
  if (now === to) return pointed(ctx, true);
  if (now !== from) {
    const code = ctx.direction === "do" ? "PLAN_DRIFTED" : "UNDO_IMPOSSIBLE";
    throw new CountersignError(
      code,
      `expected ${params.path} to hold what the plan saw, got the content of another writer`,
      { call: "file.point", refused: true },
    );
  }
  await replaceText(ctx, file, withReference(params.path, text, to));
  return pointed(ctx, false);
}

function pointed(ctx: VerbContext, alreadyThere: boolean): Done {
  return { objectIds: {}, facts: { at: isoOf(ctx.clock.now()), alreadyThere }, requestIds: [] };
}
