import type { Simulator } from "./simulator.ts";

/**
 * A client of the clock (docs/clock-protocol.md) that belongs to the test: while it is frozen time stands still, also
 * when the product's process, for which the clock would otherwise wait, is dead.
 */
export interface ClockHold {
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  close(): void;
}

const client = "crash-tests";

export async function holdClock(simulator: Simulator): Promise<ClockHold> {
  const closing = new AbortController();
  let frozen = false;
  let tick = { now: "", seq: -1 };
  const report = () =>
    simulator.post("/clock/idle", { client, seq: tick.seq, idleUntil: frozen ? tick.now : null }).then(() => {});
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
    close: () => closing.abort(),
  };
}
