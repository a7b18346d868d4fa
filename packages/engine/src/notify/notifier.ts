import { setTimeout as delay, setImmediate as immediate } from "node:timers/promises";
import { CountersignError, type NoticesConfig, type NotifyConfig, type TicketsConfig } from "@countersign/core";
import type { EngineClock } from "../clock/clock.ts";
import { hasten } from "../clock/hasten.ts";
import type { NoticeRow, TakenDelivery } from "../store/index.ts";
import { nextTryMs, restMs, standStillMs } from "./backoff.ts";
import { type Channel, failure, type Sent } from "./channels/channel.ts";
import { type ChannelParts, createChannel, takerOf } from "./channels/create.ts";
import { ExpiryWatch, stillExpiring } from "./expiry.ts";
import { contextOf, factsOf, type OwnersOf } from "./facts.ts";
import { type Message, messageOf } from "./message.ts";
import { audienceOf, deliveriesOf, isMoot, laterOf, type PeopleOf } from "./routing.ts";
import type { Watched } from "./watched.ts";
import { WeeklyDigest } from "./weekly.ts";

const pollMs = 1_000;
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
 * in rows with a time; each channel is driven by a loop of its own, so that one that hangs delays nobody.
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
  const wakers = new Set<() => void>();
  /** Those that a new notice may give something to do: a digest goes by time alone. */
  const noticeWakers = new Set<() => void>();
  /** Those that a scan may give something to do: it may just have shown what expires. */
  const ownerWakers = new Set<() => void>();
  const wakeAll = () => {
    for (const wake of wakers) wake();
  };
  const wakeForNotice = () => {
    for (const wake of noticeWakers) wake();
  };
  let loops: Promise<unknown> = Promise.resolve();
  let stopListening: () => Promise<void> = async () => {};

  /** When there is something to tell that domain time has to wait for; the loops are woken for what is due now. */
  async function nextDue(): Promise<number | null> {
    const { due, scanned } = await store.noticesWait();
    const now = clock.now();
    const isDue = due !== null && due <= now;
    const ownersAre = expiry.isDue(scanned, now) || weekly.isDue(now);
    if ((isDue || ownersAre) && hasToWake()) {
      for (const wake of isDue ? wakers : ownerWakers) wake();
      // A loop that was woken is at work by then: time does not move before it is done.
      await immediate();
    }
    const times = [due, expiry.next, weekly.next].filter((time) => time !== null);
    return times.length === 0 ? null : Math.min(...times);
  }

  async function cutDigests(): Promise<void> {
    const now = clock.now();
    for (const { channel, recipient } of await store.digestsDue(now))
      await store.digestCut(channel, recipient, options.notices.digest?.itemsMax ?? batchMax, now);
  }

  /** Each notice stands for itself: one that cannot be routed is tried again later and delays no other. */
  async function routeDue(): Promise<void> {
    for (const notice of await store.noticesDue(clock.now(), batchMax))
      await route(notice).catch((error: unknown) => postpone(notice, error));
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
    if (routed && !moot) log("notice", { kind: notice.kind, run: notice.runId, channels: deliveries.length });
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

  async function sendDue(channel: Channel): Promise<void> {
    for (;;) {
      if (stopped.signal.aborted) return;
      const now = clock.now();
      const [taken] = await store.deliveriesTake(channel.name, now, now + channel.busyMsMax + graceMs, 1);
      if (taken === undefined) return;
      const sent = await attempt(channel, taken);
      await settle(taken, stopped.signal.aborted && sent.outcome !== "done" ? cutOff : sent);
    }
  }

  async function attempt(channel: Channel, taken: TakenDelivery): Promise<Sent> {
    const { notice } = taken;
    const facts = { ...notice.facts, kind: notice.kind, link: notice.facts?.link ?? linkOf(notice) };
    let message: Message;
    try {
      const names = await namesOf();
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

  async function namesOf(): Promise<ReadonlyMap<string, string>> {
    return new Map((await store.people()).flatMap(({ id, name }) => (name === null ? [] : [[id, name] as const])));
  }

  async function settle({ delivery, notice }: TakenDelivery, sent: Sent): Promise<void> {
    const at = clock.now();
    const tryMs =
      sent.outcome === "done" || sent.final
        ? null
        : sent === cutOff
          ? 0
          : nextTryMs(delivery.attempts, sent.retryAfterMs);
    await store.deliverySettle({
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
    });
    if (sent.outcome !== "done")
      log("notice.undelivered", {
        kind: notice.kind,
        run: notice.runId,
        channel: delivery.channel,
        code: sent.code,
        attempt: delivery.attempts,
      });
  }

  /** Works whenever something may be due, until it is stopped. After a failure nothing wakes it for a growing while. */
  async function loop(name: string, work: () => Promise<void>, hears = noticeWakers): Promise<void> {
    let failures = 0;
    while (!stopped.signal.aborted) {
      const woken = wakeUp(hears);
      try {
        await clock.work(work);
        failures = 0;
        await woken;
      } catch (error) {
        failures += 1;
        log("notifier.failed", { loop: name, failures, error: codeOf(error) });
        await delay(standStillMs(failures), undefined, { signal: stopped.signal }).catch(() => {});
      }
    }
  }

  /** Resolves when somebody wakes us from now on, or after a while: what is told meanwhile is not missed. */
  function wakeUp(hears: Set<() => void>): Promise<void> {
    return new Promise<void>((resolve) => {
      const end = () => {
        wakers.delete(end);
        hears.delete(end);
        resolve();
      };
      wakers.add(end);
      hears.add(end);
      delay(pollMs, undefined, { signal: stopped.signal }).then(end, end);
    });
  }

  return {
    async start() {
      await store.channelsSet(
        channels.map(({ name, kind }) => ({ name, kind })),
        clock.now(),
      );
      clock.nextDue(nextDue);
      stopListening = await store.listen("cs_notice", wakeForNotice);
      loops = Promise.all([
        loop("routing", routeDue),
        loop("digests", cutDigests, wakers),
        loop("expiry", () => expiry.tellDue(clock.now()), ownerWakers),
        loop("weekly", () => weekly.tellDue(clock.now()), ownerWakers),
        ...channels.map((channel) => loop(channel.name, () => sendDue(channel))),
      ]);
    },
    async stop() {
      stopped.abort();
      wakeAll();
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
