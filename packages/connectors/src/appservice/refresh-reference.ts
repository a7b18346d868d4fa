import { CountersignError, type Done, type Verb, type VerbContext, type Verified } from "@countersign/core";
import { z } from "zod";
import { type Copies, copyParams } from "../kit/copies.ts";
import type { Records } from "../kit/seams.ts";
import { isoOf } from "../kit/time.ts";
import { need, needId } from "../kit/verb.ts";
import { readIdentity, readReference, refreshReferences, type Subscriptions, scopeName } from "./app.ts";
import { followsRecord } from "./reference.ts";
import { settingTarget } from "./schema.ts";

const Params = z.strictObject({ ...copyParams, ...settingTarget });
type Params = z.infer<typeof Params>;

/** The platform reads a reference again by itself after so long at the latest (App Service docs, Key Vault references: rotation). */
const followsMs = 24 * 3_600_000;

/**
 * `app-service.refresh-reference@1`: asks the platform to read an app's Key Vault references again. It writes no value:
 * the reference follows the record by itself within a day, the refresh makes it sooner, and polls during the overlap
 * show when it has happened.
 */
export function refreshReference(
  subscriptions: Subscriptions,
  records: Records,
  copies: Copies,
  connector: Verb["connector"],
): Verb<Params> {
  return {
    id: "app-service.refresh-reference@1",
    connector,
    params: Params,
    value: "none",
    effect: "change",
    retry: "idempotent",
    follows: { withinMs: followsMs },
    call: "references.refresh",
    identify: async (ctx, params) => (await readIdentity(ctx, subscriptions(params.connection), params)).identity,
    intent: (_ctx, params) => ({ previous: params.previous }),
    do: (ctx, params) => refresh(ctx, params, needId(need(ctx, params.store), "version"), "PLAN_DRIFTED"),
    async verify(ctx, params): Promise<Verified> {
      const { activeVersion, status } = await readReference(ctx, subscriptions(params.connection), params);
      const there = activeVersion === needId(need(ctx, params.store), "version");
      return {
        kind: "verified",
        level: there ? "value-matched" : "accepted",
        facts: { activeVersion: activeVersion ?? null, resolved: status === "Resolved" },
      };
    },
    async undo(ctx, params) {
      const latest = await records(params.record.connection).latest(ctx, params.record.name);
      return refresh(ctx, params, latest?.version ?? null, "UNDO_IMPOSSIBLE");
    },
  };

  async function refresh(
    ctx: VerbContext,
    params: Params,
    wanted: string | null,
    conflict: "PLAN_DRIFTED" | "UNDO_IMPOSSIBLE",
  ): Promise<Done> {
    const to = subscriptions(params.connection);
    copies.assertScope(params, to.connection, scopeName(params));
    const found = await readReference(ctx, to, params).catch((error: unknown) => {
      if (error instanceof CountersignError && error.code === "OUTSIDE_NOT_FOUND") return null;
      throw error;
    });
    if (found === null || !followsRecord(found.reference ?? "", records, params.record))
      throw new CountersignError(
        conflict,
        `expected ${params.setting} to refer to the record's newest version, got something else`,
        { call: "references.refresh", refused: true },
      );
    const at = () => isoOf(ctx.clock.now());
    if (wanted !== null && found.activeVersion === wanted)
      return { objectIds: { version: wanted }, facts: { at: at(), alreadyThere: true }, requestIds: [] };
    const answer = await refreshReferences(ctx, to, params);
    return { objectIds: {}, facts: { at: at(), status: answer.status }, requestIds: [answer.requestId] };
  }
}
