import { Temporal } from "temporal-polyfill";

export const weekdays = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"] as const;
export type Weekday = (typeof weekdays)[number];

/** A weekly window in local time. One that ends at or before its start runs across midnight and belongs to its start day. */
export interface Window {
  readonly days: readonly Weekday[];
  /** Minutes after local midnight, 0 to 1439. */
  readonly fromMinute: number;
  /** Minutes after local midnight, 1 to 1440; the window is open before it. */
  readonly toMinute: number;
  readonly tz: string;
}

/** Calendar days on which nothing starts, both ends included, in local time. */
export interface Freeze {
  readonly name: string;
  /** `YYYY-MM-DD`. */
  readonly from: string;
  readonly to: string;
  readonly tz: string;
}

/** When execution is allowed. */
export interface Schedule {
  /** Every set must be open; a set is open when one of its windows is. No sets = always open. */
  readonly windowSets: readonly (readonly Window[])[];
  /** None may be in force. */
  readonly freezes: readonly Freeze[];
}

const dayMs = 86_400_000;

/** Whether execution is allowed at this instant (ms). */
export function isOpen(schedule: Schedule, ms: number): boolean {
  return (
    freezeAt(schedule, ms) === null && schedule.windowSets.every((set) => set.some((window) => covers(window, ms)))
  );
}

/** The freeze in force at this instant, or null. */
export function freezeAt(schedule: Schedule, ms: number): Freeze | null {
  return (
    schedule.freezes.find((freeze) => {
      const date = local(ms, freeze.tz).toPlainDate().toString();
      return freeze.from <= date && date <= freeze.to;
    }) ?? null
  );
}

/**
 * The first instant at or after `nowMs` and before `nowMs + horizonMs` at which the schedule is open, or null.
 *
 * Local time is compared, so an hour that summer time skips is no part of a window, and one it repeats counts twice.
 * What is closed can open only where a window starts, where a freeze ends or where the zone's offset changes: those
 * instants are tried in order.
 */
export function nextOpening(schedule: Schedule, nowMs: number, horizonMs: number): number | null {
  if (isOpen(schedule, nowMs)) return nowMs;
  const end = nowMs + horizonMs;
  const windows = schedule.windowSets.flat();
  const zones = new Set([...windows.map((window) => window.tz), ...schedule.freezes.map((freeze) => freeze.tz)]);
  const rare = [
    ...schedule.freezes.flatMap(freezeEnds),
    ...[...zones].flatMap((zone) => transitions(zone, nowMs, end)),
  ];
  for (let chunk = nowMs; chunk < end; chunk += dayMs) {
    const chunkEnd = Math.min(chunk + dayMs, end);
    const found = [...rare, ...windows.flatMap((window) => startsNear(window, chunk))]
      .filter((ms) => ms >= chunk && ms < chunkEnd)
      .sort((a, b) => a - b)
      .find((ms) => isOpen(schedule, ms));
    if (found !== undefined) return found;
  }
  return null;
}

const local = (ms: number, tz: string) => Temporal.Instant.fromEpochMilliseconds(Math.floor(ms)).toZonedDateTimeISO(tz);

function covers(window: Window, ms: number): boolean {
  const at = local(ms, window.tz);
  const minute = at.hour * 60 + at.minute;
  const on = (day: number) => window.days.includes(weekdays[(day + 6) % 7] as Weekday);
  if (window.fromMinute < window.toMinute)
    return on(at.dayOfWeek) && minute >= window.fromMinute && minute < window.toMinute;
  return (on(at.dayOfWeek) && minute >= window.fromMinute) || (on(at.dayOfWeek - 1 || 7) && minute < window.toMinute);
}

function startsNear(window: Window, ms: number): number[] {
  const date = local(ms, window.tz).toPlainDate();
  const time = { hour: Math.floor(window.fromMinute / 60), minute: window.fromMinute % 60 };
  return [-1, 0, 1, 2].flatMap((days) => {
    const start = date.add({ days }).toPlainDateTime(time);
    return (["earlier", "later"] as const).map(
      (disambiguation) => start.toZonedDateTime(window.tz, { disambiguation }).epochMilliseconds,
    );
  });
}

function freezeEnds(freeze: Freeze): number[] {
  return [Temporal.PlainDate.from(freeze.to).add({ days: 1 }).toZonedDateTime(freeze.tz).epochMilliseconds];
}

function transitions(zone: string, fromMs: number, toMs: number): number[] {
  const found: number[] = [];
  let next = local(fromMs, zone).getTimeZoneTransition("next");
  while (next !== null && next.epochMilliseconds < toMs && found.length < 100) {
    found.push(next.epochMilliseconds);
    next = next.getTimeZoneTransition("next");
  }
  return found;
}

/**
 * Longest time in seconds that one set of windows stays closed in an ordinary week (an hour is added for the change of
 * summer time); 0 when it never closes, null when it never opens.
 */
export function longestGapSeconds(windows: readonly Window[]): number | null {
  const week = Temporal.PlainDate.from("2026-01-05").toZonedDateTime("UTC").epochMilliseconds;
  const minutes = 7 * 1_440;
  const open = Array.from({ length: minutes }, () => false);
  for (const { days, fromMinute, toMinute, tz } of windows) {
    const offset = local(week, tz).offsetNanoseconds / 60e9;
    const length = toMinute > fromMinute ? toMinute - fromMinute : toMinute - fromMinute + 1_440;
    for (const day of days) {
      // A zone's Monday may have begun on our Sunday, or last into our Tuesday.
      const start = weekdays.indexOf(day) * 1_440 + fromMinute - offset + minutes;
      for (let minute = 0; minute < length; minute += 1) open[(start + minute) % minutes] = true;
    }
  }
  if (!open.includes(true)) return null;
  if (!open.includes(false)) return 0;
  let longest = 0;
  let gap = 0;
  // Twice round, so that a gap across the end of the week is seen whole.
  for (let minute = 0; minute < 2 * minutes; minute += 1) {
    gap = open[minute % minutes] === true ? 0 : gap + 1;
    longest = Math.max(longest, gap);
  }
  return (longest + 60) * 60;
}
