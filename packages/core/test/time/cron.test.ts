import { describe, expect, it } from "vitest";
import { formatInstant, nextCron } from "../../src/index.ts";
import { isCron } from "../../src/time/cron.ts";

const next = (cron: string, zone: string, now: string) => {
  const ms = nextCron(cron, zone, Date.parse(now));
  return ms === null ? null : formatInstant(ms);
};

describe("cron in a zone", () => {
  it("six in the morning stays six in the morning over both changes of summer time", () => {
    expect(next("0 6 * * *", "Europe/Berlin", "2026-03-28T06:00:00Z")).toBe("2026-03-29T04:00:00.000Z");
    expect(next("0 6 * * *", "Europe/Berlin", "2026-10-24T06:00:00Z")).toBe("2026-10-25T05:00:00.000Z");
  });

  it("an hour that does not exist is not lost", () => {
    expect(next("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z")).toMatch(/^2026-03-29T01:/);
  });

  it("an hour that happens twice is due once", () => {
    expect(next("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z")).toBe("2026-10-26T01:30:00.000Z");
  });

  it("a day that never comes gives null", () => expect(next("0 0 30 2 *", "UTC", "2026-01-01T00:00:00Z")).toBeNull());

  it.each(["0 6 * * *", "*/15 0-5 * * MON-FRI"])("%s is a cron expression", (text) => expect(isCron(text)).toBe(true));
  it.each(["", "hello", "0 6 * *", "0 0 6 * * *", "61 6 * * *", "@reboot", "2026-01-01T00:00:00"])(
    "%j is none",
    (text) => expect(isCron(text)).toBe(false),
  );
});
