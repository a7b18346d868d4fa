import {
  CountersignError,
  type Done,
  type PastAttempt,
  type SecretValue,
  type Verb,
  type VerbContext,
  type Verified,
} from "@countersign/core";
import { z } from "zod";
import { type Copies, copyParams } from "../kit/copies.ts";
import { factOf } from "../kit/errors.ts";
import { isoOf, msOf } from "../kit/time.ts";
import { type Githubs, identityOf, putSecret, readSecret, type Sharing, scopeName, sharingOf } from "./account.ts";
import { secretTarget } from "./schema.ts";

const Params = z.strictObject({
  ...copyParams,
  ...secretTarget,
  /** `updated_at` when the plan was made: another one is another writer. */
  seen: z.string().max(40).nullable(),
});
type Params = z.infer<typeof Params>;

/** How far GitHub's clock may be behind ours. */
const skewMs = 5_000;

/**
 * `github.put-secret@1`: writes the record's value into one secret of GitHub Actions. It can never be read: what shows our
 * write, and another writer's, is the time of the last write, in whole seconds.
 */
export function putActionsSecret(githubs: Githubs, copies: Copies, connector: Verb["connector"]): Verb<Params> {
  return {
    id: "github.put-secret@1",
    connector,
    params: Params,
    value: "uses",
    effect: "change",
    retry: "idempotent",
    call: "actionsSecret.put",
    identify: (ctx, params) => identityOf(ctx, githubs(params.connection), params),
    intent: (_ctx, params) => ({ previous: params.previous, seen: params.seen }),
    async do(ctx, params) {
      const before = await look(ctx, params);
      if (before.stamp !== params.seen && !mayBeOurs(ctx, before.stamp))
        throw otherWriter("PLAN_DRIFTED", params.entry);
      return write(ctx, params, await copies.next(ctx, params), before.sharing);
    },
    verify,
    // No `reconcile`: the value cannot be read, and writing the same one again is harmless.
    async undo(ctx, params, done) {
      const value = await copies.previous(ctx, params);
      const before = await look(ctx, params);
      const undone = ctx.past.some(
        (past) => past.direction === "undo" && past.outcome === "done" && past.objectIds.stamp === before.stamp,
      );
      // It was put back, or never changed: there is nothing to write.
      if (undone || before.stamp === params.seen) return unchanged(ctx, before.stamp);
      if (before.stamp !== done.objectIds.stamp && !mayBeOurs(ctx, before.stamp))
        throw otherWriter("UNDO_IMPOSSIBLE", params.entry);
      return write(ctx, params, value, before.sharing);
    },
  };

  async function look(ctx: VerbContext, params: Params) {
    const to = githubs(params.connection);
    copies.assertScope(params, to.connection, scopeName(params));
    const secret = await readSecret(ctx, to, params);
    return { stamp: secret.updated_at, sharing: await sharingOf(ctx, to, params, secret) };
  }

  async function write(ctx: VerbContext, params: Params, value: SecretValue, sharing: Sharing | null): Promise<Done> {
    const to = githubs(params.connection);
    const answer = await putSecret(ctx, to, params, value, sharing).catch((error: unknown) => {
      // Its key was changed between the two requests: once more, with the new one.
      if (factOf(error, "status") !== 422) throw error;
      return putSecret(ctx, to, params, value, sharing);
    });
    const after = await readSecret(ctx, to, params);
    return {
      objectIds: { stamp: after.updated_at },
      facts: {
        status: answer.status,
        at: isoOf(ctx.clock.now()),
        ...(sharing === null ? {} : { visibility: sharing.visibility, selected: sharing.selected.length }),
      },
      requestIds: [answer.requestId],
    };
  }

  async function verify(ctx: VerbContext, params: Params, done: Done): Promise<Verified> {
    const { stamp, sharing } = await look(ctx, params);
    const facts = { updatedAt: stamp };
    if (stamp !== done.objectIds.stamp) return { kind: "refuted", code: "other-writer", facts };
    const kept =
      sharing === null ||
      (sharing.visibility === done.facts.visibility && sharing.selected.length === done.facts.selected);
    if (!kept) return { kind: "refuted", code: "foreign-change-overwritten", facts };
    return { kind: "verified", level: stamp === params.seen ? "accepted" : "metadata-changed", facts };
  }
}

/**
 * Whether the last write may have been an attempt of ours whose answer was lost. Somebody else's in the same time cannot
 * be told from it.
 */
function mayBeOurs(ctx: VerbContext, stamp: string): boolean {
  const cutOff = ctx.past.filter((past) => past.direction !== "discard" && isCutOff(ctx, past));
  return cutOff.some(({ intentAt }) => msOf(stamp) >= intentAt - skewMs);
}

function isCutOff(ctx: VerbContext, past: PastAttempt): boolean {
  if (past.direction === ctx.direction && past.attempt === ctx.attempt) return false;
  return past.outcome === null || past.outcome === "unknown" || past.facts.reconciled === "repeat";
}

function unchanged(ctx: VerbContext, stamp: string): Done {
  return { objectIds: { stamp }, facts: { at: isoOf(ctx.clock.now()), alreadyThere: true }, requestIds: [] };
}

function otherWriter(code: "PLAN_DRIFTED" | "UNDO_IMPOSSIBLE", entry: string): CountersignError {
  return new CountersignError(code, `expected ${entry} as it was last seen, got the write of somebody else`, {
    call: "actionsSecret.put",
    refused: true,
  });
}
