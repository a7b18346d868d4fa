/** RFC 3339 in UTC with milliseconds, e.g. `2026-11-22T19:00:00.123Z`. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** The directory writes times with seven fraction digits; `digits` are the last four. */
export function sevenDigitTime(ms: number, digits: string): string {
  return `${new Date(ms).toISOString().slice(0, -1)}${digits.slice(0, 4).padEnd(4, "0")}Z`;
}

/** Time as in token errors: `2026-01-09 02:02:12Z`. */
export function spacedTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")}Z`;
}

/** Milliseconds of an RFC 3339 text (any number of fraction digits), or null. */
export function parseTime(text: unknown): number | null {
  if (typeof text !== "string") return null;
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?)(\.\d+)?(Z|[+-]\d\d:\d\d)?$/.exec(text);
  if (match === null) return null;
  const fraction = (match[2] ?? "").slice(0, 4);
  const ms = Date.parse(`${match[1]}${fraction}${match[3] ?? "Z"}`);
  return Number.isNaN(ms) ? null : ms;
}

const DURATION = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/;

/** Milliseconds of a number of seconds or of an ISO 8601 duration of days, hours, minutes, seconds; or null. */
export function parseDuration(value: unknown): number | null {
  if (typeof value === "number") return Number.isFinite(value) && value >= 0 ? Math.round(value * 1000) : null;
  if (typeof value !== "string" || value === "P" || value.endsWith("T")) return null;
  const match = DURATION.exec(value);
  if (match === null) return null;
  const [days, hours, minutes, seconds] = match.slice(1).map((part) => Number(part ?? 0));
  return (((days ?? 0) * 24 + (hours ?? 0)) * 60 + (minutes ?? 0)) * 60_000 + Math.round((seconds ?? 0) * 1000);
}
