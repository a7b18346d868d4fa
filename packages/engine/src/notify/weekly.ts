import {
  accountable,
  type Facts,
  fleetCodes,
  lastCron,
  type NoticesConfig,
  named,
  nextCron,
  ownersOfCredential,
} from "@countersign/core";
import type { RunRow, StandingFinding, Store } from "../store/index.ts";
import { expiringFacts } from "./expiry.ts";
import { contextOf, missingApprovals, type OwnersOf, sentenceOf } from "./facts.ts";
import { byObject, expiringMax, objectKey, type Watched } from "./watched.ts";

const dayMs = 86_400_000;
/** Plans that wait, runs that are held, and runs that failed: more than so many of each are not looked at. */
const runsMax = 1_000;
/** What was found of somebody's applications: more than so many are not counted. */
const standingMax = 1_000;
/** Longest time of which failures are told, after the product was down for longer. */
const sinceMsMax = 31 * dayMs;

/** One part of what somebody is told: so many lines, and how many there are. */
interface Part {
  readonly total: number;
  readonly items: readonly Facts[];
}

/** What there is before everybody, looked up once for all owners. */
interface Found {
  readonly waiting: readonly { readonly run: RunRow; readonly people: readonly string[] }[];
  readonly held: readonly RunRow[];
  readonly failed: readonly RunRow[];
  /** When everybody was written to before. */
  readonly since: number;
}

/**
 * Writes to each owner what he has before him: what expires, what waits for him, what is held, what failed, what scans have
 * found. Once for each time that the rules name, over all notifiers and restarts; of times that were missed only the last is made up for.
 */
export class WeeklyDigest {
  readonly #store: Store;
  readonly #watched: () => readonly Watched[];
  readonly #ownersOf: OwnersOf;
  readonly #rules: NoticesConfig["weekly"];
  /** The last time that is over. */
  #last: number | null = null;
  /** The one after it: asked for at every instant at which anything happens. */
  #next: number | null = null;

  constructor(options: {
    readonly store: Store;
    readonly watched: () => readonly Watched[];
    readonly ownersOf: OwnersOf;
    readonly rules: NoticesConfig["weekly"];
  }) {
    this.#store = options.store;
    this.#watched = options.watched;
    this.#ownersOf = options.ownersOf;
    this.#rules = options.rules;
  }

  /** The next domain time at which owners are written to; null: never, or not known before the first look. */
  get next(): number | null {
    return this.#next;
  }

  /** Whether somebody may have to be written to; before the first look nobody knows. */
  isDue(now: number): boolean {
    return this.#rules !== null && (this.#last === null || (this.#next !== null && this.#next <= now));
  }

  async tellDue(now: number): Promise<void> {
    if (this.#rules === null) return;
    if (this.#last === null) this.#overTo(await this.#begin(now), this.#rules);
    if (this.#last === null || !this.isDue(now)) return;
    const instant = lastCron(this.#rules.cron, this.#rules.zone, this.#last, now);
    if (instant === null) return;
    const since = Math.max(this.#last, now - sinceMsMax);
    const watched = this.#watched();
    const found = await this.#found(since);
    for (const person of new Set(watched.flatMap(named))) {
      const payload = await this.#payloadOf(person, watched, found, this.#rules, now);
      await this.#store.weeklyTell(instant, person, payload, now);
    }
    await this.#store.weeklyTell(instant, "", null, now);
    this.#overTo(instant, this.#rules);
  }

  #overTo(instant: number, { cron, zone }: NonNullable<NoticesConfig["weekly"]>): void {
    this.#last = instant;
    this.#next = nextCron(cron, zone, instant);
  }

  /** An installation that has just begun owes nothing for the time before. */
  async #begin(now: number): Promise<number> {
    const last = await this.#store.lastWeekly();
    if (last !== null) return last;
    await this.#store.weeklyTell(now, "", null, now);
    return now;
  }

  async #found(since: number): Promise<Found> {
    const of = (...states: RunRow["state"][]) => this.#store.runs({ states, limit: runsMax });
    const waiting: Found["waiting"][number][] = [];
    for (const run of await of("awaiting_approval")) {
      const context = await contextOf(this.#store, run.id, this.#ownersOf);
      if (context !== null) waiting.push({ run, people: missingApprovals(context).flatMap(({ people }) => people) });
    }
    const failed = await of("rolled_back", "blocked", "expired");
    return { waiting, held: await of("held"), failed: failed.filter(({ updatedAt }) => updatedAt > since), since };
  }

  /** Null: there is nothing to say, and nobody has asked to hear that. */
  async #payloadOf(
    person: string,
    watched: readonly Watched[],
    found: Found,
    rules: NonNullable<NoticesConfig["weekly"]>,
    now: number,
  ): Promise<Facts | null> {
    const own = watched.filter((one) => named(one).includes(person));
    const objects = byObject(own);
    // Of an application of which one credential alone is his, he hears what is about that credential.
    const names = new Set(own.filter((one) => accountable(one).includes(person)).map(({ name }) => name));
    const isHis = (of: Watched, credential: string | null) =>
      names.has(of.name) || ownersOfCredential(of, credential).includes(person);
    const until = now + rules.expiresWithinDays * dayMs;
    const expiring = (await this.#store.expiring([...objects.values()], now, until, expiringMax)).flatMap(
      (credential) => {
        const of = objects.get(objectKey(credential));
        return of === undefined || !isHis(of, credential.id) ? [] : [expiringFacts(credential, of, now)];
      },
    );
    const standing = (await this.#store.standing([...objects.values()], now, standingMax)).filter((one) => {
      const of = objects.get(objectKey(one));
      return of !== undefined && isHis(of, one.credential);
    });
    const standingOf = (one: StandingFinding) => standingFacts(one, objects.get(objectKey(one))?.name ?? one.objectId);
    const runs = (list: readonly RunRow[]) => list.filter(({ targetKey }) => names.has(targetKey)).map(runFacts);
    const waiting = found.waiting.filter(({ people }) => people.includes(person)).map(({ run }) => run);
    const part = (all: readonly Facts[]): Part => ({ total: all.length, items: all.slice(0, rules.itemsMax) });
    const parts = {
      expiring: part(expiring),
      waiting: part(waiting.map(runFacts)),
      held: part(runs(found.held)),
      failed: part(runs(found.failed)),
      found: part(standing.map(standingOf)),
    };
    const { found: _, ...acute } = parts;
    // What was said last week and still stands is said again beside something else, and is no reason to write.
    const isNews = standing.some(({ firstSeen }) => firstSeen > found.since);
    if (!isNews && Object.values(acute).every(({ total }) => total === 0) && !rules.evenIfEmpty) return null;
    return { owners: [person], applications: own.length, ...parts } as unknown as Facts;
  }
}

/** What was found, as its owners are told of it. */
function standingFacts(
  { code, credential, observed, required, firstSeen }: StandingFinding,
  application: string,
): Facts {
  const since = new Date(firstSeen).toISOString();
  return { application, code, sentence: fleetCodes[code], credential, observed, required, since };
}

function runFacts({ id, targetKey, state, data }: RunRow): Facts {
  const because = (data.held ?? data.rollback) as { readonly code?: unknown } | null | undefined;
  const { approveUntil } = data;
  return {
    application: targetKey,
    run: id,
    state,
    ...(typeof because?.code === "string" ? { sentence: sentenceOf(because.code) } : {}),
    ...(state === "awaiting_approval" && typeof approveUntil === "number"
      ? { until: new Date(approveUntil).toISOString() }
      : {}),
  };
}
