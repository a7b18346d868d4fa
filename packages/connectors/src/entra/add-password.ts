import {
  CountersignError,
  type Done,
  type Facts,
  type Reconciled,
  SecretValue,
  type Verb,
  type VerbContext,
  type Verified,
} from "@countersign/core";
import { z } from "zod";
import { parseMarker } from "../kit/markers.ts";
import { isoOf, msOf } from "../kit/time.ts";
import { currentIntent } from "../kit/verb.ts";
import { credentialOf, identifyApplication, markedBy, readApplication } from "./application.ts";
import { graphCall, type Tenant, type Tenants } from "./graph.ts";
import { removeCredential } from "./remove-credential.ts";
import { applicationParams } from "./schema.ts";
import { AddedPassword } from "./shapes.ts";

const Params = z.strictObject({
  ...applicationParams,
  lifetimeSeconds: z
    .int()
    .min(60)
    .max(400 * 86_400),
});
type Params = z.infer<typeof Params>;

/**
 * `entra.add-password@1`: creates one client secret whose display name is our marker (Graph docs, application: addPassword).
 * The call has no idempotency key and gives the text once, so it is sent once; what becomes of a lost answer is found by marker.
 */
export function addPassword(tenants: Tenants, connector: Verb["connector"]): Verb<Params> {
  return {
    id: "entra.add-password@1",
    connector,
    params: Params,
    value: "yields",
    effect: "change",
    retry: "once",
    call: "application.addPassword",
    identify: async (ctx, params) => identifyApplication(ctx, tenants(params.tenant), params),
    intent: (ctx, params) => ({
      displayName: ctx.marker,
      endDateTime: isoOf(ctx.clock.now() + params.lifetimeSeconds * 1_000),
    }),

    async do(ctx, params) {
      const endDateTime = endOf(ctx, params);
      const answer = await graphCall(ctx, tenants(params.tenant), {
        name: "application.addPassword",
        method: "POST",
        path: `/v1.0/applications/${encodeURIComponent(params.objectId)}/addPassword`,
        // No startDateTime: with ours, a clock that runs ahead of Entra's makes a fresh secret fail.
        json: { passwordCredential: { displayName: ctx.marker, endDateTime } },
        retry: "once",
        effect: true,
        // Documented is 200; whoever answers 201 has made it too.
        expect: [200, 201],
        answer: AddedPassword,
        as: "writer",
        priority: "high",
      });
      const added = answer.body;
      if (added.displayName !== ctx.marker) {
        throw new CountersignError(
          "OUTSIDE_UNKNOWN",
          "expected the created secret to carry our marker, got another name",
          {
            call: "application.addPassword",
            requestId: answer.requestId,
          },
        );
      }
      return {
        objectIds: { keyId: added.keyId },
        facts: {
          status: answer.status,
          at: isoOf(ctx.clock.now()),
          asked: endDateTime,
          endsAt: isoOf(msOf(added.endDateTime)),
        },
        requestIds: [answer.requestId],
        value: SecretValue.of(added.secretText),
      };
    },

    /** The lifetime in the answer must be the one that was approved: a directory policy may move it. */
    verify(_ctx, _params, done): Promise<Verified> {
      const asked = msOf(String(done.facts.asked));
      const ends = msOf(String(done.facts.endsAt));
      const facts: Facts = { asked: isoOf(asked), endsAt: isoOf(ends) };
      if (Math.abs(ends - asked) > 1_000) return Promise.resolve({ kind: "refuted", code: "expiry-differs", facts });
      return Promise.resolve({ kind: "verified", level: "accepted", facts });
    },

    reconcile: async (ctx, params) => reconcile(ctx, params, tenants),
    undo: async (ctx, params, done) => removeMade(ctx, params, tenants, done.objectIds),
    discard: async (ctx, params, objectIds) =>
      typeof objectIds.keyId === "string"
        ? removeMade(ctx, params, tenants, objectIds)
        : removeMarked(ctx, params, tenants),
  };
}

function endOf(ctx: VerbContext, params: Params): string {
  const journaled = currentIntent(ctx)?.intent.endDateTime;
  return typeof journaled === "string" ? journaled : isoOf(ctx.clock.now() + params.lifetimeSeconds * 1_000);
}

/**
 * The outcome of an attempt is not known. Its value is lost either way, so whatever it made is to be taken away again:
 * found by a marker whose nonce a journaled intent of this step holds. Not found is no proof of absence (reads lag, for
 * minutes at times): another attempt may go on with a new nonce, and the late twin is removed when it is seen.
 */
async function reconcile(ctx: VerbContext, params: Params, tenants: Tenants): Promise<Reconciled> {
  const tenant = tenants(params.tenant);
  const attempts = new Map([[ctx.nonce, ctx.attempt]]);
  for (const past of ctx.past)
    if (past.direction === "do" && past.outcome !== "done") attempts.set(past.nonce, past.attempt);
  const intentAt = currentIntent(ctx)?.intentAt;
  const { settleMs, apartMs } = tenant.waits;
  const early = intentAt === undefined ? settleMs : intentAt + settleMs - ctx.clock.now();
  if (early > 0) await ctx.clock.sleep(early, ctx.signal);
  const left = new Map<string, number>();
  for (let look = 0; look < 2; look += 1) {
    if (look > 0) await ctx.clock.sleep(apartMs, ctx.signal);
    const application = await readApplication(ctx, tenant, params, "writer");
    for (const { keyId, marker } of markedBy(application, ctx.run)) {
      const attempt = attempts.get(marker.nonce);
      if (attempt !== undefined) left.set(keyId, attempt);
    }
  }
  const found = [...left].map(([keyId, attempt]) => ({ attempt, objectIds: { keyId } }));
  const own = found.some(({ attempt }) => attempt === ctx.attempt);
  return { kind: "not-done", facts: own ? { looks: 2 } : { absent: "not-proven", looks: 2 }, left: found };
}

/**
 * Removes what this step made, by its exact keyId. Already absent is done, and no proof: a secret that was made moments ago
 * is as unknown to a replica as one that is gone, so the sweep goes on looking for it.
 */
async function removeMade(ctx: VerbContext, params: Params, tenants: Tenants, objectIds: Facts): Promise<Done> {
  const keyId = objectIds.keyId;
  if (typeof keyId !== "string")
    throw new CountersignError("STATE_CONFLICT", "expected the keyId of the secret to remove, got none");
  const tenant = tenants(params.tenant);
  await assertOurs(ctx, params, tenant, keyId);
  const gone = await removeCredential(ctx, tenant, params, keyId);
  return {
    objectIds: { keyId },
    facts: {
      status: gone.status,
      alreadyAbsent: gone.alreadyAbsent,
      ...(gone.alreadyAbsent ? { absent: "not-proven" } : {}),
    },
    requestIds: gone.requestIds,
  };
}

/**
 * The journal says which keyId to take back, and whoever owns the database could have written that. The directory's own
 * word decides: what does not carry this run's marker was not made by it and is never removed here (I5). Absent is fine.
 */
async function assertOurs(ctx: VerbContext, params: Params, tenant: Tenant, keyId: string): Promise<void> {
  const credential = credentialOf(await readApplication(ctx, tenant, params, "writer"), keyId);
  if (credential === undefined) return;
  const marker = parseMarker(credential.displayName);
  // A discard is of one attempt: the secret of another one of this run may be in use.
  if (marker?.run === ctx.run && (ctx.direction !== "discard" || marker.nonce === ctx.nonce)) return;
  throw new CountersignError(
    "IDENTITY_MISMATCH",
    "expected a secret that carries this run's marker, got another one; it was not removed",
    { call: "application.removePassword", refused: true },
  );
}

/**
 * Takes back an attempt whose keyId was never learned: what carries its marker is removed. Seeing nothing is no proof of
 * absence; the sweep goes on looking for it, since the attempt itself stays unknown.
 */
async function removeMarked(ctx: VerbContext, params: Params, tenants: Tenants): Promise<Done> {
  const tenant = tenants(params.tenant);
  const application = await readApplication(ctx, tenant, params, "writer");
  const removed: string[] = [];
  for (const { keyId, marker } of markedBy(application, ctx.run)) {
    if (marker.nonce !== ctx.nonce) continue;
    await removeCredential(ctx, tenant, params, keyId);
    removed.push(keyId);
  }
  return {
    objectIds: {},
    facts: { removed },
    requestIds: [],
  };
}
