import { setTimeout as delay } from "node:timers/promises";
import type pg from "pg";
import { type Connection, openClient } from "../database/connect.ts";

/** `cs_due` a run may be due, `cs_changed` a run changed, `cs_control` freeze, `cs_notice` something is to be told, `cs_scan` somebody wants a scan, `cs_record` somebody waits for a run's summary, `cs_ledger` a credential's row was written. */
export type Channel = "cs_due" | "cs_changed" | "cs_control" | "cs_notice" | "cs_scan" | "cs_record" | "cs_ledger";

const retryMsMin = 100;
const retryMsMax = 5_000;
const aliveCheckMs = 10_000;

/**
 * Hears notifications over a connection of its own until the function it returns is called. After each (re)connection
 * `onMessage` is called with an empty payload: something may have been missed, so look. A notification is only a hint.
 */
export async function listen(
  connection: Connection,
  channel: Channel,
  onMessage: (payload: string) => void,
): Promise<() => Promise<void>> {
  const stop = new AbortController();
  let client: pg.Client | null = null;

  async function connect(): Promise<{ ended: Promise<void> }> {
    const fresh = await openClient(connection, `countersign listen ${channel}`, aliveCheckMs);
    const ended = new Promise<void>((resolve) => fresh.once("end", resolve));
    fresh.on("notification", (message) => onMessage(message.payload ?? ""));
    try {
      await fresh.query(`listen ${channel}`);
    } catch (error) {
      await fresh.end().catch(() => undefined);
      throw error;
    }
    client = fresh;
    onMessage("");
    return { ended };
  }

  async function keep(first: { ended: Promise<void> }): Promise<void> {
    let { ended } = first;
    let retryMs = retryMsMin;
    // A connection can be dead without saying so; a query notices.
    const check = setInterval(() => void client?.query("select 1").catch(() => client?.end()), aliveCheckMs).unref();
    while (!stop.signal.aborted) {
      await ended;
      if (stop.signal.aborted) break;
      await delay(retryMs, undefined, { signal: stop.signal, ref: false }).catch(() => undefined);
      try {
        ({ ended } = await connect());
        retryMs = retryMsMin;
      } catch {
        retryMs = Math.min(retryMs * 2, retryMsMax);
        ended = Promise.resolve();
      }
    }
    clearInterval(check);
  }

  const loop = keep(await connect());
  return async () => {
    stop.abort();
    await client?.end().catch(() => undefined);
    await loop;
  };
}
