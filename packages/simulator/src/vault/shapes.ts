import type { SecretVersion, VaultSecret } from "../tenant/model.ts";

const RECOVERABLE_DAYS = 90;

type Json = Record<string, unknown>;

/** How ids and optional fields are written in an answer. */
export interface ShapeContext {
  /** Base address of the vault, without a final slash. */
  base: string;
  /** `previousVersion` comes from 2025-07-01 on. */
  withPrevious: boolean;
}

function attributes(version: SecretVersion): Json {
  return {
    enabled: version.enabled,
    ...(version.nbf === null ? {} : { nbf: version.nbf }),
    ...(version.exp === null ? {} : { exp: version.exp }),
    created: version.created,
    updated: version.updated,
    recoveryLevel: "Recoverable+Purgeable",
    recoverableDays: RECOVERABLE_DAYS,
  };
}

/** A version without its value. */
export function itemShape(context: ShapeContext, secret: VaultSecret, version: SecretVersion, named: boolean): Json {
  return {
    id: `${context.base}/secrets/${secret.name}${named ? `/${version.version}` : ""}`,
    attributes: attributes(version),
    tags: version.tags,
    ...(version.contentType === null ? {} : { contentType: version.contentType }),
  };
}

/** A version with or without its value. */
export function bundleShape(
  context: ShapeContext,
  secret: VaultSecret,
  version: SecretVersion,
  withValue: boolean,
): Json {
  return {
    ...(withValue ? { value: version.value } : {}),
    ...itemShape(context, secret, version, true),
    ...(context.withPrevious && version.previousVersion !== null ? { previousVersion: version.previousVersion } : {}),
  };
}

/** Adds what a deleted secret carries besides. */
export function deletedShape(context: ShapeContext, secret: VaultSecret, body: Json): Json {
  return {
    ...body,
    recoveryId: `${context.base}/deletedsecrets/${secret.name}`,
    deletedDate: Math.floor((secret.deleted?.atMs ?? 0) / 1000),
    scheduledPurgeDate: Math.floor((secret.deleted?.purgeMs ?? 0) / 1000),
  };
}
