import { CountersignError, type Done, type Reconciled, type Verb, type VerbContext } from "@countersign/core";
import { z } from "zod";
import { credentialsIn, type RoleCredentials } from "../kit/role-credentials.ts";
import { recordReference, stepId } from "../kit/schema.ts";
import type { Records } from "../kit/seams.ts";
import { isoOf } from "../kit/time.ts";
import { need, needId } from "../kit/verb.ts";
import { readText, replaceText } from "./atomic.ts";
import { confine } from "./confine.ts";
import { type ConnectionText, parseConnection, withCredentials } from "./connection-file.ts";
import { fileIdentity } from "./identity.ts";
import { type FileRoots, relativePath } from "./schema.ts";

const Params = z.strictObject({
  connection: z.string().min(1),
  path: relativePath,
  record: recordReference,
  store: stepId,
  created: stepId,
  /** Version of the record that the file held when the plan was made. */
  previous: z.string().max(200).nullable(),
  server: z.string().min(1),
  role: z.string().min(1).max(63),
  old: z.string().min(1).max(63),
});
type Params = z.infer<typeof Params>;

/** Credentials with the record's version they came from. */
type Versioned = RoleCredentials & { readonly version: string };

/** `connection-file.write@1`: writes user and password into a consumer's connection file as one unit. */
export function connectionFileWrite(roots: FileRoots, records: Records, connector: Verb["connector"]): Verb<Params> {
  async function fromRecord(ctx: VerbContext, params: Params, version: string): Promise<Versioned> {
    const stored = await records(params.record.connection).version(ctx, params.record.name, version);
    return { ...credentialsIn(stored.value), version };
  }
  const next = (ctx: VerbContext, params: Params) =>
    fromRecord(ctx, params, needId(need(ctx, params.store), "version"));
  const previous = (ctx: VerbContext, params: Params) => {
    if (params.previous === null)
      throw new CountersignError("UNDO_IMPOSSIBLE", "expected a previous version to go back to, got none in the plan");
    return fromRecord(ctx, params, params.previous);
  };

  return {
    id: "connection-file.write@1",
    connector,
    params: Params,
    value: "uses",
    effect: "change",
    retry: "idempotent",
    call: "file.write",
    identify: async (_ctx, params) => fileIdentity(roots(params.connection), params.path),
    intent: (_ctx, params) => ({ previous: params.previous }),

    async do(ctx, params) {
      const to = await next(ctx, params);
      if (to.user !== params.role)
        throw new CountersignError("PLAN_DRIFTED", `expected the record to hold role ${params.role}, got another user`);
      if (records(params.record.connection).prod && !roots(params.connection).prod) {
        throw new CountersignError(
          "SCOPE_REFUSED",
          `expected a prod scope for a prod value, got connection ${params.connection}`,
        );
      }
      const from = params.previous === null ? null : await fromRecord(ctx, params, params.previous);
      return replace(ctx, params, to, from, "PLAN_DRIFTED");
    },

    async verify(ctx, params) {
      const held = await read(params);
      if (held !== null && holds(held.now, await next(ctx, params)))
        return { kind: "verified", level: "value-matched", facts: {} };
      return { kind: "refuted", code: "other-writer", facts: {} };
    },

    async reconcile(ctx, params): Promise<Reconciled> {
      const want = ctx.direction === "do" ? await next(ctx, params) : await previous(ctx, params);
      const held = await read(params);
      if (held === null || !holds(held.now, want)) return { kind: "not-done", facts: {} };
      return { kind: "done", done: written(ctx, want.version, true) };
    },

    undo: async (ctx, params) =>
      replace(ctx, params, await previous(ctx, params), await next(ctx, params), "UNDO_IMPOSSIBLE"),
  };

  async function read(params: Params): Promise<{ file: string; text: string; now: ConnectionText } | null> {
    const file = await confine(roots(params.connection), params.path);
    const text = await readText(file);
    const now = text === null ? null : parseConnection(params.path, text);
    return text === null || now === null ? null : { file, text, now };
  }

  /** Compare, then write: only what the plan saw (`from`) is replaced. */
  async function replace(
    ctx: VerbContext,
    params: Params,
    to: Versioned,
    from: RoleCredentials | null,
    conflict: "PLAN_DRIFTED" | "UNDO_IMPOSSIBLE",
  ): Promise<Done> {
    const held = await read(params);
    if (held === null)
      throw new CountersignError("OUTSIDE_NOT_FOUND", `expected a connection file at ${params.path}, got none`, {
        call: "file.write",
      });
    if (holds(held.now, to) && held.now.version === to.version) return written(ctx, to.version, true);
    if (!holds(held.now, to) && (from === null || !holds(held.now, from))) {
      throw new CountersignError(
        conflict,
        `expected ${params.path} to hold what the plan saw, got the content of another writer`,
        { call: "file.write", refused: true },
      );
    }
    await replaceText(ctx, held.file, withCredentials(params.path, held.text, to));
    return written(ctx, to.version, false);
  }
}

function holds(now: RoleCredentials, want: RoleCredentials): boolean {
  return now.user === want.user && now.password.equals(want.password);
}

function written(ctx: VerbContext, version: string, alreadyThere: boolean): Done {
  return { objectIds: { version }, facts: { at: isoOf(ctx.clock.now()), alreadyThere }, requestIds: [] };
}
