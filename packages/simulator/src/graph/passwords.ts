import type { Incoming, Operation, Outcome } from "../http/exchange.ts";
import { addCredential, presentCredentials, readReplica, removeCredential } from "../tenant/credentials.ts";
import type { Application, Credential, CredentialHolder } from "../tenant/model.ts";
import { parseTime } from "../time.ts";
import type { World } from "../world.ts";
import { type Actor, keyDescriptions, recordAudit } from "./audits.ts";
import { type GraphCall, graphOperation, jsonBody } from "./call.ts";
import { refuse } from "./errors.ts";
import { findHolder, type HolderKind, notFound } from "./holders.ts";
import { policyRefusal } from "./policies.ts";
import { credentialShape } from "./shapes.ts";

const WRITE = ["Application.ReadWrite.All", "Application.ReadWrite.OwnedBy"];
const MANIFEST_ENTRIES_MAX = 1200;
const PERSONAL_SECRETS_MAX = 2;

/** POST addPassword: not idempotent, the value is in this answer and nowhere else. */
export function addPassword(world: World, incoming: Incoming, kind: HolderKind, key: string): Operation {
  const holder = findHolder(world, kind, key);
  return graphOperation(world, incoming, {
    op: `${kind.noun}.addPassword`,
    write: true,
    roles: WRITE,
    holder,
    target: { objectId: holder?.id ?? key, appId: holder?.appId ?? null },
    run(call) {
      if (holder === null) return notFound(call, key);
      const wish = readWish(call);
      if ("reply" in wish) return wish;
      const refusal = limitRefusal(call, holder) ?? policyRefusal(call, kind, holder, wish.startMs, wish.endMs);
      if (refusal !== null) return refusal;
      const before = keyDescriptions(holder);
      const credential = addCredential(world, holder, { ...wish, createdBy: call.claims.appid });
      recordAudit(world, programOf(call), kind, holder, before, keyDescriptions(holder));
      return {
        reply: {
          status: 200,
          body: {
            "@odata.context": `${incoming.origin}/v1.0/$metadata#microsoft.graph.passwordCredential`,
            ...credentialShape(credential),
            secretText: credential.secretText,
          },
        },
        effect: true,
        target: { keyId: credential.keyId, displayName: credential.displayName },
      };
    },
  });
}

/** POST removePassword: for ever. */
export function removePassword(world: World, incoming: Incoming, kind: HolderKind, key: string): Operation {
  const holder = findHolder(world, kind, key);
  const wanted = jsonBody(incoming)?.keyId;
  const keyId = typeof wanted === "string" ? wanted : null;
  return graphOperation(world, incoming, {
    op: `${kind.noun}.removePassword`,
    write: true,
    roles: WRITE,
    holder,
    target: { objectId: holder?.id ?? key, appId: holder?.appId ?? null, keyId },
    run(call) {
      if (holder === null) return notFound(call, key);
      if (keyId === null) {
        return refuse(world, incoming, 400, "Request_BadRequest", "A value is required for property 'keyId'.");
      }
      const before = keyDescriptions(holder);
      const credential = presentCredentials(holder).find((item) => item.keyId === keyId);
      // A key that this replica has not heard of is as unknown to it as one that never was.
      if (credential === undefined || !known(world, credential)) {
        return refuse(world, incoming, 400, "Request_BadRequest", `No password credential found with keyId ${keyId}.`);
      }
      removeCredential(world, holder, credential);
      recordAudit(world, programOf(call), kind, holder, before, keyDescriptions(holder));
      return { reply: { status: 204 }, effect: true };
    },
  });
}

/** PATCH on the object: only credentials are looked at, and they are refused. */
export function patchHolder(world: World, incoming: Incoming, kind: HolderKind, key: string): Operation {
  const holder = findHolder(world, kind, key);
  return graphOperation(world, incoming, {
    op: `${kind.noun}.patch`,
    write: true,
    roles: WRITE,
    holder,
    target: { objectId: holder?.id ?? key, appId: holder?.appId ?? null },
    run(call) {
      if (holder === null) return notFound(call, key);
      const text = "Updates to passwordCredentials are not supported; use addPassword and removePassword.";
      const body = jsonBody(incoming);
      return body !== null && "passwordCredentials" in body
        ? refuse(world, incoming, 400, "Request_BadRequest", text)
        : refuse(world, incoming, 501, "NotImplemented", "This tenant is a double: other updates are not simulated.");
    },
  });
}

function programOf({ claims, incoming }: GraphCall): Actor {
  return { appId: claims.appid, userAgent: incoming.userAgent, requestId: incoming.requestId };
}

function known(world: World, credential: Credential): boolean {
  return (credential.listedAtMs[readReplica(world)] ?? 0) <= world.clock.nowMs;
}

interface Wish {
  displayName: string | null;
  startMs: number | null;
  endMs: number | null;
}

function readWish(call: GraphCall): Wish | Outcome {
  const bad = (message: string): Outcome => refuse(call.world, call.incoming, 400, "Request_BadRequest", message);
  const body = jsonBody(call.incoming);
  if (body === null) return bad("Unable to read JSON request payload.");
  const given = body.passwordCredential ?? {};
  if (typeof given !== "object" || Array.isArray(given))
    return bad("Invalid value specified for 'passwordCredential'.");
  const wish = given as Record<string, unknown>;
  if (wish.secretText !== undefined && wish.secretText !== null) {
    return bad("Setting secretText is not supported; the service generates it.");
  }
  const displayName = wish.displayName ?? null;
  if (displayName !== null && typeof displayName !== "string") return bad("Invalid value specified for 'displayName'.");
  const startMs = parseTime(wish.startDateTime ?? undefined);
  const endMs = parseTime(wish.endDateTime ?? undefined);
  if (wish.startDateTime != null && startMs === null)
    return bad("Cannot convert 'startDateTime' to Edm.DateTimeOffset.");
  if (wish.endDateTime != null && endMs === null) return bad("Cannot convert 'endDateTime' to Edm.DateTimeOffset.");
  if (endMs !== null && endMs <= (startMs ?? call.world.clock.nowMs)) return bad("Key credential end date is invalid.");
  return { displayName, startMs, endMs };
}

function limitRefusal(call: GraphCall, holder: CredentialHolder): Outcome | null {
  const audience = (holder as Partial<Application>).signInAudience ?? "";
  const count = presentCredentials(holder).length;
  if (audience.includes("PersonalMicrosoftAccount") && count >= PERSONAL_SECRETS_MAX) {
    return refuse(
      call.world,
      call.incoming,
      400,
      "Request_BadRequest",
      "The application has too many password credentials.",
    );
  }
  const entries = count + holder.keyCredentials.length + holder.owners.length + holder.tags.length;
  if (entries >= MANIFEST_ENTRIES_MAX) {
    const text =
      "The size of the manifest has exceeded its limit. Please reduce the number of values and retry your request.";
    return refuse(call.world, call.incoming, 400, "Directory_QuotaExceeded", text);
  }
  return null;
}
