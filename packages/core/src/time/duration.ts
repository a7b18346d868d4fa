import { z } from "zod";

const iso = /^P(?:(\d{1,4})W|(?:(\d{1,5})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,7})M)?(?:(\d{1,9})S)?)?)$/;

/** Which durations are accepted. */
export interface DurationOptions {
  /** Seconds make sense only where a virtual or hurried clock runs: profiles demo and test. */
  readonly seconds: boolean;
}

/**
 * Seconds of an ISO 8601 duration in weeks, or days, hours and minutes: `P14D`, `PT24H`, `P2W`, `P1DT12H`. Months and
 * years have no fixed length and are refused. Null when the text is not such a duration.
 */
export function parseDuration(text: string, options: DurationOptions): number | null {
  const found = iso.exec(text);
  if (found === null || !/\d[WDHMS]$/.test(text)) return null;
  const [, weeks, days, hours, minutes, seconds] = found.map((part) => Number(part ?? 0));
  if (found[5] !== undefined && !options.seconds) return null;
  return (weeks ?? 0) * 604_800 + (days ?? 0) * 86_400 + (hours ?? 0) * 3_600 + (minutes ?? 0) * 60 + (seconds ?? 0);
}

/** Longest duration anywhere: a plan holds none above it. */
const durationSecondsMax = 400 * 86_400;

/** A duration field of a document: text in, seconds out. */
export function durationField(
  options: DurationOptions,
  secondsMin = 0,
  secondsMax = durationSecondsMax,
): z.ZodType<number> {
  const units = options.seconds ? "weeks, days, hours, minutes or seconds" : "weeks, days, hours or minutes";
  return z
    .string()
    .max(30)
    .transform((text, context) => {
      const seconds = parseDuration(text, options);
      if (seconds === null) {
        context.addIssue({ code: "custom", message: `expected a duration in ${units} such as P14D or PT24H` });
        return z.NEVER;
      }
      if (seconds < secondsMin || seconds > secondsMax) {
        context.addIssue({
          code: "custom",
          message: `expected a duration from ${formatDuration(secondsMin)} to ${formatDuration(secondsMax)}`,
        });
        return z.NEVER;
      }
      return seconds;
    });
}

/** The shortest ISO form of a number of seconds: 86400 is `P1D`, 5400 is `PT1H30M`. */
export function formatDuration(seconds: number): string {
  const whole = Math.round(seconds);
  const [days, hours, minutes, rest] = [
    Math.floor(whole / 86_400),
    Math.floor((whole % 86_400) / 3_600),
    Math.floor((whole % 3_600) / 60),
    whole % 60,
  ];
  const time = `${hours > 0 ? `${hours}H` : ""}${minutes > 0 ? `${minutes}M` : ""}${rest > 0 ? `${rest}S` : ""}`;
  if (whole === 0) return "PT0S";
  return `P${days > 0 ? `${days}D` : ""}${time === "" ? "" : `T${time}`}`;
}
