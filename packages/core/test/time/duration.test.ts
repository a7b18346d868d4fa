import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatDuration, formatInstant, isZone, parseDuration, parseInstant } from "../../src/index.ts";

const strict = { seconds: false };

describe("durations", () => {
  it.each([
    ["P14D", 14 * 86_400],
    ["PT24H", 86_400],
    ["P2W", 14 * 86_400],
    ["P1DT12H", 129_600],
    ["PT90M", 5_400],
    ["PT0M", 0],
  ])("%s is %i seconds", (text, seconds) => expect(parseDuration(text, strict)).toBe(seconds));

  it.each([
    "P1M",
    "P1Y",
    "P1Y2M",
    "P",
    "PT",
    "P1DT",
    "14D",
    "P-1D",
    "P1.5D",
    "p1d",
    "P1D ",
    "PT1H1D",
    "P1W1D",
    "PT10S",
    "P999999D",
    "",
  ])("%j is no duration where seconds are not allowed", (text) => expect(parseDuration(text, strict)).toBeNull());

  it("seconds exist only where they are allowed", () => {
    expect(parseDuration("PT10S", { seconds: true })).toBe(10);
    expect(parseDuration("PT1M30S", { seconds: true })).toBe(90);
    expect(parseDuration("PT1M30S", strict)).toBeNull();
  });

  it("what is written reads back as the same number", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 10 ** 9 }),
        (seconds) => parseDuration(formatDuration(seconds), { seconds: true }) === seconds,
      ),
    );
  });
});

describe("instants", () => {
  it.each([
    ["2026-11-22T09:00:00Z", Date.UTC(2026, 10, 22, 9)],
    ["2026-11-22T10:00:00.250+01:00", Date.UTC(2026, 10, 22, 9, 0, 0, 250)],
  ])("%s", (text, ms) => expect(parseInstant(text)).toBe(ms));

  it.each([
    "2026-02-30T00:00:00Z",
    "2026-11-22",
    "2026-11-22T09:00:00",
    "2026-11-22 09:00:00Z",
    "2026-06-30T23:59:60Z",
    "2026-11-22T24:00:01Z",
    "now",
    "",
  ])("%j is none", (text) => expect(parseInstant(text)).toBeNull());

  it("what is written is UTC with milliseconds and reads back", () => {
    expect(formatInstant(Date.UTC(2026, 10, 22))).toBe("2026-11-22T00:00:00.000Z");
    fc.assert(fc.property(fc.integer({ min: 0, max: 4 * 10 ** 12 }), (ms) => parseInstant(formatInstant(ms)) === ms));
  });

  it("a zone is a name, not an offset", () => {
    expect(isZone("Europe/Berlin")).toBe(true);
    expect(isZone("UTC")).toBe(true);
    for (const zone of ["+02:00", "Mars/Olympus", "", "../etc/passwd", "Europe/Berlin\u0000"])
      expect(isZone(zone)).toBe(false);
  });
});
