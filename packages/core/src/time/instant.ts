import { Temporal } from "temporal-polyfill";

const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;

/** Milliseconds since the epoch of an RFC 3339 time, or null when it is none (a leap second is none). */
export function parseInstant(text: string): number | null {
  if (!rfc3339.test(text) || text.slice(17, 19) === "60") return null;
  try {
    return Temporal.Instant.from(text).epochMilliseconds;
  } catch {
    return null;
  }
}

/** RFC 3339 in UTC with milliseconds: the only form in plans and entries. */
export function formatInstant(ms: number): string {
  return Temporal.Instant.fromEpochMilliseconds(Math.trunc(ms)).toString({ smallestUnit: "millisecond" });
}

/** Whether the name is an IANA time zone (an offset such as `+02:00` is none: it knows no summer time). */
export function isZone(zone: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_+/-]{1,60}$/.test(zone)) return false;
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(zone);
    return true;
  } catch {
    return false;
  }
}
