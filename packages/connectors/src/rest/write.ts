import {
  CountersignError,
  type Done,
  type Reconciled,
  type SecretValue,
  type Verb,
  type VerbContext,
  type Verified,
} from "@countersign/core";
import { z } from "zod";
import { type Copies, copyParams } from "../kit/copies.ts";
import { isoOf } from "../kit/time.ts";
import { need, needId } from "../kit/verb.ts";
import { entryTarget } from "./schema.ts";
import { identityOf, isTaken, readEntry, type Service, type Services, type Shown, send } from "./service.ts";

const Params = z.strictObject({ ...copyParams, ...entryTarget });
type Params = z.infer<typeof Params>;

/** How long a service may take until its declared condition holds (domain time). */
const takenEveryMs = 10_000;
const lookAgainMs = 60_000;

/**
 * `rest.write@1`: writes the record's value by the request that the connection describes. How far it can be shown,
 * whether another writer is noticed and whether it may be repeated follow from what the connection describes besides.
 */
export function writeEntry(services: Services, copies: Copies, connector: Verb["connector"]): Verb<Params> {
  return {
    id: "rest.write@1",
    connector,
    params: Params,
    value: "uses",
    effect: "change",
    // The connection may say that it is idempotent; then `reconcile` answers `repeat`.
    retry: "once",
    call: "entry.write",
    identify: (ctx, params) => identityOf(ctx, services(params.connection), valuesOf(ctx, params, "")),
    intent: (_ctx, params) => ({ previous: params.previous }),
    async do(ctx, params) {
      const from = params.previous === null ? null : await copies.previous(ctx, params);
      const to = await copies.next(ctx, params);
      return write(ctx, params, { from, to, version: stored(ctx, params), conflict: "PLAN_DRIFTED" });
    },
    verify,
    async reconcile(ctx, params): Promise<Reconciled> {
      const to = services(params.connection);
      const { read, write: described } = to.connection;
      const version = stored(ctx, params);
      if (read?.value === undefined && read?.version === undefined)
        return described.retry === "idempotent" ? { kind: "repeat" } : { kind: "unknown", lookAgainMs, facts: {} };
      const shown = await readEntry(ctx, to, valuesOf(ctx, params, version));
      if (!holds(to, shown, await copies.next(ctx, params), version)) return { kind: "not-done", facts: {} };
      return { kind: "done", done: outcome(ctx, shown, { alreadyThere: true }) };
    },
    async undo(ctx, params) {
      const to = services(params.connection);
      const value = await copies.previous(ctx, params);
      if (to.connection.write.retry === "once" && to.connection.read === undefined && triedBefore(ctx))
        throw new CountersignError(
          "UNDO_IMPOSSIBLE",
          "expected to know what became of the last write, got no way to read it and a write that may not be repeated",
        );
      const version = params.previous ?? "";
      return write(ctx, params, {
        from: await copies.next(ctx, params),
        to: value,
        version,
        conflict: "UNDO_IMPOSSIBLE",
      });
    },
  };

  function stored(ctx: VerbContext, params: Params): string {
    return needId(need(ctx, params.store), "version");
  }

  async function write(ctx: VerbContext, params: Params, change: Change): Promise<Done> {
    const to = services(params.connection);
    copies.assertScope(params, to.connection, params.entry);
    const values = valuesOf(ctx, params, change.version);
    const before = await readEntry(ctx, to, values);
    if (holds(to, before, change.to, change.version)) return outcome(ctx, before, { alreadyThere: true });
    const isRead = to.connection.read?.value !== undefined;
    if (isRead && (before?.value === null || change.from === null || before?.value.equals(change.from) !== true))
      throw new CountersignError(
        change.conflict,
        `expected ${params.entry} to hold what the plan saw, got the content of another writer`,
        { call: "entry.write", refused: true },
      );
    const answer = await send(ctx, to, values, change.to);
    const after = await readEntry(ctx, to, values);
    return { ...outcome(ctx, after, { status: answer.status }), requestIds: [answer.requestId] };
  }

  async function verify(ctx: VerbContext, params: Params, done: Done): Promise<Verified> {
    const to = services(params.connection);
    const version = stored(ctx, params);
    const values = valuesOf(ctx, params, version);
    if (!(await isTaken(ctx, to, values)))
      return { kind: "not-yet", lookAgainMs: takenEveryMs, facts: { taken: false } };
    const { read } = to.connection;
    const shown = await readEntry(ctx, to, values);
    if (read === undefined || shown === null)
      return { kind: "verified", level: "accepted", facts: { readBack: "not-described" } };
    if (read.value !== undefined)
      return shown.value?.equals(await copies.next(ctx, params)) === true
        ? { kind: "verified", level: "value-matched", facts: {} }
        : { kind: "refuted", code: "other-writer", facts: {} };
    if (shown.mark === null || shown.mark !== (done.objectIds.stamp ?? null))
      return { kind: "refuted", code: "other-writer", facts: {} };
    return { kind: "verified", level: "metadata-changed", facts: { mark: shown.mark } };
  }
}

interface Change {
  readonly from: SecretValue | null;
  readonly to: SecretValue;
  /** Version of the record that is written. */
  readonly version: string;
  readonly conflict: "PLAN_DRIFTED" | "UNDO_IMPOSSIBLE";
}

function valuesOf(ctx: VerbContext, params: Params, version: string) {
  return { entry: params.entry, run: ctx.run, version };
}

/** Whether the entry shows that it has that value already: by the value, or by the version that was sent along. */
function holds(to: Service, shown: Shown | null, value: SecretValue, version: string): boolean {
  const { read } = to.connection;
  if (read?.value !== undefined) return shown?.value?.equals(value) === true;
  return read?.version !== undefined && shown?.mark === version;
}

/** Whether an undo was begun and nobody knows what became of it. */
function triedBefore(ctx: VerbContext): boolean {
  return ctx.past.some((past) => past.direction === "undo" && past.attempt !== ctx.attempt && past.outcome !== "done");
}

function outcome(ctx: VerbContext, shown: Shown | null, facts: Done["facts"]): Done {
  const stamp = shown?.mark ?? null;
  return {
    objectIds: stamp === null ? {} : { stamp },
    facts: { at: isoOf(ctx.clock.now()), ...facts },
    requestIds: [],
  };
}
