import {
  consumerKindNames,
  consumerKinds,
  type Done,
  type Facts,
  type Verb,
  type VerbContext,
  type Verified,
  type VerifyLevel,
  verifyLevels,
} from "@countersign/core";
import { z } from "zod";
import { recordReference, stepId } from "../kit/schema.ts";
import type {
  Records,
  Sessions,
  SignInLog,
  StoredVersion,
  TargetQuestion,
  TargetReader,
  TargetReading,
} from "../kit/seams.ts";
import { isoOf, msOf } from "../kit/time.ts";
import { looked, need, needId } from "../kit/verb.ts";

const Params = z.strictObject({
  consumer: z.string().min(1),
  kind: z.enum(consumerKindNames),
  target: z.record(z.string(), z.json()),
  record: recordReference,
  store: stepId,
  created: stepId,
  /** The step whose write the consumer reads; for `latest` the store step. */
  update: stepId,
  pickupSeconds: z.int().min(0),
  callers: z.array(z.string().max(64)).max(20),
  level: z.enum(verifyLevels),
  old: z.string().min(1),
  tenant: z.string().optional(),
  appId: z.string().optional(),
  server: z.string().optional(),
  role: z.string().optional(),
});
type Params = z.infer<typeof Params>;

interface Needs {
  readonly records: Records;
  readonly targets: TargetReader;
  readonly signIns: SignInLog;
  readonly sessions: Sessions;
}

/** Looks again for a sign-in this often: the log is late by minutes, a session comes and goes. */
const signInEveryMsMax = 60_000;
const signInEveryMsMin = 5_000;
const sessionEveryMs = 5_000;
/** Looks again this often at a target that follows the record by itself. */
const behindMs = 10 * 60_000;

/**
 * `consumer.confirm@1`: shows how far one consumer was seen to hold the new credential. It changes nothing; `verify` is
 * asked again and again during the overlap until the level that the plan wants is reached.
 */
export function consumerConfirm(needs: Needs, connector: Verb["connector"]): Verb<Params> {
  const question = (params: Params): TargetQuestion => ({
    kind: params.kind,
    target: params.target,
    record: params.record,
  });
  return {
    id: "consumer.confirm@1",
    connector,
    params: Params,
    value: "none",
    effect: "look",
    retry: "safe",
    call: "consumer.confirm",
    async identify(ctx, params) {
      return (await needs.targets(ctx, question(params), null)).identity;
    },
    do: async (ctx) => looked({ at: isoOf(ctx.clock.now()) }),
    verify: async (ctx, params) => confirm(ctx, params, needs, question(params)),
  };
}

async function confirm(ctx: VerbContext, params: Params, needs: Needs, question: TargetQuestion): Promise<Verified> {
  const now = ctx.clock.now();
  const stored = need(ctx, params.store);
  const update = need(ctx, params.update);
  const word = params.kind === "manual" ? await ctx.confirmed(params.update, "do") : null;
  // Nobody has said that it was done: there is nothing to look at, however long it takes.
  if (params.kind === "manual" && word === null)
    return { kind: "not-yet", lookAgainMs: behindMs, facts: { waitsFor: "owner" } };
  const since = word?.at ?? (typeof update.facts.at === "string" ? msOf(update.facts.at) : now);
  const latest = await needs.records(params.record.connection).latest(ctx, params.record.name);
  if (latest === null || latest.version !== needId(stored, "version")) {
    return { kind: "refuted", code: "record-not-ours", facts: { found: latest?.version ?? null } };
  }
  const reading = await needs.targets(ctx, question, latest);
  if (!reading.exists) return { kind: "refuted", code: "consumer-gone", facts: {} };
  const pickupUntil = since + params.pickupSeconds * 1_000;
  if (reading.behind === true && now < pickupUntil)
    return { kind: "not-yet", lookAgainMs: Math.min(behindMs, pickupUntil - now), facts: { behind: true } };
  const shown = shownBy(params.kind, reading, update);
  if (shown === null) return { kind: "refuted", code: "consumer-not-on-new-version", facts: {} };
  const waitMs = pickupUntil - now;
  if (waitMs > 0)
    return {
      kind: "not-yet",
      lookAgainMs: waitMs,
      facts: { pickupUntil: isoOf(pickupUntil) },
    };

  const use = await usedBy(ctx, params, needs, latest, since);
  const facts: Facts = { pickupSeconds: params.pickupSeconds, ...use.facts };
  const level: VerifyLevel = use.shown ? "used" : shown;
  if (use.shown || verifyLevels.indexOf(level) >= verifyLevels.indexOf(params.level)) {
    // Declared callers are waited for even where less would do: a caller that never comes is a consumer left behind.
    if (!use.expected || use.shown) return { kind: "verified", level, facts };
  }
  return { kind: "not-yet", lookAgainMs: use.lookAgainMs, facts };
}

/**
 * How far reading the target shows our write: by comparing the value, by the outside's own mark of the last write, or
 * not beyond its word. Null: it shows another value or another writer.
 */
function shownBy(kind: Params["kind"], reading: TargetReading, update: Done): VerifyLevel | null {
  if (reading.matchesRecord !== null) return reading.matchesRecord ? "value-matched" : null;
  // Where values can be read, one that cannot be compared is no confirmation.
  if (consumerKinds[kind].shows === "value-matched") return null;
  const stamp = reading.stamp ?? null;
  if (stamp === null) return "accepted";
  return stamp === update.objectIds.stamp ? "metadata-changed" : null;
}

interface Use {
  /** Was every declared caller seen with the new credential? */
  readonly shown: boolean;
  /** Can it be seen at all, and are there callers to be seen? */
  readonly expected: boolean;
  readonly facts: Facts;
  readonly lookAgainMs: number;
}

async function usedBy(
  ctx: VerbContext,
  params: Params,
  needs: Needs,
  latest: StoredVersion,
  since: number,
): Promise<Use> {
  if (params.server !== undefined && params.role !== undefined) {
    const seen = await needs.sessions(ctx, params.server, params.role);
    const missing = params.callers.filter((caller) => !seen.includes(caller));
    // Where the server hides addresses, a session of the new role is all that can be seen; it shows somebody's use, not whose.
    const shown = seen.length > 0 && missing.length === 0;
    return { shown, expected: false, facts: { sessions: seen.length, missing }, lookAgainMs: sessionEveryMs };
  }
  if (params.tenant === undefined || params.appId === undefined || params.callers.length === 0) {
    return { shown: false, expected: false, facts: { callers: 0 }, lookAgainMs: signInEveryMsMax };
  }
  const log = await needs.signIns(ctx, params.tenant, params.appId, since);
  if (log === null)
    return { shown: false, expected: false, facts: { report: "unavailable" }, lookAgainMs: signInEveryMsMax };
  const own = new Set(ctx.outcomeOf("prove")?.requestIds ?? []);
  const keyId = (latest.tags["cs-keyid"] ?? needId(need(ctx, params.created), "keyId")).toLowerCase();
  const seen = new Set(
    log.lines.filter((line) => line.keyId?.toLowerCase() === keyId && !own.has(line.id)).map((line) => line.address),
  );
  const missing = params.callers.filter((caller) => !seen.has(caller));
  return {
    shown: missing.length === 0,
    expected: true,
    facts: { callers: params.callers.length, missing },
    // A consumer that picks up within seconds is looked for again within seconds.
    lookAgainMs: Math.min(signInEveryMsMax, Math.max(signInEveryMsMin, params.pickupSeconds * 1_000)),
  };
}
