import { setTimeout as delay, setImmediate as immediate } from "node:timers/promises";
import { CountersignError, type NoticesConfig, type NotifyConfig, type TicketsConfig } from "@countersign/core";
import type { EngineClock } from "../clock/clock.ts";
import { hasten } from "../clock/hasten.ts";
import type { NoticeRow, TakenDelivery } from "../store/index.ts";
import { nextTryMs, restMs, standStillMs } from "./backoff.ts";
import { Bell } from "./bell.ts";
import { type Channel, failure, type Sent } from "./channels/channel.ts";
import { type ChannelParts, createChannel, takerOf } from "./channels/create.ts";
import { ExpiryWatch, stillExpiring } from "./expiry.ts";
import { contextOf, factsOf, type OwnersOf } from "./facts.ts";
import { type Message, messageOf } from "./message.ts";
import { audienceOf, deliveriesOf, isMoot, laterOf, type PeopleOf } from "./routing.ts";
import type { Watched } from "./watched.ts";
import { WeeklyDigest } from "./weekly.ts";

/** Real time between two looks at what is due: the next due time decides. What nobody rang for is found within the longest. */
const lookMsMin = 1_000;
const lookMsMax = 2_000;
const batchMax = 50;
/** So many failures in a row, and the other channels are told. */
const reportAfter = 3;
/** A delivery taken by a notifier that dies is due again so long after it could have ended (domain time). */
const graceMs = 30_000;

export interface Notifier {
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface NotifierOptions extends ChannelParts {
  readonly clock: EngineClock;
  readonly notify: readonly NotifyConfig[];
  readonly tickets: readonly TicketsConfig[];
  readonly notices: NoticesConfig;
  readonly peopleOf: PeopleOf;
  readonly ownersOf: OwnersOf;
  /** The applications whose owners are told of what comes. */
  readonly watched: () => readonly Watched[];
  /** Address of the page, for links. */
  readonly pageUrl: string;
  readonly log: (event: string, facts?: Readonly<Record<string, unknown>>) => void;
}

/**
 * Tells people. It has no right on any provider or store. What is due to be told, reminders and digests included, stands
 * in rows with a time; each channel is driven by a loop of its own, so that one that hangs delays nobody. A loop works when its
 * bell is rung: by a notification, by the loop before it, or by a look at what is due, which misses nothing.
 */
export function createNotifier(options: NotifierOptions): Notifier {
  const { store, clock, log } = options;
  const configured = [...options.notify, ...options.tickets];
  const takers = configured.map(takerOf);
  const channels = configured.map((config) => createChannel(config, options));
  const expiry = new ExpiryWatch({ ...options, rules: options.notices.expiry });
  const weekly = new WeeklyDigest({ ...options, rules: options.notices.weekly });
  const hasToWake = hasten(clock);
  const stopped = new AbortController();
  const bells = {
    look: new Bell(),
    notices: new Bell(),
    digests: new Bell(),
    expiry: new Bell(),
    weekly: new Bell(),
  };
  const channelBells: ReadonlyMap<string, Bell> = new Map(channels.map(({ name }) => [name, new Bell()]));
  let lookAgain: NodeJS.Timeout | undefined;
  let loops: Promise<unknown> = Promise.resolve();
  let stopListening: () => Promise<void> = async () => {};

  /** Rings for whatever is due, if `may`; returns when something is to be told next, the present included. */
  async function look(may: () => boolean): Promise<number | null> {
    const waits = await store.noticesWait();
    const now = clock.now();
    const times: readonly (readonly [Bell, number | null])[] = [
      [bells.notices, waits.notices],
      [bells.digests, waits.digests],
      ...[...channelBells].map(([name, bell]) => [bell, waits.channels[name] ?? null] as const),
    ];
    const due = times.flatMap(([bell, at]) => (at !== null && at <= now ? [bell] : []));
    // A scan may just have shown what expires.
    if (expiry.isDue(waits.scanned, now)) due.push(bells.expiry);
    if (weekly.isDue(now)) due.push(bells.weekly);
    if (due.length > 0 && may()) {
      for (const bell of due) bell.ring();
      // A loop that was woken is at work by then: time does not move before it is done.
      await immediate();
    }
    const known = [...times.map(([, at]) => at), expiry.next, weekly.next].filter((at) => at !== null);
    return known.length === 0 ? null : Math.min(...known);
  }

  /** Looks without having been told: a notification may be lost, and nothing notifies that it is time. */
  async function lookInTime(): Promise<void> {
    const next = await look(() => true);
    const leftMs = next === null ? lookMsMax : next - clock.now();
    clearTimeout(lookAgain);
    lookAgain = setTimeout(() => bells.look.ring(), Math.min(lookMsMax, Math.max(lookMsMin, leftMs)));
  }

  async function cutDigests(): Promise<void> {
    const now = clock.now();
    for (const { channel, recipient } of await store.digestsDue(now)) {
      await store.digestCut(channel, recipient, options.notices.digest?.itemsMax ?? batchMax, now);
      channelBells.get(channel)?.ring();
    }
  }

  /** Each notice stands for itself: one that cannot be routed is tried again later and delays no other. */
  async function routeDue(): Promise<void> {
    bells.notices.quiet();
    const due = await store.noticesDue(clock.now(), batchMax);
    for (const notice of due) await route(notice).catch((error: unknown) => postpone(notice, error));
    if (due.length === batchMax) bells.notices.ring();
  }

  async function route(due: NoticeRow): Promise<void> {
    const now = clock.now();
    const still = due.kind === "credential.expiring" ? await stillExpiring(store, due, now) : due;
    const notice = still ?? due;
    const context = notice.runId === null ? null : await contextOf(store, notice.runId, options.ownersOf);
    const moot = still === null || isMoot(notice, context);
    const escalateTo = options.notices.escalate?.role ?? null;
    const audience = audienceOf(notice, context, escalateTo, options.peopleOf);
    const deliveries = moot ? [] : deliveriesOf(notice, context, takers, audience, options.notices, now);
    const routed = await store.noticeRoute(
      notice.id,
      {
        deliveries,
        facts: { ...factsOf(notice, context, linkOf(notice)), audience },
        later: laterOf(notice, context, options.notices),
        void: moot,
      },
      now,
    );
    if (routed === null) return;
    for (const channel of routed) channelBells.get(channel)?.ring();
    if (!moot) log("notice", { kind: notice.kind, run: notice.runId, channels: deliveries.length });
  }

  async function postpone(notice: NoticeRow, error: unknown): Promise<void> {
    const at = clock.now();
    const tryMs = nextTryMs(notice.attempts + 1, null);
    await store.noticePostpone(notice.id, notice.attempts, tryMs === null ? null : at + tryMs, at);
    log("notice.postponed", {
      notice: notice.id,
      kind: notice.kind,
      run: notice.runId,
      attempt: notice.attempts + 1,
      error: codeOf(error),
    });
  }

  function linkOf({ kind, runId }: NoticeRow): string {
    const path = runId === null ? (kind === "credential.expiring" ? "/credentials" : "/") : `/runs/${runId}`;
    return new URL(path, options.pageUrl).href;
  }

  async function sendDue(channel: Channel, bell: Bell): Promise<void> {
    const again = () => clock.now() + channel.busyMsMax + graceMs;
    bell.quiet();
    let taken = await store.deliveryTake(channel.name, clock.now(), again());
    while (taken !== null) {
      const sent = await attempt(channel, taken);
      bell.quiet();
      taken = await settle(taken, stopped.signal.aborted && sent.outcome !== "done" ? cutOff : sent, again());
    }
  }

  async function attempt(channel: Channel, taken: TakenDelivery): Promise<Sent> {
    const { notice } = taken;
    const facts = { ...notice.facts, kind: notice.kind, link: notice.facts?.link ?? linkOf(notice) };
    let message: Message;
    try {
      const names = new Map(taken.people.map(({ id, name }) => [id, name]));
      message = messageOf(facts, (person) => names.get(person) ?? person);
    } catch (error) {
      // This notice's own trouble: the channel is as good as before.
      return failure(codeOf(error), { ofChannel: false });
    }
    try {
      return await channel.send({ taken, facts, message, now: clock.now(), signal: stopped.signal });
    } catch (error) {
      // A reference that cannot be read, an address that is not allowed: the configuration's, until somebody mends it.
      return failure(error instanceof CountersignError ? error.code : "unexpected");
    }
  }

  /** Returns what is to be sent next over the same channel; who stops takes nothing more. */
  async function settle({ delivery, notice }: TakenDelivery, sent: Sent, again: number): Promise<TakenDelivery | null> {
    const at = clock.now();
    const tryMs =
      sent.outcome === "done" || sent.final
        ? null
        : sent === cutOff
          ? 0
          : nextTryMs(delivery.attempts, sent.retryAfterMs);
    const settled = {
      id: delivery.id,
      attempt: delivery.attempts,
      outcome: sent.outcome,
      code: sent.code,
      status: sent.status,
      notBefore: tryMs === null ? null : at + tryMs,
      ofChannel: sent.ofChannel,
      pauseUntil: sent.outcome === "done" || !sent.ofChannel ? null : at + restMs(delivery.attempts, sent.retryAfterMs),
      reportAfter,
      at,
    };
    const next = stopped.signal.aborted
      ? await store.deliverySettle(settled).then(() => null)
      : await store.deliveryNext(settled, again);
    if (sent.outcome !== "done")
      log("notice.undelivered", {
        kind: notice.kind,
        run: notice.runId,
        channel: delivery.channel,
        code: sent.code,
        attempt: delivery.attempts,
      });
    return next;
  }

  /** Works whenever its bell is rung, until it is stopped. After a failure nothing wakes it for a growing while. */
  async function loop(name: string, bell: Bell, work: () => Promise<void>): Promise<void> {
    let failures = 0;
    // Asked before as well: who was at work when all bells were rung for the end may have taken that for something to do.
    while (!stopped.signal.aborted) {
      await bell.heard();
      if (stopped.signal.aborted) return;
      try {
        await clock.work(work);
        failures = 0;
      } catch (error) {
        failures += 1;
        log("notifier.failed", { loop: name, failures, error: codeOf(error) });
        bell.ring();
        await delay(standStillMs(failures), undefined, { signal: stopped.signal }).catch(() => {});
      }
    }
  }

  return {
    async start() {
      await store.channelsSet(
        channels.map(({ name, kind }) => ({ name, kind })),
        clock.now(),
      );
      clock.nextDue(() => look(hasToWake));
      stopListening = await store.listen("cs_notice", () => bells.notices.ring());
      bells.look.ring();
      loops = Promise.all([
        loop("look", bells.look, lookInTime),
        loop("routing", bells.notices, routeDue),
        loop("digests", bells.digests, cutDigests),
        loop("expiry", bells.expiry, () => expiry.tellDue(clock.now())),
        loop("weekly", bells.weekly, () => weekly.tellDue(clock.now())),
        ...channels.map((channel) => {
          const bell = channelBells.get(channel.name) ?? new Bell();
          return loop(channel.name, bell, () => sendDue(channel, bell));
        }),
      ]);
    },
    async stop() {
      stopped.abort();
      clearTimeout(lookAgain);
      for (const bell of [...Object.values(bells), ...channelBells.values()]) bell.ring();
      await loops;
      await stopListening();
    },
  };
}

/** The notifier stops in the middle of an attempt: what became of it is not known, and the next one looks at once. */
const cutOff: Sent = failure("stopped", { outcome: "unknown", ofChannel: false });

function codeOf(error: unknown): string {
  return error instanceof CountersignError ? error.code : error instanceof Error ? error.name : "unknown";
}
