import {
  CountersignError,
  type Done,
  isCode,
  type Reconciled,
  SecretValue,
  type Verb,
  type VerbContext,
  type Verified,
} from "@countersign/core";
import { z } from "zod";
import { type Copies, copyParams } from "../kit/copies.ts";
import { isoOf, msOf, vendorTime } from "../kit/time.ts";
import { currentIntent } from "../kit/verb.ts";
import {
  listSettings,
  putSettings,
  readIdentity,
  type SettingTarget,
  type Subscription,
  type Subscriptions,
  scopeName,
  settingsWrites,
} from "./app.ts";
import { settingTarget } from "./schema.ts";
import { causedBy } from "./shapes.ts";

const Params = z.strictObject({ ...copyParams, ...settingTarget });
type Params = z.infer<typeof Params>;

/** Writes within one attempt, each merged into what was read anew; then the attempt has failed. */
const roundsMax = 4;
/** The activity log shows a write within minutes (Azure Monitor docs); it is not waited for any longer (domain time). */
const watchMs = 10 * 60_000;
const watchEveryMs = 30_000;

/**
 * `app-service.set-setting@1`: writes the record's value into one setting. The settings are replaced as a whole by each
 * write and have no condition on it: all others are sent back as they were read, right before. The app restarts.
 */
export function setSetting(
  subscriptions: Subscriptions,
  copies: Copies,
  connector: Verb["connector"],
  settleMs: number,
): Verb<Params> {
  return {
    id: "app-service.set-setting@1",
    connector,
    params: Params,
    value: "uses",
    effect: "change",
    retry: "idempotent",
    call: "appSettings.update",
    identify: async (ctx, params) => (await readIdentity(ctx, subscriptions(params.connection), params)).identity,
    intent: (_ctx, params) => ({ previous: params.previous }),
    async do(ctx, params) {
      const from = params.previous === null ? null : await copies.previous(ctx, params);
      return write(ctx, params, { from, to: await copies.next(ctx, params), conflict: "PLAN_DRIFTED" });
    },
    verify: async (ctx, params, done) =>
      verify(ctx, subscriptions(params.connection), params, done, await copies.next(ctx, params)),
    async reconcile(ctx, params): Promise<Reconciled> {
      const want = ctx.direction === "do" ? await copies.next(ctx, params) : await copies.previous(ctx, params);
      const held = (await listSettings(ctx, subscriptions(params.connection), params)).body[params.setting];
      if (held === undefined || !SecretValue.of(held).equals(want)) return { kind: "not-done", facts: {} };
      return { kind: "done", done: alreadyThere(ctx, [isoOf(currentIntent(ctx)?.intentAt ?? ctx.clock.now())]) };
    },
    async undo(ctx, params) {
      const to = await copies.previous(ctx, params);
      return write(ctx, params, { from: await copies.next(ctx, params), to, conflict: "UNDO_IMPOSSIBLE" });
    },
  };

  /** Compare, then write: only what the plan saw is replaced. */
  async function write(ctx: VerbContext, params: Params, change: Change): Promise<Done> {
    const to = subscriptions(params.connection);
    copies.assertScope(params, to.connection, scopeName(params));
    // When the settings were read from which a write was built: what others wrote between the two is lost.
    const reads: string[] = [];
    for (let round = 1; ; round += 1) {
      const before = await listSettings(ctx, to, params);
      const held = before.body[params.setting];
      if (held !== undefined && SecretValue.of(held).equals(change.to)) return alreadyThere(ctx, reads);
      if (held === undefined || change.from === null || !SecretValue.of(held).equals(change.from))
        throw new CountersignError(
          change.conflict,
          `expected ${params.setting} to hold what the plan saw, got the content of another writer`,
          { call: "appSettings.update", refused: true },
        );
      reads.push(before.date ?? isoOf(ctx.clock.now()));
      const next = { ...before.body, [params.setting]: change.to.reveal() };
      const answer = await putSettings(ctx, to, params, next).catch((error: unknown) => {
        if (!isCode(error, "OUTSIDE_UNKNOWN") || round >= roundsMax) throw error;
        return null;
      });
      // A lost request may still land: what stands there is read again after a while.
      if (answer === null) await ctx.clock.sleep(settleMs, ctx.signal);
      const after = (await listSettings(ctx, to, params)).body[params.setting];
      if (answer !== null && after !== undefined && SecretValue.of(after).equals(change.to))
        return {
          objectIds: {},
          facts: { status: answer.status, at: isoOf(ctx.clock.now()), reads, rounds: round },
          requestIds: [answer.requestId],
        };
      // Somebody wrote right after us from what stood there before, and ours is gone: it is written again, into theirs.
      if (round >= roundsMax)
        throw new CountersignError("OUTSIDE_CONFLICT", "expected our write to stay, got another writer each time", {
          call: "appSettings.update",
          rounds: round,
        });
    }
  }
}

interface Change {
  readonly from: SecretValue | null;
  readonly to: SecretValue;
  readonly conflict: "PLAN_DRIFTED" | "UNDO_IMPOSSIBLE";
}

function alreadyThere(ctx: VerbContext, reads: readonly string[]): Done {
  return {
    objectIds: {},
    facts: { at: isoOf(ctx.clock.now()), alreadyThere: true, reads: [...reads] },
    requestIds: [],
  };
}

/**
 * Compares the value; where the activity log is watched, also shows that nobody wrote between our read and our write:
 * that change would be lost, and nothing in the settings would tell.
 */
async function verify(
  ctx: VerbContext,
  to: Subscription,
  target: SettingTarget,
  done: Done,
  value: SecretValue,
): Promise<Verified> {
  const held = (await listSettings(ctx, to, target)).body[target.setting];
  if (held === undefined || !SecretValue.of(held).equals(value))
    return { kind: "refuted", code: "other-writer", facts: {} };
  const verified = (foreign: string): Verified => ({ kind: "verified", level: "value-matched", facts: { foreign } });
  const reads = z.array(vendorTime).parse(done.facts.reads).map(msOf);
  if (!to.connection.watch) return verified("not-watched");
  // Nothing was written: it stood there already.
  if (reads.length === 0) return verified("none");
  const writes = (await settingsWrites(ctx, to, target, Math.min(...reads))).map((event) => ({
    at: msOf(event.eventTimestamp),
    ours: causedBy(event) === to.connection.client.clientId.toLowerCase(),
  }));
  const gaps = reads.map(
    (from) => [from, Math.min(...writes.filter(({ at, ours }) => ours && at >= from).map(({ at }) => at))] as const,
  );
  if (gaps.some(([, until]) => until === Number.POSITIVE_INFINITY)) {
    if (ctx.clock.now() - msOf(String(done.facts.at)) >= watchMs) return verified("not-shown");
    return { kind: "not-yet", lookAgainMs: watchEveryMs, facts: {} };
  }
  const between = writes.filter(({ at, ours }) => !ours && gaps.some(([from, until]) => at >= from && at <= until));
  if (between.length > 0)
    return { kind: "refuted", code: "foreign-change-overwritten", facts: { writes: between.length } };
  return verified("none");
}
