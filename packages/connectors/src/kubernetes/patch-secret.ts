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
import { isoOf } from "../kit/time.ts";
import { need, needId } from "../kit/verb.ts";
import {
  type Clusters,
  identityOf,
  keeperOf,
  patchKey,
  readSecret,
  readWorkload,
  restart,
  restartMark,
  rollout,
  scopeName,
} from "./cluster.ts";
import { keyTarget } from "./schema.ts";
import type { Secret } from "./shapes.ts";

const Params = z.strictObject({ ...copyParams, ...keyTarget });
type Params = z.infer<typeof Params>;

/** Writes within one attempt, each for the revision that was read anew; then the attempt has failed. */
const roundsMax = 4;
const rolloutEveryMs = 10_000;

/**
 * `kubernetes.patch-secret@1`: writes the record's value into one key of a Secret, for the revision that was read: others'
 * keys stay, and a write in between is a conflict and no loss. Where the plan says so, workloads are restarted once the
 * Secret was seen to hold the value; a restart carries the record's version, so the same one again does nothing.
 */
export function patchSecret(
  clusters: Clusters,
  copies: Copies,
  connector: Verb["connector"],
  settleMs: number,
): Verb<Params> {
  return {
    id: "kubernetes.patch-secret@1",
    connector,
    params: Params,
    value: "uses",
    effect: "change",
    retry: "idempotent",
    call: "secret.patch",
    async identify(ctx, params) {
      const to = clusters(params.connection);
      return identityOf(ctx, to, params, await readSecret(ctx, to, params));
    },
    intent: (_ctx, params) => ({ previous: params.previous, restart: params.restart }),
    async do(ctx, params) {
      const from = params.previous === null ? null : await copies.previous(ctx, params);
      const to = await copies.next(ctx, params);
      return write(ctx, params, { from, to, version: stored(ctx, params), conflict: "PLAN_DRIFTED" });
    },
    verify,
    async reconcile(ctx, params): Promise<Reconciled> {
      const to = clusters(params.connection);
      const held = valueIn(await readSecret(ctx, to, params), params.key);
      if (held?.equals(await copies.next(ctx, params)) !== true) return { kind: "not-done", facts: {} };
      // The value is there; what was not restarted yet is restarted by the next attempt.
      if (!(await restarted(ctx, params, stored(ctx, params)))) return { kind: "repeat" };
      return { kind: "done", done: outcome(ctx, { alreadyThere: true }) };
    },
    async undo(ctx, params) {
      const to = await copies.previous(ctx, params);
      const version = params.previous ?? "";
      return write(ctx, params, { from: await copies.next(ctx, params), to, version, conflict: "UNDO_IMPOSSIBLE" });
    },
  };

  function stored(ctx: VerbContext, params: Params): string {
    return needId(need(ctx, params.store), "version");
  }

  /** Compare, then write: only what the plan saw is replaced; then, and only then, restart. */
  async function write(ctx: VerbContext, params: Params, change: Change): Promise<Done> {
    const to = clusters(params.connection);
    copies.assertScope(params, to.connection, scopeName(params));
    const requestIds: string[] = [];
    let rounds = 0;
    for (;;) {
      const before = await readSecret(ctx, to, params);
      const held = valueIn(before, params.key);
      if (held?.equals(change.to) === true) break;
      if (held === null || change.from === null || !held.equals(change.from))
        throw refused(
          change.conflict,
          `expected key ${params.key} to hold what the plan saw, got the content of another writer`,
        );
      if (before.immutable === true || keeperOf(before) !== null)
        throw refused(
          change.conflict,
          `expected a Secret that may be written, got one that is ${before.immutable === true ? "immutable" : "kept by another"}`,
        );
      rounds += 1;
      try {
        requestIds.push((await patchKey(ctx, to, params, before, change.to)).requestId);
      } catch (error) {
        // Somebody wrote another key meanwhile, or the answer was lost: what stands there is read anew.
        if (!isCode(error, "OUTSIDE_CONFLICT", "OUTSIDE_UNKNOWN") || rounds >= roundsMax) throw error;
        if (isCode(error, "OUTSIDE_UNKNOWN")) await ctx.clock.sleep(settleMs, ctx.signal);
      }
    }
    const marks: string[] = [];
    for (const workload of params.restart ? params.workloads : []) {
      const answer = await restart(ctx, to, params, workload, change.version);
      requestIds.push(answer.requestId);
      marks.push(`${workload}#${answer.body.metadata.generation}`);
    }
    const facts = rounds === 0 ? { alreadyThere: true } : { rounds };
    return { ...outcome(ctx, marks.length === 0 ? facts : { ...facts, restarted: marks }), requestIds };
  }

  async function restarted(ctx: VerbContext, params: Params, version: string): Promise<boolean> {
    if (!params.restart) return true;
    const to = clusters(params.connection);
    for (const workload of params.workloads) {
      const { spec } = await readWorkload(ctx, to, params.namespace, workload);
      if (spec.template.metadata?.annotations?.[restartMark(params)] !== version) return false;
    }
    return true;
  }

  async function verify(ctx: VerbContext, params: Params): Promise<Verified> {
    const to = clusters(params.connection);
    const held = valueIn(await readSecret(ctx, to, params), params.key);
    if (held?.equals(await copies.next(ctx, params)) !== true)
      return { kind: "refuted", code: "other-writer", facts: {} };
    for (const workload of params.workloads) {
      const state = rollout(await readWorkload(ctx, to, params.namespace, workload));
      const facts = { workload, rollout: state };
      if (state === "failed") return { kind: "refuted", code: "rollout-failed", facts };
      if (state === "under-way") return { kind: "not-yet", lookAgainMs: rolloutEveryMs, facts };
    }
    if (!(await restarted(ctx, params, stored(ctx, params))))
      return { kind: "refuted", code: "other-writer", facts: { restart: "undone" } };
    return { kind: "verified", level: "value-matched", facts: { workloads: params.workloads.length } };
  }
}

interface Change {
  readonly from: SecretValue | null;
  readonly to: SecretValue;
  /** Version of the record that is written: what workloads are restarted for. */
  readonly version: string;
  readonly conflict: "PLAN_DRIFTED" | "UNDO_IMPOSSIBLE";
}

/** The value of a key; null when there is none. */
export function valueIn(secret: Secret, key: string): SecretValue | null {
  const text = Object.hasOwn(secret.data ?? {}, key) ? secret.data?.[key] : undefined;
  return text === undefined ? null : SecretValue.of(Buffer.from(text, "base64").toString("utf8"));
}

function outcome(ctx: VerbContext, facts: Done["facts"]): Done {
  return { objectIds: {}, facts: { at: isoOf(ctx.clock.now()), ...facts }, requestIds: [] };
}

function refused(code: Change["conflict"], message: string): CountersignError {
  return new CountersignError(code, message, { call: "secret.patch", refused: true });
}
