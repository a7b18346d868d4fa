import { z } from "zod";
import type { Simulator } from "./simulator.ts";

/**
 * A client of the clock (docs/clock-protocol.md) that belongs to the test: while it is frozen time stands still, also
 * when the product's process, for which the clock would otherwise wait, is dead.
 */
export interface ClockHold {
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** Names of all that follow the clock now, but this client. */
  others(): Promise<string[]>;
  /** Reports for these, too: a process that stands still cannot say that it has nothing to do. */
  standInFor(names: readonly string[]): Promise<void>;
  close(): void;
}

const client = "crash-tests";
const Clients = z.object({ clients: z.array(z.object({ client: z.string() })) });

export async function holdClock(simulator: Simulator): Promise<ClockHold> {
  const closing = new AbortController();
  let frozen = false;
  let tick = { now: "", seq: -1 };
  let absent: readonly string[] = [];
  const idle = (name: string, idleUntil: string | null) =>
    simulator.post("/clock/idle", { client: name, seq: tick.seq, idleUntil });
  const report = async () => {
    await idle(client, frozen ? tick.now : null);
    // One that has gone meanwhile is waited for by nobody.
    for (const name of absent) await idle(name, null).catch(() => {});
  };
  const answer = await fetch(new URL(`/clock/stream?client=${client}`, simulator.management), {
    signal: closing.signal,
  });
  let first: () => void = () => {};
  const ready = new Promise<void>((resolve) => {
    first = resolve;
  });
  const follow = async () => {
    let text = "";
    const decoder = new TextDecoder();
    for await (const chunk of answer.body ?? []) {
      text += decoder.decode(chunk as Uint8Array, { stream: true });
      const events = text.split("\n\n");
      text = events.pop() ?? "";
      for (const event of events) {
        const data = event.split("\n").find((line) => line.startsWith("data:"));
        if (data === undefined) continue;
        tick = JSON.parse(data.slice(5)) as typeof tick;
        first();
        await report();
      }
    }
  };
  void follow().catch(() => {});
  await ready;
  return {
    freeze() {
      frozen = true;
      return report();
    },
    thaw() {
      frozen = false;
      return report();
    },
    async others() {
      const { clients } = Clients.parse(await simulator.get("/clock/clients"));
      return clients.map((one) => one.client).filter((name) => name !== client);
    },
    standInFor(names) {
      absent = names;
      return report();
    },
    close: () => closing.abort(),
  };
}
