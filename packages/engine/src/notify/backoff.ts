const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;

/** Waits between the attempts of one notice or delivery (domain time); after the last it is given up. Some 31 hours in all. */
const waits = [5 * second, 30 * second, 2 * minute, 10 * minute, 30 * minute, 2 * hour, 4 * hour, 10 * hour, 14 * hour];

/** How long a channel rests at most after a failure, so that a dead one is not called for every notice that waits. */
const restMsMax = 10 * minute;

/** When to try again after this attempt, ms from now; null when it was the last one. */
export function nextTryMs(attempt: number, retryAfterMs: number | null): number | null {
  const wait = waits[attempt - 1];
  return wait === undefined ? null : Math.max(wait, retryAfterMs ?? 0);
}

/** How long nothing goes over a channel after a failure that is its own. */
export function restMs(attempt: number, retryAfterMs: number | null): number {
  return retryAfterMs ?? Math.min(restMsMax, waits[attempt - 1] ?? restMsMax);
}

/** Longest time for which a loop that fails stands still, real ms. */
const standStillMsMax = 30 * second;

/** How long a loop of the notifier stands still after so many failures in a row, real ms. */
export function standStillMs(failures: number): number {
  return Math.min(standStillMsMax, second * 2 ** Math.min(10, failures - 1));
}
