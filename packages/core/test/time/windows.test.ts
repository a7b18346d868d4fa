import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { freezeAt, isOpen, nextOpening, parseInstant, type Schedule, type Window } from "../../src/index.ts";
import { longestGapSeconds, weekdays } from "../../src/time/windows.ts";

const berlin = "Europe/Berlin";
const hour = 3_600_000;
const day = 24 * hour;
const at = (text: string) => {
  const ms = parseInstant(text);
  if (ms === null) throw new Error(text);
  return ms;
};
const window = (days: readonly (typeof weekdays)[number][], from: number, to: number, tz = berlin): Window => ({
  days,
  fromMinute: Math.round(from * 60),
  toMinute: Math.round(to * 60),
  tz,
});
const only = (...windows: Window[]): Schedule => ({ windowSets: [windows], freezes: [] });

describe("windows in local time", () => {
  const working = only(window(["TU", "WE", "TH"], 9, 15));

  it("open at its first minute, shut at its last", () => {
    expect(isOpen(working, at("2026-11-24T09:00:00+01:00"))).toBe(true);
    expect(isOpen(working, at("2026-11-24T08:59:59+01:00"))).toBe(false);
    expect(isOpen(working, at("2026-11-24T14:59:59+01:00"))).toBe(true);
    expect(isOpen(working, at("2026-11-24T15:00:00+01:00"))).toBe(false);
    expect(isOpen(working, at("2026-11-23T10:00:00+01:00"))).toBe(false);
  });

  it("across midnight it belongs to the day on which it starts", () => {
    const night = only(window(["FR"], 22, 4));
    expect(isOpen(night, at("2026-11-27T23:00:00+01:00"))).toBe(true);
    expect(isOpen(night, at("2026-11-28T03:59:00+01:00"))).toBe(true);
    expect(isOpen(night, at("2026-11-28T04:00:00+01:00"))).toBe(false);
    expect(isOpen(night, at("2026-11-27T03:00:00+01:00"))).toBe(false);
    expect(isOpen(night, at("2026-11-28T23:00:00+01:00"))).toBe(false);
  });

  it("Sunday night runs into Monday", () => {
    const night = only(window(["SU"], 22, 4));
    expect(isOpen(night, at("2026-11-30T01:00:00+01:00"))).toBe(true);
    expect(isOpen(night, at("2026-11-29T01:00:00+01:00"))).toBe(false);
  });

  it("a window until 24:00 ends at midnight", () => {
    const late = only(window(["MO"], 22, 24));
    expect(isOpen(late, at("2026-11-23T23:59:59+01:00"))).toBe(true);
    expect(isOpen(late, at("2026-11-24T00:00:00+01:00"))).toBe(false);
  });

  it("no windows at all means always, an empty set never", () => {
    expect(isOpen({ windowSets: [], freezes: [] }, 0)).toBe(true);
    expect(nextOpening({ windowSets: [[]], freezes: [] }, 0, 400 * day)).toBeNull();
  });

  it("two sets must both be open", () => {
    const both: Schedule = {
      windowSets: [[window(["TU"], 9, 15)], [window(["TU"], 12, 20, "America/New_York")]],
      freezes: [],
    };
    expect(nextOpening(both, at("2026-11-23T00:00:00Z"), 30 * day)).toBeNull();
    const meet: Schedule = {
      windowSets: [[window(["TU"], 9, 20)], [window(["TU"], 12, 20, "America/New_York")]],
      freezes: [],
    };
    expect(nextOpening(meet, at("2026-11-23T00:00:00Z"), 30 * day)).toBe(at("2026-11-24T12:00:00-05:00"));
  });
});

describe("summer time in Europe/Berlin, 2026", () => {
  it("in March 02:00 to 03:00 does not exist: a window from 02:30 opens at 03:00", () => {
    const early = only(window(["SU"], 2.5, 5));
    expect(nextOpening(early, at("2026-03-28T12:00:00Z"), 2 * day)).toBe(at("2026-03-29T03:00:00+02:00"));
  });

  it("in March a window that lies in the missing hour does not open that day", () => {
    const missing = only(window(["SU"], 2, 3));
    expect(nextOpening(missing, at("2026-03-28T12:00:00Z"), 30 * day)).toBe(at("2026-04-05T02:00:00+02:00"));
  });

  it("in October 02:00 to 03:00 happens twice: the window is open in both and shut in between", () => {
    const twice = only(window(["SU"], 1, 2.5));
    expect(isOpen(twice, at("2026-10-25T02:15:00+02:00"))).toBe(true);
    expect(isOpen(twice, at("2026-10-25T02:45:00+02:00"))).toBe(false);
    expect(isOpen(twice, at("2026-10-25T02:15:00+01:00"))).toBe(true);
    expect(nextOpening(twice, at("2026-10-25T02:30:00+02:00"), day)).toBe(at("2026-10-25T02:00:00+01:00"));
  });

  it("nine o'clock stays nine o'clock on both sides of the change", () => {
    const nine = only(window(["SA", "SU"], 9, 10));
    expect(nextOpening(nine, at("2026-03-28T10:00:00+01:00"), 2 * day)).toBe(at("2026-03-29T09:00:00+02:00"));
    expect(nextOpening(nine, at("2026-10-24T10:00:00+02:00"), 2 * day)).toBe(at("2026-10-25T09:00:00+01:00"));
  });
});

describe("freezes", () => {
  const yearEnd: Schedule = {
    windowSets: [[window(["TU", "WE", "TH"], 9, 15)]],
    freezes: [{ name: "year-end", from: "2026-12-15", to: "2027-01-06", tz: berlin }],
  };

  it("both days belong to the freeze", () => {
    expect(freezeAt(yearEnd, at("2026-12-15T00:00:00+01:00"))?.name).toBe("year-end");
    expect(freezeAt(yearEnd, at("2027-01-06T23:59:59+01:00"))?.name).toBe("year-end");
    expect(freezeAt(yearEnd, at("2026-12-14T23:59:59+01:00"))).toBeNull();
  });

  it("the next opening lies after it", () => {
    expect(nextOpening(yearEnd, at("2026-12-15T10:00:00+01:00"), 60 * day)).toBe(at("2027-01-07T09:00:00+01:00"));
  });

  it("without windows it opens at the first midnight after it", () => {
    expect(nextOpening({ ...yearEnd, windowSets: [] }, at("2026-12-20T00:00:00Z"), 60 * day)).toBe(
      at("2027-01-07T00:00:00+01:00"),
    );
  });

  it("nothing opens within a horizon that the freeze covers", () => {
    expect(nextOpening(yearEnd, at("2026-12-15T10:00:00+01:00"), 20 * day)).toBeNull();
  });
});

describe("for any windows, freezes and zones", () => {
  const zones = fc.constantFrom(
    berlin,
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "UTC",
    "America/Santiago",
  );
  const anyWindow = fc
    .record({
      days: fc.subarray([...weekdays], { minLength: 1 }),
      fromMinute: fc.integer({ min: 0, max: 95 }).map((n) => n * 15),
      toMinute: fc.integer({ min: 1, max: 96 }).map((n) => n * 15),
      tz: zones,
    })
    .filter((w) => w.fromMinute !== w.toMinute);
  const anyFreeze = fc
    .record({
      name: fc.constant("f"),
      from: fc.constantFrom("2026-03-20", "2026-03-29", "2026-10-20"),
      to: fc.constantFrom("2026-03-29", "2026-03-31", "2026-10-26"),
      tz: zones,
    })
    .filter((f) => f.from <= f.to);
  const schedule = fc.record({
    windowSets: fc.array(fc.array(anyWindow, { minLength: 1, maxLength: 2 }), { maxLength: 2 }),
    freezes: fc.array(anyFreeze, { maxLength: 1 }),
  });
  // Days round both changes of summer time, on a grid that contains every possible start.
  const start = fc
    .tuple(
      fc.constantFrom(at("2026-03-26T00:00:00Z"), at("2026-10-22T00:00:00Z"), at("2026-04-02T12:00:00Z")),
      fc.integer({ min: 0, max: 400 }),
    )
    .map(([base, quarters]) => base + quarters * 900_000);

  it("nextOpening is open, and nothing before it is", () => {
    fc.assert(
      fc.property(schedule, start, (any, now) => {
        const horizon = 5 * day;
        const found = nextOpening(any, now, horizon);
        for (let ms = now; ms < (found ?? now + horizon); ms += 900_000) if (isOpen(any, ms)) return false;
        return found === null || (found >= now && found < now + horizon && isOpen(any, found));
      }),
      { numRuns: 120 },
    );
  });
});

describe("the longest gap of a week", () => {
  it("Thursday 15:00 to Tuesday 09:00 is 4 days 18 hours, and an hour for summer time", () => {
    expect(longestGapSeconds([window(["TU", "WE", "TH"], 9, 15)])).toBe((4 * 24 + 18 + 1) * 3_600);
  });
  it("is nothing when windows cover the week, and null when there are none", () => {
    expect(longestGapSeconds([window([...weekdays], 0, 24)])).toBe(0);
    expect(longestGapSeconds([])).toBeNull();
  });
  it("is what an ordinary week shows, quarter of an hour by quarter of an hour, in zones far apart and across midnight", () => {
    const zones = ["Pacific/Auckland", "Asia/Kolkata", "America/Los_Angeles", "UTC"];
    const some = fc
      .tuple(fc.subarray([...weekdays], { minLength: 1 }), fc.nat(23), fc.integer({ min: 1, max: 24 }))
      .chain(([days, from, to]) => fc.constantFrom(...zones).map((tz) => window(days, from, to, tz)));
    fc.assert(
      fc.property(fc.array(some, { minLength: 1, maxLength: 3 }), (windows) => {
        const monday = at("2026-01-12T00:00:00Z");
        let [shut, longest] = [0, 0];
        for (let ms = monday; ms < monday + 14 * day; ms += hour / 4) {
          shut = isOpen(only(...windows), ms) ? 0 : shut + 1;
          longest = Math.max(longest, shut);
        }
        expect(longestGapSeconds(windows)).toBe(longest === 0 ? 0 : (longest / 4 + 1) * 3_600);
      }),
      { numRuns: 8 },
    );
  });
});
