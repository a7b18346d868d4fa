import { AsyncLocalStorage } from "node:async_hooks";
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { CountersignError } from "@countersign/core";
import { z } from "zod";
import type { EngineClock } from "./clock.ts";

const Tick = z.object({ now: z.iso.datetime({ offset: true }), seq: z.int().min(0) });

/** A tick is a line of JSON of well under this size; more is not the clock protocol. */
const eventCharsMax = 4_096;
const reconnectMs = 100;
/**
 * Work that does not sleep may wait for work that does (a shared token, a budget). When nothing has changed for so long
 * (real time) and something sleeps, time may move to the earliest wake-up.
 */
const stillMs = 100;

interface Sleeper {
  readonly until: number;
  readonly wake: () => void;
}

/**
 * Domain time served by a server over HTTP (docs/clock-protocol.md), for the profiles demo and test on loopback only.
 *
 * After each tick the product works off what has become due and then reports `idleUntil`; only when every client has
 * reported may time move again. So no window, overlap or backoff is ever jumped over.
 */
export async function virtualClock(url: string, warn: (message: string) => void): Promise<EngineClock> {
  const client = randomUUID();
  const closing = new AbortController();
  const sleepers = new Set<Sleeper>();
  const listeners: (() => Promise<void>)[] = [];
  const sources: (() => Promise<number | null>)[] = [];
  let now = 0;
  let seq = -1;
  let busy = 0;
  let reporting = false;
  let changed = 0;
  let connected!: () => void;
  const ready = new Promise<void>((resolve) => {
    connected = resolve;
  });

  /**
   * Work in progress. One piece of work may do several things at once; while any of them sleeps, the whole piece counts as
   * waiting: time may then move to the earliest wake-up, and what else is under way simply takes that long.
   */
  interface Piece {
    sleeping: number;
    ended: boolean;
  }
  const current = new AsyncLocalStorage<Piece>();

  function enter(): void {
    busy += 1;
    changed += 1;
  }

  function leave(): void {
    busy -= 1;
    changed += 1;
    if (busy === 0) void report();
    else watchForStillness();
  }

  /** Reports in spite of work in progress when that work seems to wait for a sleeper. */
  function watchForStillness(): void {
    const before = changed;
    setTimeout(() => {
      if (changed !== before || busy === 0 || sleepers.size === 0) return;
      void report(true);
      watchForStillness();
    }, stillMs).unref();
  }

  function fallAsleep(piece: Piece | undefined): void {
    if (piece === undefined) return;
    piece.sleeping += 1;
    // Work whose piece has ended (one of several reads that goes on after another has failed) is not counted any more.
    if (piece.sleeping === 1 && !piece.ended) leave();
  }

  function wakeUp(piece: Piece | undefined): void {
    if (piece === undefined) return;
    piece.sleeping -= 1;
    if (piece.sleeping === 0 && !piece.ended) enter();
  }

  /** Reports idle for the current tick, unless something began to work while the next due instant was read. */
  async function report(still = false): Promise<void> {
    if (reporting || closing.signal.aborted || seq < 0) return;
    reporting = true;
    try {
      for (;;) {
        const before = changed;
        const due = earliest(await Promise.all(sources.map((source) => source())));
        if (busy > 0 && (!still || changed !== before)) return;
        if (changed !== before) continue;
        // Rows that are due now have been offered to the dispatcher but not picked up yet: that is work, not idleness.
        if (due !== null && due <= now) {
          await delay(5);
          continue;
        }
        const wakeAt = Math.min(...[...sleepers].map((sleeper) => sleeper.until), due ?? Number.POSITIVE_INFINITY);
        await post({ client, seq, idleUntil: Number.isFinite(wakeAt) ? new Date(wakeAt).toISOString() : null });
        if (changed === before || busy > 0) return;
      }
    } catch (error) {
      if (!closing.signal.aborted) warn(`clock: ${error instanceof Error ? error.message : "report failed"}`);
    } finally {
      reporting = false;
    }
  }

  async function post(body: object): Promise<void> {
    const answer = await fetch(new URL("/clock/idle", url), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: closing.signal,
    });
    await answer.body?.cancel();
  }

  async function tick(next: { now: string; seq: number }): Promise<void> {
    now = Date.parse(next.now);
    seq = next.seq;
    connected();
    enter();
    try {
      for (const sleeper of [...sleepers]) if (sleeper.until <= now) sleeper.wake();
      // One that fails (the executor's in a restored database) keeps no other from its work.
      for (const listener of listeners)
        await listener().catch((error: unknown) => {
          warn(`clock: ${error instanceof Error ? error.message : "tick failed"}`);
        });
    } finally {
      leave();
    }
  }

  async function follow(): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        const answer = await fetch(new URL(`/clock/stream?client=${client}`, url), {
          headers: { accept: "text/event-stream" },
          signal: closing.signal,
        });
        if (answer.status !== 200 || answer.body === null)
          throw new Error(`expected 200 from the clock stream, got ${answer.status}`);
        let text = "";
        const decoder = new TextDecoder();
        for await (const chunk of answer.body) {
          text += decoder.decode(chunk as Uint8Array, { stream: true });
          if (text.length > eventCharsMax * 64) throw new Error("expected clock events, got more text than they hold");
          const events = text.split("\n\n");
          text = events.pop() ?? "";
          for (const event of events) {
            const data = event.split("\n").find((line) => line.startsWith("data:"));
            if (data === undefined || data.length > eventCharsMax) continue;
            const parsed = Tick.safeParse(JSON.parse(data.slice(5)));
            if (parsed.success) void tick(parsed.data);
          }
        }
      } catch (error) {
        if (closing.signal.aborted) return;
        warn(`clock: ${error instanceof Error ? error.message : "stream ended"}`);
      }
      await delay(reconnectMs, undefined, { signal: closing.signal }).catch(() => {});
    }
  }

  void follow();
  const late = AbortSignal.timeout(10_000);
  await Promise.race([
    ready,
    new Promise((_, reject) =>
      late.addEventListener("abort", () =>
        reject(new CountersignError("CONFIG_INVALID", `expected a clock at ${url}, got no answer in 10 s`)),
      ),
    ),
  ]);

  return {
    kind: "virtual",
    now: () => now,
    sleep(ms, signal) {
      if (ms <= 0) return Promise.resolve();
      const piece = current.getStore();
      return new Promise((resolve, reject) => {
        const end = (settle: () => void) => {
          sleepers.delete(sleeper);
          signal?.removeEventListener("abort", abort);
          // Here, synchronously with the tick, so that no idle report can slip in between.
          wakeUp(piece);
          settle();
        };
        const sleeper: Sleeper = { until: now + ms, wake: () => end(resolve) };
        const abort = () => end(() => reject(signal?.reason));
        if (signal?.aborted === true) return reject(signal.reason);
        signal?.addEventListener("abort", abort);
        sleepers.add(sleeper);
        fallAsleep(piece);
      });
    },
    async work(act) {
      if (current.getStore() !== undefined) return act();
      enter();
      const piece: Piece = { sleeping: 0, ended: false };
      try {
        return await current.run(piece, act);
      } finally {
        piece.ended = true;
        if (piece.sleeping === 0) leave();
      }
    },
    onTick(listener) {
      listeners.push(listener);
    },
    nextDue(source) {
      sources.push(source);
    },
    async close() {
      closing.abort(new Error("clock closed"));
    },
  };
}

function earliest(times: readonly (number | null)[]): number | null {
  const known = times.filter((time) => time !== null);
  return known.length === 0 ? null : Math.min(...known);
}
