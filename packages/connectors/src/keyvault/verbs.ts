import { CountersignError, type SecretValue, type Verb, type VerbContext } from "@countersign/core";
import { z } from "zod";
import { recordReference, stepId } from "../kit/schema.ts";
import type { Records } from "../kit/seams.ts";
import { heldValue, need, needId } from "../kit/verb.ts";
import { secretName } from "./schema.ts";
import { recordStore, type Vaults } from "./vault.ts";
import { assertScope, reconcileWrite, undoWrite, verifyWrite, type Write, write } from "./write.ts";

const WriteParams = z.strictObject({
  connection: z.string().min(1),
  name: secretName,
  previous: z.string().max(200).nullable(),
  created: stepId,
  lifetimeSeconds: z.int().min(0).optional(),
});
type WriteParams = z.infer<typeof WriteParams>;

const CopyParams = z.strictObject({
  connection: z.string().min(1),
  name: secretName,
  previous: z.string().max(200).nullable(),
  created: stepId,
  record: recordReference,
  store: stepId,
});
type CopyParams = z.infer<typeof CopyParams>;

/** `keyvault.write@1`: stores the new value as the newest version of the record. For readers of `latest` this is publication. */
export function keyvaultWrite(vaults: Vaults, connector: Verb["connector"], settleMs: number): Verb<WriteParams> {
  const target = (params: WriteParams): Write => ({
    vault: vaults(params.connection),
    name: params.name,
    previous: params.previous,
    created: params.created,
    call: "secret.set",
  });
  return {
    id: "keyvault.write@1",
    connector,
    params: WriteParams,
    value: "stores",
    effect: "change",
    retry: "once",
    call: "secret.set",
    identify: async (ctx, params) => recordStore(vaults(params.connection)).identity(ctx, params.name),
    intent: (_ctx, params) => ({ previous: params.previous }),
    do: async (ctx, params) => write(ctx, target(params), ctx.value()),
    verify: async (ctx, params, done) =>
      verifyWrite(ctx, target(params), done, () => storedValue(ctx, params, needId(done, "version"))),
    reconcile: async (ctx, params) => reconcileWrite(ctx, target(params), settleMs),
    undo: async (ctx, params, done) => undoWrite(ctx, target(params), done),
  };

  /** After a crash the value is no longer held: the version that we wrote says what it is. */
  async function storedValue(ctx: VerbContext, params: WriteParams, version: string): Promise<SecretValue> {
    return (await recordStore(vaults(params.connection)).version(ctx, params.name, version)).value;
  }
}

/** `keyvault.copy@1`: writes the record's new value into the entry that a consumer copies from. */
export function keyvaultCopy(
  vaults: Vaults,
  records: Records,
  connector: Verb["connector"],
  settleMs: number,
): Verb<CopyParams> {
  const target = (params: CopyParams): Write => ({
    vault: vaults(params.connection),
    name: params.name,
    previous: params.previous,
    created: params.created,
    call: "secret.copy",
  });
  async function value(ctx: VerbContext, params: CopyParams): Promise<SecretValue> {
    const held = heldValue(ctx);
    if (held !== null) return held;
    const version = needId(need(ctx, params.store), "version");
    return (await records(params.record.connection).version(ctx, params.record.name, version)).value;
  }
  return {
    id: "keyvault.copy@1",
    connector,
    params: CopyParams,
    value: "uses",
    effect: "change",
    retry: "once",
    call: "secret.copy",
    identify: async (ctx, params) => recordStore(vaults(params.connection)).identity(ctx, params.name),
    intent: (_ctx, params) => ({ previous: params.previous }),
    async do(ctx, params) {
      const to = target(params);
      assertScope(to.vault, to.name);
      assertEnvironment(records(params.record.connection).prod, to.vault.connection.prod, params.connection);
      return write(ctx, to, await value(ctx, params));
    },
    verify: async (ctx, params, done) => verifyWrite(ctx, target(params), done, () => value(ctx, params)),
    reconcile: async (ctx, params) => reconcileWrite(ctx, target(params), settleMs),
    undo: async (ctx, params, done) => undoWrite(ctx, target(params), done),
  };
}

/** A prod value never enters a scope that is not prod (I12). */
function assertEnvironment(fromProd: boolean, toProd: boolean, connection: string): void {
  if (fromProd && !toProd)
    throw new CountersignError("SCOPE_REFUSED", `expected a prod scope for a prod value, got connection ${connection}`);
}
