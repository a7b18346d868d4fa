/** A span of time, ms, both ends included. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** A part of a period of which nothing can be concluded. */
export interface Hole extends Span {
  /**
   * `not-read`: nobody looked. `lost`: nobody looked while the directory still had it. `not-settled`: it was read, and late
   * entries may yet come. `ahead`: it has not happened yet.
   */
  readonly why: "not-read" | "lost" | "not-settled" | "ahead";
}

export interface Coverage {
  readonly complete: boolean;
  readonly holes: readonly Hole[];
}

/** What coverage is judged by. */
export interface CoverageRules {
  readonly now: number;
  /** How late an entry may come. */
  readonly lateMs: number;
  /** How long the directory keeps its entries. */
  readonly retentionMs: number;
}

/**
 * Whether all that happened in a period has been read, from the spans that were: each hole by name. A span that was read before
 * its late entries had come counts up to `lateMs` before it was read; the store keeps spans so (`settled`).
 */
export function coverageOf(
  period: Span,
  settled: readonly Span[],
  read: readonly Span[],
  rules: CoverageRules,
): Coverage {
  const holes: Hole[] = [];
  const reach = { from: period.from, to: Math.min(period.to, rules.now) };
  for (const gap of minus(reach, settled))
    for (const part of cut(gap, read)) {
      if (part.read) holes.push({ from: part.from, to: part.to, why: "not-settled" });
      else {
        const kept = rules.now - rules.retentionMs;
        if (part.from < kept) holes.push({ from: part.from, to: Math.min(part.to, kept), why: "lost" });
        if (part.to > kept) holes.push({ from: Math.max(part.from, kept), to: part.to, why: "not-read" });
      }
    }
  if (period.to > rules.now) holes.push({ from: Math.max(rules.now, period.from), to: period.to, why: "ahead" });
  return { complete: holes.length === 0, holes };
}

/** Parts of a span that none of the others covers, oldest first. */
function minus(span: Span, others: readonly Span[]): Span[] {
  const left: Span[] = [];
  let at = span.from;
  for (const { from, to } of [...others].sort((a, b) => a.from - b.from)) {
    if (to < at || from > span.to) continue;
    if (from > at) left.push({ from: at, to: from });
    at = Math.max(at, to);
  }
  if (at < span.to) left.push({ from: at, to: span.to });
  return left;
}

/** A span in parts that were read and parts that were not, oldest first. */
function cut(span: Span, read: readonly Span[]): (Span & { readonly read: boolean })[] {
  const open = minus(span, read);
  const seen = minus(span, open);
  return [...open.map((part) => ({ ...part, read: false })), ...seen.map((part) => ({ ...part, read: true }))].sort(
    (a, b) => a.from - b.from,
  );
}

/** Spans joined where they touch or overlap, oldest first. */
export function joined(spans: readonly Span[]): Span[] {
  const out: Span[] = [];
  for (const span of [...spans].sort((a, b) => a.from - b.from)) {
    const last = out.at(-1);
    if (last !== undefined && span.from <= last.to)
      out[out.length - 1] = { from: last.from, to: Math.max(last.to, span.to) };
    else out.push({ from: span.from, to: span.to });
  }
  return out;
}
