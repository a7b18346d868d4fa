import { z } from "zod";

/** RFC 3339 in UTC as vendors print it, up to nine digits of fraction (Graph prints seven). */
export const vendorTime = z
  .string()
  .max(40)
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/);

/** Milliseconds since the epoch of a {@link vendorTime}; finer digits are cut off. */
export function msOf(time: string): number {
  // The form of nearly all of them, of which a scan reads hundreds of thousands.
  if (time.length > 24 && time[19] === "." && time.endsWith("Z")) return Date.parse(`${time.slice(0, 23)}Z`);
  return Date.parse(time.replace(/(\.\d{3})\d+/, "$1"));
}

/** RFC 3339 UTC with milliseconds and `Z`, the one form that evidence uses. */
export function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}

/** Seconds of an ISO 8601 duration without months or years (`P90D`, `PT12H`); null when it is another form. */
export function secondsOfDuration(duration: string): number | null {
  const match = /^P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.\d+)?S)?)?$/.exec(duration);
  if (match === null || duration === "P") return null;
  const [weeks, days, hours, minutes, seconds] = match.slice(1).map((part) => Number(part ?? 0));
  return (weeks ?? 0) * 604_800 + (days ?? 0) * 86_400 + (hours ?? 0) * 3_600 + (minutes ?? 0) * 60 + (seconds ?? 0);
}
