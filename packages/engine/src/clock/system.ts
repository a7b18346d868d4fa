import { setTimeout as delay } from "node:timers/promises";
import type { EngineClock } from "./clock.ts";

/** Node's timers overflow above 2^31 ms; longer sleeps go in parts. */
const sleepMsMax = 2_000_000_000;

/** The machine's clock. Rows become due by the executor's sweep, so nobody listens to ticks. */
export function systemClock(): EngineClock {
  return {
    kind: "system",
    now: () => Date.now(),
    async sleep(ms, signal) {
      for (let left = ms; left > 0; left -= sleepMsMax)
        await delay(Math.min(left, sleepMsMax), undefined, signal === undefined ? {} : { signal });
    },
    work: (act) => act(),
    onTick() {},
    nextDue() {},
    async close() {},
  };
}
