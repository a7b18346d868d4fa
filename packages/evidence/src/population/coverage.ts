/** A span of time, ms. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** A part of a period of which nothing can be concluded. */
export interface Gap extends Span {
  /**
   * `not-read`: nobody looked. `lost`: nobody looked while the directory still had it. `not-settled`: it was read, and late
   * entries may yet have come. `ahead`: it had not happened yet.
   */
  readonly why: GapWord;
}

export const GAP_WORDS = ["not-read", "lost", "not-settled", "ahead"] as const;
type GapWord = (typeof GAP_WORDS)[number];

/** What coverage is judged by. */
export interface CoverageRules {
  readonly now: number;
  /** How late an entry of the directory may come. */
  readonly lateMs: number;
  /** How long the directory keeps its entries. */
  readonly keptMs: number;
}

/**
 * What of a period was not read, oldest first, from the spans that were. A span that was read up to the present counts as settled
 * up to `lateMs` before its end.
 */
export function gapsOf(period: Span, read: readonly Span[], { now, lateMs, keptMs }: CoverageRules): Gap[] {
  const gaps: Gap[] = [];
  const settled = read.map(({ from, to }) => ({ from, to: to - lateMs })).filter(({ from, to }) => from < to);
  for (const hole of minus({ from: period.from, to: Math.min(period.to, now) }, settled)) {
    const unread = minus(hole, read);
    for (const part of minus(hole, unread)) gaps.push({ ...part, why: "not-settled" });
    const kept = now - keptMs;
    for (const { from, to } of unread) {
      if (from < kept) gaps.push({ from, to: Math.min(to, kept), why: "lost" });
      if (to > kept) gaps.push({ from: Math.max(from, kept), to, why: "not-read" });
    }
  }
  if (period.to > now) gaps.push({ from: Math.max(now, period.from), to: period.to, why: "ahead" });
  return gaps.sort((a, b) => a.from - b.from);
}

/** Parts of a span that none of the others covers, oldest first. */
function minus(span: Span, others: readonly Span[]): Span[] {
  const left: Span[] = [];
  let at = span.from;
  for (const { from, to } of [...others].sort((a, b) => a.from - b.from)) {
    if (from > span.to) break;
    if (from > at) left.push({ from: at, to: from });
    at = Math.max(at, to);
  }
  if (at < span.to) left.push({ from: at, to: span.to });
  return left;
}
