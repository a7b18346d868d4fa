import { Cron } from "croner";

/** Whether the text is a five-field cron expression (minute, hour, day, month, weekday). */
export function isCron(text: string): boolean {
  // A plain date or "@daily" is croner's own extension and no cron expression.
  if (text.trim().split(/\s+/).length !== 5) return false;
  try {
    compile(text, "UTC");
    return true;
  } catch {
    return false;
  }
}

/**
 * The next time after `nowMs` at which the expression is due in the zone, in ms; null when it never is again.
 * An hour that summer time skips is moved to the next one that exists; an hour it doubles is due once.
 */
export function nextCron(text: string, zone: string, nowMs: number): number | null {
  return compile(text, zone).nextRun(new Date(nowMs))?.getTime() ?? null;
}

/** Instants that are stepped over at most; what was due before is not made up for. */
const stepsMax = 5_000;

/** The last time after `fromMs`, and not after `nowMs`, at which it was due; null when it was not. */
export function lastCron(text: string, zone: string, fromMs: number, nowMs: number): number | null {
  let last: number | null = null;
  for (let steps = 0; steps < stepsMax; steps += 1) {
    const next = nextCron(text, zone, last ?? fromMs);
    if (next === null || next > nowMs) return last;
    last = next;
  }
  return nowMs;
}

// Paused and without a function: croner is used as a calculator here, it starts no timer.
const compile = (text: string, zone: string) => new Cron(text, { timezone: zone, paused: true, mode: "5-part" });
