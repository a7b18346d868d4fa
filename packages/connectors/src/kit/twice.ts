import type { Leave } from "./leave.ts";

/** Waits of domain time around reads that decide, because directory reads lag writes. */
export interface Waits {
  /** Before the first look after an unknown outcome: the request may still be on its way. */
  readonly settleMs: number;
  /** Between two looks for something that may not be visible yet. */
  readonly apartMs: number;
  /** Between two looks that must both lack what was removed. */
  readonly agreeMs: number;
}

/** Seconds are usual, minutes happen, and nothing is promised (observed by others: 4 to 18 s). */
export const defaultWaits: Waits = { settleMs: 30_000, apartMs: 20_000, agreeMs: 5_000 };

/** Looks twice, `gapMs` apart, and returns both. Stops after the first when that is `enough`. */
export async function lookTwice<T>(
  leave: Leave,
  gapMs: number,
  look: () => Promise<T>,
  enough: (seen: T) => boolean,
): Promise<readonly T[]> {
  const first = await look();
  if (enough(first)) return [first];
  await leave.clock.sleep(gapMs, leave.signal);
  return [first, await look()];
}
