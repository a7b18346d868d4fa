import { setTimeout as delay } from "node:timers/promises";
import type { EngineClock } from "../clock/clock.ts";
import type { Store } from "../store/index.ts";
import { deliver, type WebhookSink } from "./webhook.ts";

const pollMs = 1_000;
const batchMax = 20;
/** A notice taken by a notifier that dies is due again after this (domain time). */
const againMs = 60_000;
const attemptsMax = 8;

export interface Notifier {
  start(): void;
  stop(): Promise<void>;
}

/**
 * Delivers what the outbox holds. It has no right on any provider or store; a channel that is dead delays nobody: the
 * notice waits with backoff, is given up after some attempts, and stays visible as undelivered.
 */
export function createNotifier(options: {
  readonly store: Store;
  readonly clock: EngineClock;
  readonly sinks: readonly WebhookSink[];
  /** Address of the page, for deep links. */
  readonly pageUrl: string;
  readonly log: (event: string, facts?: Readonly<Record<string, unknown>>) => void;
}): Notifier {
  const { store, clock, sinks } = options;
  const stopped = new AbortController();
  let loop: Promise<void> = Promise.resolve();
  let wake: () => void = () => {};

  async function deliverDue(): Promise<void> {
    const now = clock.now();
    for (const notice of await store.noticesTake(now, now + againMs, batchMax)) {
      const payload = {
        type: notice.kind,
        timestamp: new Date(notice.createdAt).toISOString(),
        data: { ...notice.payload, run: notice.runId, link: linkOf(notice.runId) },
      };
      options.log("notice", { kind: notice.kind, run: notice.runId });
      const results = await Promise.all(sinks.map((sink) => deliver(sink, `notice_${notice.id}`, now, payload)));
      const failed = results.find((result) => !result.delivered);
      const givenUp = failed !== undefined && notice.attempts >= attemptsMax;
      await store.noticeSettle({
        id: notice.id,
        attempt: notice.attempts,
        outcome: failed === undefined ? "done" : failed.status === null ? "unknown" : "failed",
        status: (failed ?? results[0])?.status ?? null,
        state: failed === undefined ? "sent" : givenUp ? "failed" : "due",
        notBefore: failed === undefined || givenUp ? null : now + 30_000 * 2 ** notice.attempts,
        at: clock.now(),
      });
    }
  }

  function linkOf(run: string | null): string | null {
    return run === null ? null : new URL(`/runs/${run}`, options.pageUrl).href;
  }

  async function run(): Promise<void> {
    const stopListening = await store.listen("cs_notice", () => wake());
    while (!stopped.signal.aborted) {
      await clock
        .work(deliverDue)
        .catch((error: unknown) =>
          options.log("notifier.failed", { error: error instanceof Error ? error.name : "unknown" }),
        );
      await new Promise<void>((resolve) => {
        wake = resolve;
        delay(pollMs, undefined, { signal: stopped.signal }).then(resolve, resolve);
      });
    }
    await stopListening();
  }

  return {
    start() {
      loop = run().catch((error: unknown) =>
        options.log("notifier.stopped", { error: error instanceof Error ? error.name : "unknown" }),
      );
    },
    async stop() {
      stopped.abort();
      wake();
      await loop;
    },
  };
}
