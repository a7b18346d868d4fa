import { CountersignError, type GateReading, type Verb, type VerbContext } from "@countersign/core";
import { z } from "zod";
import { parseMarker } from "../kit/markers.ts";
import { recordReference, stepId } from "../kit/schema.ts";
import type { Records, SignInLog } from "../kit/seams.ts";
import { isoOf, msOf } from "../kit/time.ts";
import { need, needId } from "../kit/verb.ts";
import { credentialOf, identifyApplication, isLive, readApplication, sameId } from "./application.ts";
import { readGate } from "./gate.ts";
import type { Tenants } from "./graph.ts";
import { absentTwice, removeCredential } from "./remove-credential.ts";
import { applicationParams, directoryId } from "./schema.ts";
import type { Application } from "./shapes.ts";
import { lastUseReported } from "./sign-in-log.ts";

const Params = z.strictObject({
  ...applicationParams,
  /** The old secret, exactly. */
  keyId: directoryId,
  created: stepId,
  store: stepId,
  record: recordReference,
  quietSeconds: z.int().min(0),
  consumers: z.array(z.strictObject({ name: z.string(), callers: z.array(z.string()) })).max(100),
});
type Params = z.infer<typeof Params>;

/** How far back the log is asked: as long as a gap between two uses may be. */
const historyMs = 90 * 86_400_000;
const defaultLogLagSeconds = 86_400;

interface Needs {
  readonly tenants: Tenants;
  readonly records: Records;
  readonly signIns: SignInLog;
}

/**
 * `entra.remove-password@1`: removes the old secret by the exact keyId of the plan (I5). It cannot be undone: Entra never
 * shows a secret's value again and has no way to disable one.
 */
export function removePassword(needs: Needs, connector: Verb["connector"]): Verb<Params> {
  const { tenants } = needs;
  return {
    id: "entra.remove-password@1",
    connector,
    params: Params,
    value: "none",
    effect: "change",
    retry: "idempotent",
    call: "application.removePassword",
    identify: async (ctx, params) => identifyApplication(ctx, tenants(params.tenant), params),
    intent: (_ctx, params) => ({ keyId: params.keyId }),
    gate: async (ctx, params) => gate(ctx, params, needs),

    async do(ctx, params) {
      const tenant = tenants(params.tenant);
      const newKeyId = needId(need(ctx, params.created), "keyId");
      assertOther(await readApplication(ctx, tenant, params, "writer"), ctx.run, newKeyId, params, ctx.clock.now());
      const gone = await removeCredential(ctx, tenant, params, params.keyId);
      return {
        objectIds: { keyId: params.keyId },
        facts: { status: gone.status, alreadyAbsent: gone.alreadyAbsent, at: isoOf(ctx.clock.now()) },
        requestIds: gone.requestIds,
      };
    },

    async verify(ctx, params) {
      if (await absentTwice(ctx, tenants(params.tenant), params, params.keyId)) {
        return { kind: "verified", level: "metadata-changed", facts: { absentReads: 2 } };
      }
      return { kind: "not-yet", lookAgainMs: 10_000, facts: { absentReads: 0 } };
    },

    async reconcile(ctx, params) {
      if (await absentTwice(ctx, tenants(params.tenant), params, params.keyId)) {
        return {
          kind: "done",
          done: { objectIds: { keyId: params.keyId }, facts: { status: null, alreadyAbsent: true }, requestIds: [] },
        };
      }
      return { kind: "not-done", facts: { present: true } };
    },
  };
}

/** The old secret may go only while another one, the new one, is live beside it. */
function assertOther(application: Application, run: string, newKeyId: string, params: Params, now: number): void {
  if (sameId(newKeyId, params.keyId))
    throw new CountersignError("PLAN_DRIFTED", "expected to remove the old secret, got the id of the new one");
  const fresh = credentialOf(application, newKeyId);
  // What the journal calls new must have been made by this run: whoever owns the database can write the journal.
  if (fresh === undefined || !isLive(fresh, now) || parseMarker(fresh.displayName)?.run !== run) {
    throw new CountersignError(
      "PLAN_DRIFTED",
      "expected this run's new secret to be live before the old one is removed, got none",
      { keyId: newKeyId },
    );
  }
}

async function gate(ctx: VerbContext, params: Params, needs: Needs): Promise<GateReading> {
  const tenant = needs.tenants(params.tenant);
  const now = ctx.clock.now();
  const stored = need(ctx, params.store);
  const newKeyId = needId(need(ctx, params.created), "keyId");
  const storedAt = typeof stored.facts.at === "string" ? msOf(stored.facts.at) : now;
  const [application, latest, signIns, activity] = await Promise.all([
    readApplication(ctx, tenant, params, "writer"),
    needs.records(params.record.connection).latest(ctx, params.record.name),
    needs.signIns(ctx, params.tenant, params.appId, now - historyMs),
    lastUseReported(ctx, tenant, params.keyId),
  ]);
  const fresh = credentialOf(application, newKeyId);
  const uris = [application.web, application.spa, application.publicClient].flatMap((part) => part?.redirectUris ?? []);
  return readGate({
    now,
    storedAt,
    oldKeyId: params.keyId,
    newKeyId,
    recordIsOurs:
      latest !== null &&
      latest.tags["cs-run"] === ctx.run &&
      sameId(latest.tags["cs-keyid"] ?? "", newKeyId) &&
      fresh !== undefined &&
      isLive(fresh, now),
    singleTenant: application.signInAudience === "AzureADMyOrg",
    redirectUris: uris.length > 0,
    signIns,
    activity,
    ownRequestIds: ownRequestIds(ctx),
    quietSeconds: params.quietSeconds,
    logLagSeconds: tenant.settings.signInLogLagSeconds ?? defaultLogLagSeconds,
    consumers: params.consumers,
  });
}

/** Our proofs sign in with the new key; their request ids are in the journal under the step that proved. */
function ownRequestIds(ctx: VerbContext): ReadonlySet<string> {
  return new Set(ctx.outcomeOf("prove")?.requestIds ?? []);
}
