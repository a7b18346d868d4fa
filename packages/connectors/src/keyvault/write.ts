/** Writing a version of a secret: shared by the system of record and by copies. */
import {
  CountersignError,
  type Done,
  isCode,
  type Reconciled,
  type SecretValue,
  type VerbContext,
  type Verified,
} from "@countersign/core";
import { matchesAny } from "../kit/glob.ts";
import type { StoredVersion } from "../kit/seams.ts";
import { isoOf, msOf } from "../kit/time.ts";
import { currentIntent, heldValue, need } from "../kit/verb.ts";
import { SecretBundle } from "./shapes.ts";
import { listVersions, recordStore, type Vault, vaultCall, versionOf } from "./vault.ts";

/** What is to be written where. */
export interface Write {
  readonly vault: Vault;
  readonly name: string;
  /** Version that was newest when the plan was made; null for an empty entry. */
  readonly previous: string | null;
  /** The step that made the credential. */
  readonly created: string;
  readonly call: string;
}

/** Vendor limits (Key Vault docs, about secrets). */
const tagsMax = 15;
const valueBytesMax = 25_000;

/** Refuses a name outside the connection's scope (I12). */
export function assertScope(vault: Vault, name: string): void {
  if (!matchesAny(name, vault.connection.names)) {
    throw new CountersignError(
      "SCOPE_REFUSED",
      `expected a name in the scope of connection ${vault.connection.name}, got ${name}`,
    );
  }
}

/** Id of what this run created: a keyId, or the role's name. */
export function createdId(ctx: VerbContext, created: string): string {
  const { keyId, role } = need(ctx, created).objectIds;
  const id = keyId ?? role;
  if (typeof id !== "string")
    throw new CountersignError("STATE_CONFLICT", `expected step ${created} to name what it created, got no id`);
  return id;
}

/** Whether a version was written by this run for this credential. */
function isOurs(ctx: VerbContext, keyId: string, tags: StoredVersion["tags"]): boolean {
  return tags["cs-run"] === ctx.run && tags["cs-keyid"] === keyId && tags["cs-undo-of"] === undefined;
}

/** Writes the value as a new version, unless this run has already done so; refuses when another writer came first. */
export async function write(ctx: VerbContext, to: Write, value: SecretValue): Promise<Done> {
  assertScope(to.vault, to.name);
  if (Buffer.byteLength(value.reveal()) > valueBytesMax)
    throw new CountersignError("LIMIT_EXCEEDED", `expected a value of at most ${valueBytesMax} bytes, got more`);
  const keyId = createdId(ctx, to.created);
  const before = await recordStore(to.vault).latest(ctx, to.name);
  if (before !== null && isOurs(ctx, keyId, before.tags) && before.value.equals(value))
    return doneWith(ctx, before.version, null, []);
  if ((before?.version ?? null) !== to.previous && before?.tags["cs-run"] !== ctx.run) {
    throw new CountersignError(
      "PLAN_DRIFTED",
      "expected the newest version to be the plan's, got one by another writer",
      {
        call: to.call,
        refused: true,
        found: before?.version ?? null,
      },
    );
  }
  const tags = { "cs-run": ctx.run, "cs-attempt": String(ctx.attempt), "cs-keyid": keyId, "cs-nonce": ctx.nonce };
  return set(ctx, to, value, before, tags, expiryOf(ctx, to.created));
}

/** Seconds since the epoch at which the credential ends; informational in Key Vault, but its near-expiry events hang on it. */
function expiryOf(ctx: VerbContext, created: string): number | null {
  const ends = need(ctx, created).facts.endsAt;
  return typeof ends === "string" ? Math.floor(msOf(ends) / 1_000) : null;
}

async function set(
  ctx: VerbContext,
  to: Write,
  value: SecretValue,
  model: StoredVersion | null,
  ours: Readonly<Record<string, string>>,
  expiresAt: number | null,
): Promise<Done> {
  // Tags belong to a version; what others put there would vanish with the next one if it were not carried over.
  const kept = Object.entries(model?.tags ?? {}).filter(([name]) => !name.startsWith("cs-"));
  if (kept.length + Object.keys(ours).length > tagsMax) {
    throw new CountersignError(
      "LIMIT_EXCEEDED",
      `expected at most ${tagsMax} tags with ours, got ${kept.length} foreign ones`,
    );
  }
  const answer = await vaultCall(ctx, to.vault, to.vault.endpoint.url(`/secrets/${to.name}`, to.vault.query), {
    name: to.call,
    method: "PUT",
    json: {
      value: value.reveal(),
      ...(model?.contentType == null ? {} : { contentType: model.contentType }),
      attributes: { enabled: true, ...(expiresAt === null ? {} : { exp: expiresAt }) },
      tags: { ...Object.fromEntries(kept), ...ours },
    },
    retry: "once",
    effect: true,
    answer: SecretBundle,
  });
  return doneWith(ctx, versionOf(answer.body.id, to.name), answer.status, [answer.requestId]);
}

function doneWith(ctx: VerbContext, version: string, status: number | null, requestIds: readonly string[]): Done {
  return {
    objectIds: { version },
    facts: { status, at: isoOf(ctx.clock.now()), alreadyThere: status === null },
    requestIds,
  };
}

/** Reads the newest version back: it must be ours and hold the value. Another writer's version refutes for good. */
export async function verifyWrite(
  ctx: VerbContext,
  to: Write,
  done: Done,
  expected: () => Promise<SecretValue>,
): Promise<Verified> {
  const latest = await recordStore(to.vault).latest(ctx, to.name);
  const facts = { version: latest?.version ?? null };
  if (latest === null || latest.version === to.previous) return { kind: "not-yet", lookAgainMs: 2_000, facts };
  if (latest.version !== done.objectIds.version) return { kind: "refuted", code: "other-writer", facts };
  if (!isOurs(ctx, createdId(ctx, to.created), latest.tags)) return { kind: "refuted", code: "tags-differ", facts };
  const held = heldValue(ctx) ?? (await expected());
  if (!latest.value.equals(held)) return { kind: "refuted", code: "value-differs", facts };
  return { kind: "verified", level: "value-matched", facts };
}

/** Looks for what an attempt of unknown outcome wrote: by our tags among all versions, twice apart. */
export async function reconcileWrite(ctx: VerbContext, to: Write, settleMs: number): Promise<Reconciled> {
  const nonces = new Set([
    ctx.nonce,
    ...ctx.past.filter((past) => past.direction === ctx.direction).map((past) => past.nonce),
  ]);
  for (let look = 0; look < 2; look += 1) {
    const waitMs = look === 0 ? (currentIntent(ctx)?.intentAt ?? ctx.clock.now()) + settleMs - ctx.clock.now() : 5_000;
    if (waitMs > 0) await ctx.clock.sleep(waitMs, ctx.signal);
    const versions = await listOrNone(ctx, to);
    const mine = versions
      .filter(
        ({ tags }) =>
          tags["cs-run"] === ctx.run &&
          (tags["cs-undo-of"] !== undefined) === (ctx.direction !== "do") &&
          nonces.has(tags["cs-nonce"] ?? ""),
      )
      .sort((a, b) => b.created - a.created)[0];
    if (mine !== undefined) return { kind: "done", done: doneWith(ctx, mine.version, null, []) };
  }
  return { kind: "not-done", facts: { looks: 2 } };
}

async function listOrNone(ctx: VerbContext, to: Write) {
  try {
    return await listVersions(ctx, to.vault, to.name);
  } catch (error) {
    if (isCode(error, "OUTSIDE_NOT_FOUND")) return [];
    throw error;
  }
}

/**
 * Writes the previous version's value as a new version, since a vault cannot go back; only while the newest one is ours.
 * The tag `cs-undo-of` makes twice once.
 */
export async function undoWrite(ctx: VerbContext, to: Write, done: Done): Promise<Done> {
  assertScope(to.vault, to.name);
  const ours = done.objectIds.version;
  const store = recordStore(to.vault);
  const latest = await store.latest(ctx, to.name);
  if (latest !== null && latest.version === to.previous) return doneWith(ctx, latest.version, null, []);
  if (latest !== null && latest.tags["cs-run"] === ctx.run && latest.tags["cs-undo-of"] === ours)
    return doneWith(ctx, latest.version, null, []);
  // The journal says which version is ours, and whoever owns the database can write the journal: the vault's tag decides.
  if (
    typeof ours !== "string" ||
    latest === null ||
    !(latest.version === ours || isLateTwin(ctx, latest.tags)) ||
    latest.tags["cs-run"] !== ctx.run
  ) {
    throw new CountersignError("UNDO_IMPOSSIBLE", "expected our version to be the newest, got one by another writer", {
      found: latest?.version ?? null,
    });
  }
  if (to.previous === null)
    throw new CountersignError(
      "UNDO_IMPOSSIBLE",
      "expected a previous version to go back to, got an entry that was empty",
    );
  const old = await previousOf(ctx, to, to.previous);
  const oldKey = old.tags["cs-keyid"];
  const tags = {
    "cs-run": ctx.run,
    "cs-attempt": String(ctx.attempt),
    "cs-nonce": ctx.nonce,
    "cs-undo-of": ours,
    ...(oldKey === undefined ? {} : { "cs-keyid": oldKey }),
  };
  return set(ctx, to, old.value, old, tags, old.expiresAt);
}

/** Written late by another attempt of this step, whose executor had stalled: its nonce stands in a journaled intent. */
function isLateTwin(ctx: VerbContext, tags: StoredVersion["tags"]): boolean {
  const nonces = ctx.past.filter(({ direction }) => direction === "do").map(({ nonce }) => nonce);
  return tags["cs-undo-of"] === undefined && nonces.includes(tags["cs-nonce"] ?? "");
}

async function previousOf(ctx: VerbContext, to: Write, version: string): Promise<StoredVersion> {
  try {
    return await recordStore(to.vault).version(ctx, to.name, version);
  } catch (error) {
    if (!isCode(error, "OUTSIDE_NOT_FOUND", "OUTSIDE_FORBIDDEN")) throw error;
    throw new CountersignError("UNDO_IMPOSSIBLE", "expected the store to return the previous value, got a refusal", {
      version,
    });
  }
}
