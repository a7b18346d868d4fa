import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Schedule } from "../../src/scan/schedule.ts";

const hour = 3_600_000;
const day = 24 * hour;
const midnight = Date.UTC(2026, 10, 22);
const rules = { cron: "0 6 * * *", zone: "UTC", changesEverySeconds: 3_600 };

function schedule(now: number, lastFull: number | null = null, changesKnown = false): Schedule {
  const made = new Schedule(rules);
  made.begin(now, lastFull, changesKnown);
  return made;
}

describe("when scans of a tenant are due", () => {
  it("lists everything at each instant of the cron, and once", () => {
    const six = midnight + 6 * hour;
    const of = schedule(midnight);
    expect(of.next()).toBe(six);
    expect(of.due(six - 1)).toBeNull();
    const due = of.due(six + 5_000);
    expect(due).toEqual({ kind: "full", at: six });
    of.tried(due ?? { kind: "full", at: 0 }, six + 9_000, "done", false);
    expect(of.due(six + 10_000)).toBeNull();
    expect(of.next()).toBe(six + day);
  });

  it("makes up for a listing that was missed, but only for the last one", () => {
    const of = schedule(midnight + 5 * day, midnight + 6 * hour);
    expect(of.due(midnight + 5 * day)).toEqual({ kind: "full", at: midnight + 4 * day + 6 * hour });
  });

  it("tries a listing that failed again after growing pauses, until the next one is due", () => {
    const six = midnight + 6 * hour;
    const of = schedule(midnight);
    let now = six;
    const pauses: number[] = [];
    for (let tries = 0; tries < 6; tries += 1) {
      const due = of.due(now);
      expect(due).toEqual({ kind: "full", at: six });
      of.tried({ kind: "full", at: six }, now, "failed", true);
      const next = of.next() ?? 0;
      pauses.push((next - now) / 60_000);
      now = next;
    }
    expect(pauses).toEqual([5, 10, 20, 40, 60, 60]);
    expect(of.due(six + day)).toEqual({ kind: "full", at: six + day });
  });

  it("asks for changes in between, at the same instants in every process, and never before a first listing", () => {
    expect(schedule(midnight).due(midnight + 5 * hour)).toBeNull();
    const of = schedule(midnight + 1_234, midnight - 18 * hour, true);
    expect(of.next()).toBe(midnight + hour);
    const due = of.due(midnight + hour + 77);
    expect(due).toEqual({ kind: "delta", at: midnight + hour });
    of.tried({ kind: "delta", at: midnight + hour }, midnight + hour + 99, "done", true);
    expect(of.due(midnight + hour + 100)).toBeNull();
  });

  it("lists everything at once when changes cannot be told any more", () => {
    const of = schedule(midnight, midnight - 18 * hour, true);
    of.tried({ kind: "delta", at: midnight + hour }, midnight + hour, "too-old", false);
    expect(of.due(midnight + hour)).toEqual({ kind: "full", at: midnight + hour });
  });

  it("never stands still: what is due next is later than now once everything due was done", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 * hour }), { maxLength: 30 }), fc.boolean(), (steps, known) => {
        const of = schedule(midnight, null, known);
        let now = midnight;
        for (const step of steps) {
          now += step;
          for (let due = of.due(now), tries = 0; due !== null; due = of.due(now)) {
            expect((tries += 1)).toBeLessThan(4);
            of.tried(due, now, "done", known);
          }
          expect(of.next()).toBeGreaterThan(now);
        }
      }),
    );
  });
});
