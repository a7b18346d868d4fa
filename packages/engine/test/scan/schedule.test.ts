import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Schedule } from "../../src/scan/schedule.ts";

const hour = 3_600_000;
const day = 24 * hour;
const midnight = Date.UTC(2026, 10, 22);
const rules = { cron: "0 6 * * *", zone: "UTC", changesEverySeconds: 3_600 };

const nothing = { lastFull: null, changesKnown: false, asked: null, pass: null };
const known = { ...nothing, changesKnown: true };

function schedule(now: number, lastFull: number | null = null, changesKnown = false): Schedule {
  const made = new Schedule(rules);
  made.begin(now, { ...nothing, lastFull, changesKnown });
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
    of.tried(due ?? { kind: "full", at: 0 }, six + 9_000, "done", nothing);
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
      of.tried({ kind: "full", at: six }, now, "failed", known);
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
    of.tried({ kind: "delta", at: midnight + hour }, midnight + hour + 99, "done", known);
    expect(of.due(midnight + hour + 100)).toBeNull();
  });

  it("lists everything at once when changes cannot be told any more", () => {
    const of = schedule(midnight, midnight - 18 * hour, true);
    of.tried({ kind: "delta", at: midnight + hour }, midnight + hour, "too-old", nothing);
    expect(of.due(midnight + hour)).toEqual({ kind: "full", at: midnight + hour });
  });

  it("owes a second pass to each scan: at once after our own, after a pause where another worker may yet do it", () => {
    const six = midnight + 6 * hour;
    const full = { kind: "full", at: six } as const;
    const owed = { ...known, lastFull: six, pass: { since: six + 7, whole: true, scans: 1 } };
    const ours = schedule(midnight);
    ours.due(six);
    ours.tried(full, six + 9, "done", owed);
    const pass = { kind: "details", at: six + 7 } as const;
    expect(ours.due(six + 9)).toEqual(pass);
    ours.tried(pass, six + 10, "failed", owed);
    expect(ours.due(six + 10)).toBeNull();
    expect(ours.next()).toBe(six + 10 + 5 * 60_000);
    ours.tried(pass, six + 11, "done", { ...owed, pass: null });
    expect(ours.next()).toBe(midnight + 7 * hour);

    const theirs = schedule(midnight);
    theirs.due(six);
    theirs.tried(full, six + 9, "elsewhere", owed);
    expect(theirs.due(six + 9)).toBeNull();
    theirs.tried(full, six + 10 + 5 * 60_000, "done", owed);
    expect(theirs.due(six + 10 + 5 * 60_000)).toEqual(pass);

    const begun = new Schedule(rules);
    begun.begin(six + hour, owed);
    expect(begun.due(six + hour)).toEqual(pass);
  });

  it("lists at once when a person asks, also while a listing waits to be tried again; and what was asked before it began, once", () => {
    const six = midnight + 6 * hour;
    const of = schedule(midnight);
    of.due(six);
    of.tried({ kind: "full", at: six }, six, "failed", nothing);
    of.ask(six + 60_000);
    expect(of.due(six + 60_000)).toEqual({ kind: "full", at: six + 60_000 });
    of.tried({ kind: "full", at: six + 60_000 }, six + 61_000, "done", nothing);
    of.ask(six + 60_000);
    expect(of.due(six + 62_000)).toBeNull();
    const begun = new Schedule(rules);
    begun.begin(six + 2 * hour, { ...known, lastFull: six, asked: six + hour });
    expect(begun.due(six + 2 * hour)).toEqual({ kind: "full", at: six + hour });
    const first = new Schedule(rules);
    first.begin(six + 2 * hour, { ...nothing, asked: six + hour });
    expect(first.due(six + 2 * hour)).toEqual({ kind: "full", at: six + hour });
  });

  it("never stands still: what is due next is later than now once everything due was done", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 40 * hour }), { maxLength: 30 }),
        fc.boolean(),
        (steps, changesKnown) => {
          const of = schedule(midnight, null, changesKnown);
          let now = midnight;
          for (const step of steps) {
            now += step;
            for (let due = of.due(now), tries = 0; due !== null; due = of.due(now)) {
              expect((tries += 1)).toBeLessThan(4);
              of.tried(due, now, "done", { ...nothing, changesKnown });
            }
            expect(of.next()).toBeGreaterThan(now);
          }
        },
      ),
    );
  });
});
