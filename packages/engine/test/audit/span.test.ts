import { expect, it } from "vitest";
import { type AuditProgress, nextSpanAt, spanDue } from "../../src/audit/span.ts";

const day = 86_400_000;
const rules = { everySeconds: 900, lateSeconds: 7_200, retentionDays: 7 };
const now = 100 * day;

it("begins where the directory's memory begins and catches up day by day, without a gap", () => {
  let progress: AuditProgress = { readTo: null, readAt: null, deepAt: null };
  const spans: { from: number; to: number }[] = [];
  for (let span = spanDue(now, progress, rules); span !== null; span = spanDue(now, progress, rules)) {
    spans.push(span);
    progress = { readTo: span.to, readAt: now, deepAt: span.deep ? now : progress.deepAt };
    expect(spans.length).toBeLessThan(20);
  }
  expect(spans[0]?.from).toBe(now - 7 * day);
  expect(spans.at(-1)?.to).toBe(now);
  const gaps = spans.slice(1).filter(({ from }, i) => from > (spans[i]?.to ?? 0));
  expect(gaps).toEqual([]);
  expect(nextSpanAt(progress, rules)).toBe(now + 900_000);
});

it("reads again as far back as entries may be late, and once a day the last three days", () => {
  const progress = { readTo: now - 900_000, readAt: now - 900_000, deepAt: now - 3_600_000 };
  expect(spanDue(now, progress, rules)).toEqual({ from: now - 900_000 - 7_200_000, to: now, deep: false });
  expect(spanDue(now, { ...progress, deepAt: now - day }, rules)).toEqual({ from: now - 3 * day, to: now, deep: true });
  expect(spanDue(now - 1, progress, rules)).toBeNull();
});

it("leaves what the directory has forgotten, however long nobody looked, and never reads when told so", () => {
  const long = { readTo: now - 30 * day, readAt: now - 30 * day, deepAt: null };
  expect(spanDue(now, long, rules)?.from).toBe(now - 7 * day);
  expect(spanDue(now, long, { ...rules, everySeconds: 0 })).toBeNull();
});
