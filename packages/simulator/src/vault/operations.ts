import type { Outcome } from "../http/exchange.ts";
import type { VaultSecret } from "../tenant/model.ts";
import { readSecretBody } from "./body.ts";
import { refuseVault } from "./errors.ts";
import { bundleShape, deletedShape, itemShape } from "./shapes.ts";
import { findDeleted, findSecret, readSecret, writeSecret } from "./store.ts";
import type { VaultCall } from "./surface.ts";

const PAGE_MAX = 25;
const RETENTION_MS = 90 * 86_400_000;

const notFound = (name: string): Outcome =>
  refuseVault(404, "SecretNotFound", `A secret with (name/id) ${name} was not found in this key vault.`);

const ok = (body: unknown, effect = false, target: Outcome["target"] = {}): Outcome => ({
  reply: { status: 200, body },
  effect,
  target,
});

/** GET a value: the latest, or one version. */
export function getSecret(call: VaultCall): Outcome {
  const read = readSecret(call.vault, call.name, call.version);
  if (!read.ok) {
    return read.reason === "not-found"
      ? notFound(call.name)
      : refuseVault(403, "Forbidden", "Operation get is not allowed on a disabled secret.", "SecretDisabled");
  }
  const secret = findSecret(call.vault, call.name) as VaultSecret;
  return ok(bundleShape(call.context, secret, read.version, true), false, { version: read.version.version });
}

/** PUT a value: a new version each time, the last writer's is the latest. */
export function setSecret(call: VaultCall): Outcome {
  const body = readSecretBody(call.incoming.body);
  if ("reply" in body) return body;
  if (body.value === undefined) return refuseVault(400, "BadParameter", "Property value is missing.");
  const { nowMs } = call.world.clock;
  if (findDeleted(call.vault, call.name, nowMs) !== null) {
    const text = `Secret ${call.name} is currently in a deleted but recoverable state, and its name cannot be reused.`;
    return refuseVault(409, "Conflict", text, "ObjectIsDeletedButRecoverable");
  }
  const version = writeSecret(call.world, call.vault, call.name, {
    value: body.value,
    contentType: body.contentType ?? null,
    tags: body.tags ?? {},
    enabled: body.enabled ?? true,
    nbf: body.nbf ?? null,
    exp: body.exp ?? null,
    writer: call.writer,
  });
  const secret = findSecret(call.vault, call.name) as VaultSecret;
  return ok(bundleShape(call.context, secret, version, true), true, { version: version.version });
}

/** PATCH attributes and tags of one version; omitted fields stay. */
export function patchSecret(call: VaultCall): Outcome {
  const body = readSecretBody(call.incoming.body);
  if ("reply" in body) return body;
  const secret = findSecret(call.vault, call.name);
  const version = secret?.versions.find((item) => item.version === call.version);
  if (secret === null || version === undefined) return notFound(call.name);
  if (body.tags !== undefined) version.tags = body.tags;
  if (body.contentType !== undefined) version.contentType = body.contentType;
  if (body.enabled !== undefined) version.enabled = body.enabled;
  if (body.nbf !== undefined) version.nbf = body.nbf;
  if (body.exp !== undefined) version.exp = body.exp;
  version.updated = Math.floor(call.world.clock.nowMs / 1000);
  return ok(bundleShape(call.context, secret, version, false), true, { enabled: version.enabled });
}

/** GET versions, without values, in no promised order (but the same one for every page). */
export function listVersions(call: VaultCall): Outcome {
  const secret = findSecret(call.vault, call.name);
  if (secret === null) return notFound(call.name);
  const order = [...secret.versions].sort((a, b) => (scramble(a.version) < scramble(b.version) ? -1 : 1));
  return paged(
    call,
    order.map((version) => itemShape(call.context, secret, version, true)),
  );
}

function scramble(version: string): string {
  return [...version].reverse().join("");
}

/** GET all secrets: base ids, no values. */
export function listSecrets(call: VaultCall): Outcome {
  const secrets = Object.values(call.vault.secrets).filter((secret) => secret.deleted === null);
  return paged(
    call,
    secrets.flatMap((secret) => {
      const latest = secret.versions.at(-1);
      return latest === undefined ? [] : [itemShape(call.context, secret, latest, false)];
    }),
  );
}

/** DELETE the secret with all its versions; it can be recovered until it is purged. */
export function deleteSecret(call: VaultCall): Outcome {
  const secret = findSecret(call.vault, call.name);
  const latest = secret?.versions.at(-1);
  if (secret === null || latest === undefined) return notFound(call.name);
  const { clock, knobs } = call.world;
  const lagMs = call.world.random("deleted-lag").between(knobs.deletedSecretLagSeconds) * 1000;
  secret.deleted = { atMs: clock.nowMs, purgeMs: clock.nowMs + RETENTION_MS, visibleMs: clock.nowMs + lagMs };
  return ok(deletedShape(call.context, secret, bundleShape(call.context, secret, latest, false)), true);
}

/** GET deleted secrets. */
export function listDeleted(call: VaultCall): Outcome {
  const secrets = Object.values(call.vault.secrets).filter((secret) => visibleDeleted(call, secret.name) !== null);
  return paged(
    call,
    secrets.flatMap((secret) => {
      const latest = secret.versions.at(-1);
      const body = latest === undefined ? null : itemShape(call.context, secret, latest, false);
      return body === null ? [] : [deletedShape(call.context, secret, body)];
    }),
  );
}

/** GET one deleted secret; 404 for a while after the delete. */
export function getDeleted(call: VaultCall): Outcome {
  const secret = visibleDeleted(call, call.name);
  const latest = secret?.versions.at(-1);
  if (secret === null || latest === undefined) return notFound(call.name);
  return ok(deletedShape(call.context, secret, bundleShape(call.context, secret, latest, false)));
}

/** POST recover. */
export function recoverSecret(call: VaultCall): Outcome {
  const secret = visibleDeleted(call, call.name);
  const latest = secret?.versions.at(-1);
  if (secret === null || latest === undefined) return notFound(call.name);
  secret.deleted = null;
  return ok(bundleShape(call.context, secret, latest, false), true);
}

/** DELETE for ever. */
export function purgeSecret(call: VaultCall): Outcome {
  const secret = visibleDeleted(call, call.name);
  if (secret === null) return notFound(call.name);
  if (call.vault.purgeProtection) {
    return refuseVault(403, "Forbidden", "Operation purge is not allowed because purge protection is enabled.");
  }
  delete call.vault.secrets[call.name.toLowerCase()];
  return { reply: { status: 204 }, effect: true };
}

function visibleDeleted(call: VaultCall, name: string): VaultSecret | null {
  const secret = findDeleted(call.vault, name, call.world.clock.nowMs);
  return secret?.deleted != null && secret.deleted.visibleMs <= call.world.clock.nowMs ? secret : null;
}

function paged(call: VaultCall, items: readonly unknown[]): Outcome {
  const { query } = call.incoming;
  const asked = Number(query.get("maxresults") ?? PAGE_MAX);
  if (!Number.isInteger(asked) || asked < 1 || asked > PAGE_MAX) {
    return refuseVault(400, "BadParameter", `maxresults: the value must be between 1 and ${PAGE_MAX}.`);
  }
  const size = Math.min(asked, Math.max(1, call.world.knobs.vaultPageSize));
  const start = Number(query.get("$skiptoken") ?? 0);
  if (!Number.isInteger(start) || start < 0) return refuseVault(400, "BadParameter", "The skip token is invalid.");
  const version = query.get("api-version") ?? "";
  const more = start + size < items.length;
  const link = `${call.context.base}${call.incoming.path.replace(/\/$/, "")}?api-version=${version}&$skiptoken=${start + size}&maxresults=${asked}`;
  return ok({ value: items.slice(start, start + size), nextLink: more ? link : null });
}
