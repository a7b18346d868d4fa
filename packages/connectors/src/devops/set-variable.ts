import {
  CountersignError,
  type Done,
  isCode,
  type SecretValue,
  type Verb,
  type VerbContext,
  type Verified,
} from "@countersign/core";
import { z } from "zod";
import { type Copies, copyParams } from "../kit/copies.ts";
import type { Answer } from "../kit/http.ts";
import { isoOf, msOf, vendorTime } from "../kit/time.ts";
import {
  auditedWrites,
  groupIdentity,
  type Organization,
  type Organizations,
  ownId,
  putGroup,
  readGroup,
} from "./organization.ts";
import { variableTarget } from "./schema.ts";
import type { VariableGroup } from "./shapes.ts";

const Params = z.strictObject({ ...copyParams, ...variableTarget });
type Params = z.infer<typeof Params>;

/** Writes within one attempt, each merged into what was read anew; then the attempt has failed. */
const roundsMax = 4;
/** Our own write stands in the audit log by then, or the log is not waited for any more (domain time). */
const auditMs = 10 * 60_000;
const auditEveryMs = 30_000;

/**
 * `devops.set-variable@1`: writes the record's value into one secret variable. The group is replaced as a whole by each
 * write and has no condition on it: everything else in it is sent back as it was read, right before.
 */
export function setVariable(
  organizations: Organizations,
  copies: Copies,
  connector: Verb["connector"],
  settleMs: number,
): Verb<Params> {
  return {
    id: "devops.set-variable@1",
    connector,
    params: Params,
    value: "uses",
    effect: "change",
    retry: "idempotent",
    call: "variableGroup.update",
    async identify(ctx, params) {
      const to = organizations(params.connection);
      return groupIdentity(to, params, await readGroup(ctx, to, params));
    },
    intent: (_ctx, params) => ({ previous: params.previous }),
    do: async (ctx, params) => write(ctx, params, await copies.next(ctx, params)),
    verify: (ctx, params, done) => verify(ctx, organizations(params.connection), params, done),
    // No `reconcile`: the value cannot be read, and writing the same one again is harmless.
    undo: async (ctx, params) => write(ctx, params, await copies.previous(ctx, params)),
  };

  async function write(ctx: VerbContext, params: Params, value: SecretValue): Promise<Done> {
    const to = organizations(params.connection);
    copies.assertScope(params, to.connection, `${params.project}/${params.group}/${params.variable}`);
    const gaps: Gap[] = [];
    // An earlier attempt that was cut off may have written as well: its gap is open until now.
    const cutOff = ctx.past.find((past) => past.direction === ctx.direction && past.facts.reconciled === "repeat");
    let from = cutOff === undefined ? null : isoOf(cutOff.intentAt);
    for (let round = 1; ; round += 1) {
      const before = await readGroup(ctx, to, params);
      assertSecret(before, params);
      if (from !== null) gaps.push([from, before.modifiedOn]);
      from = before.modifiedOn;
      const answer = await put(ctx, to, before, params.variable, value, round);
      if (answer === null) continue;
      gaps.push([from, answer.body.modifiedOn]);
      from = null;
      const after = await readGroup(ctx, to, params);
      if (after.modifiedOn === answer.body.modifiedOn) {
        return {
          objectIds: { stamp: answer.body.modifiedBy.id, modifiedOn: after.modifiedOn },
          facts: { status: answer.status, at: isoOf(ctx.clock.now()), gaps, rounds: round },
          requestIds: [answer.requestId],
        };
      }
      // Somebody wrote right after us, perhaps from what stood there before: ours is merged into theirs and written again.
      if (round >= roundsMax)
        throw new CountersignError(
          "OUTSIDE_CONFLICT",
          "expected our write to be the last, got another writer each time",
          {
            call: "variableGroup.update",
            rounds: round,
          },
        );
    }
  }

  /** One write; null when its answer was lost: it may still land, so what stands there is read again after a while. */
  async function put(
    ctx: VerbContext,
    to: Organization,
    before: VariableGroup,
    variable: string,
    value: SecretValue,
    round: number,
  ): Promise<Answer<VariableGroup> | null> {
    try {
      return await putGroup(ctx, to, before, variable, value);
    } catch (error) {
      if (!isCode(error, "OUTSIDE_UNKNOWN") || round >= roundsMax) throw error;
      await ctx.clock.sleep(settleMs, ctx.signal);
      return null;
    }
  }
}

/** From a read until the write that was built from it: what others wrote in between is lost. Times of the organization. */
type Gap = [from: string, until: string];
const Gaps = z.array(z.tuple([vendorTime, vendorTime])).min(1);

/** A value is written into a secret variable that exists, and nowhere else: any other would show it. */
function assertSecret(group: VariableGroup, { group: number, variable }: Params): void {
  if (group.type !== "Vsts" || group.variables[variable]?.isSecret !== true)
    throw new CountersignError(
      "PLAN_DRIFTED",
      `expected a secret variable ${variable} in group ${number}, got none or one that is not secret`,
      { call: "variableGroup.update", refused: true },
    );
}

/**
 * Shows that ours was the last write, and with an audit log also that no other came between our read and our write: that
 * one would be lost, and nothing in the group would tell.
 */
async function verify(ctx: VerbContext, to: Organization, params: Params, done: Done): Promise<Verified> {
  const group = await readGroup(ctx, to, params);
  const facts = { modifiedOn: group.modifiedOn };
  if (group.modifiedOn !== done.objectIds.modifiedOn && group.modifiedBy.id !== done.objectIds.stamp)
    return { kind: "refuted", code: "other-writer", facts };
  if (to.audit === null)
    return { kind: "verified", level: "metadata-changed", facts: { ...facts, foreign: "not-watched" } };
  const gaps = Gaps.parse(done.facts.gaps).map(([from, until]) => [msOf(from), msOf(until)] as const);
  const since = Math.min(...gaps.map(([from]) => from));
  const wroteOn = msOf(String(done.objectIds.modifiedOn));
  const [me, writes] = await Promise.all([
    ownId(ctx, to),
    auditedWrites(ctx, to, to.audit, group.name, since, wroteOn + auditMs),
  ]);
  const between = writes.filter(
    ({ actor, at }) => actor !== me && gaps.some(([from, until]) => msOf(at) > from && msOf(at) <= until),
  );
  if (between.length > 0)
    return { kind: "refuted", code: "foreign-change-overwritten", facts: { ...facts, writes: between.length } };
  if (writes.some(({ actor, at }) => actor === me && msOf(at) >= wroteOn))
    return { kind: "verified", level: "metadata-changed", facts: { ...facts, foreign: "none" } };
  if (ctx.clock.now() - msOf(String(done.facts.at)) >= auditMs)
    return { kind: "verified", level: "metadata-changed", facts: { ...facts, foreign: "not-shown" } };
  return { kind: "not-yet", lookAgainMs: auditEveryMs, facts };
}
