import { type Facts, type NoticesConfig, ownersOfCredential } from "@countersign/core";
import type { Expiring, ExpiryItem, NoticeRow, Store } from "../store/index.ts";
import { byObject, expiringMax, objectKey, type Watched } from "./watched.ts";

const dayMs = 86_400_000;
/** Policy and inventory are read anew after so long (domain time), whatever happens. */
const lookEveryMs = 3_600_000;

/**
 * Tells owners that a credential expires, once for each time before its end that policy names. One notice per look for the
 * same owners, whatever number it is. When the next time passes is known beforehand; a scan may change it.
 */
export class ExpiryWatch {
  readonly #store: Store;
  readonly #watched: () => readonly Watched[];
  readonly #itemsMax: number;
  #lookedAt = 0;
  #scanSeen: number | null = null;
  #next: number | null = null;

  constructor(options: {
    readonly store: Store;
    readonly watched: () => readonly Watched[];
    readonly rules: NoticesConfig["expiry"];
  }) {
    this.#store = options.store;
    this.#watched = options.watched;
    this.#itemsMax = options.rules.itemsMax;
  }

  /** The next domain time at which somebody is to be told, as far as it is known; null: of none. */
  get next(): number | null {
    return this.#next;
  }

  /** Whether somebody may have to be told, given when the last scan ended. */
  isDue(scanned: number | null, now: number): boolean {
    const isTime = this.#next !== null && this.#next <= now;
    return isTime || scanned !== this.#scanSeen || now >= this.#lookedAt + lookEveryMs;
  }

  async tellDue(now: number): Promise<void> {
    const scanned = await this.#store.lastScanEnd();
    if (!this.isDue(scanned, now)) return;
    this.#next = await this.#look(now);
    this.#scanSeen = scanned;
    this.#lookedAt = now;
  }

  /** Tells what is due; returns when something is due next. */
  async #look(now: number): Promise<number | null> {
    const objects = byObject(this.#watched().filter(({ tellSeconds }) => tellSeconds.length > 0));
    if (objects.size === 0) return null;
    const longestMs = Math.max(...[...objects.values()].flatMap(({ tellSeconds }) => tellSeconds)) * 1_000;
    // A day further, so that the next time is known.
    const until = now + longestMs + dayMs;
    const found = await this.#store.expiring([...objects.values()], now, until, expiringMax);
    const groups = new Map<
      string,
      { readonly of: Watched; readonly owners: string[]; readonly credentials: ExpiryItem[] }
    >();
    let next: number | null = null;
    for (const credential of found) {
      const of = objects.get(objectKey(credential));
      if (of === undefined) continue;
      const { passed, upcoming } = timesOf(credential, of.tellSeconds, now);
      if (upcoming !== null) next = Math.min(next ?? upcoming, upcoming);
      if (passed === null) continue;
      const owners = [...new Set([...of.owners, ...ownersOfCredential(of, credential.id)])].sort();
      const key = JSON.stringify([of.tenant, of.environment, owners]);
      const group = groups.get(key) ?? { of, owners, credentials: [] };
      groups.set(key, group);
      group.credentials.push(itemOf(credential, of, passed, now));
    }
    for (const { of, owners, credentials } of groups.values())
      await this.#store.expiryTell({
        credentials,
        payload: { owners, tenant: of.tenant, environment: of.environment },
        itemsMax: this.#itemsMax,
        at: now,
      });
    return next;
  }
}

/** The shortest time that has passed and was not told yet, and when the next one passes. */
function timesOf({ expiresAt, toldSeconds }: Expiring, tellSeconds: readonly number[], now: number) {
  const instants = tellSeconds.map((seconds) => ({ seconds, at: expiresAt - seconds * 1_000 }));
  const passed = instants.filter(({ at }) => at <= now).map(({ seconds }) => seconds);
  const upcoming = instants.filter(({ at }) => at > now).map(({ at }) => at);
  const shortest = passed.length === 0 ? null : Math.min(...passed);
  return {
    passed: shortest === null || (toldSeconds !== null && toldSeconds <= shortest) ? null : shortest,
    upcoming: upcoming.length === 0 ? null : Math.min(...upcoming),
  };
}

function itemOf(credential: Expiring, of: Watched, thresholdSeconds: number, now: number): ExpiryItem {
  const { tenant, objectId, id, expiresAt } = credential;
  return { tenant, objectId, id, expiresAt, thresholdSeconds, item: expiringFacts(credential, of, now) };
}

/** A credential that expires, as people are told of it. */
export function expiringFacts({ id, objectId, kind, expiresAt }: Expiring, of: Watched, now: number): Facts {
  const dueAt = of.dueSeconds === null || kind !== "client-secret" ? null : expiresAt - of.dueSeconds * 1_000;
  return {
    application: of.name,
    credential: id,
    objectId,
    kind,
    expiresAt: new Date(expiresAt).toISOString(),
    leftSeconds: Math.floor((expiresAt - now) / 1_000),
    /** When a rotation is asked for by itself; null: by nobody. */
    dueAt: dueAt === null ? null : new Date(dueAt).toISOString(),
  };
}

/**
 * The notice without what a run has taken over, or somebody has removed, since it was written; null when nothing is left of
 * it. A notifier that was down for a day says nothing that is no longer so.
 */
export async function stillExpiring(store: Store, notice: NoticeRow, now: number): Promise<NoticeRow | null> {
  const { expiring, tenant } = notice.payload as {
    readonly expiring: { readonly total: number; readonly items: readonly { objectId: string; credential: string }[] };
    readonly tenant: string;
  };
  const targets = [...new Set(expiring.items.map(({ objectId }) => objectId))].map((objectId) => ({
    tenant,
    objectId,
  }));
  const left = new Set(
    (await store.expiring(targets, now, Number.MAX_SAFE_INTEGER, expiringMax)).map(
      ({ id, objectId }) => `${objectId} ${id}`,
    ),
  );
  const items = expiring.items.filter(({ objectId, credential }) => left.has(`${objectId} ${credential}`));
  if (items.length === 0) return null;
  const total = expiring.total - (expiring.items.length - items.length);
  return { ...notice, payload: { ...notice.payload, expiring: { total, items } } };
}
