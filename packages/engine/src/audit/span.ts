/** How the directory's log is read: how often, how late its entries may come, how long it keeps them. */
export interface AuditRules {
  readonly everySeconds: number;
  readonly lateSeconds: number;
  readonly retentionDays: number;
}

/** What was read so far; null: never. */
export interface AuditProgress {
  /** End of the newest span that was read. */
  readonly readTo: number | null;
  readonly readAt: number | null;
  /** When the last days were read once more. */
  readonly deepAt: number | null;
}

/** A span to read. `deep`: once a day the last days are read again, for entries that came later than anybody expected. */
export interface AuditSpan {
  readonly from: number;
  readonly to: number;
  readonly deep: boolean;
}

const dayMs = 86_400_000;
const deepMs = 3 * dayMs;
/** The most that is read as one span: after an outage the log is caught up day by day. */
const spanMsMax = dayMs;

/** What to read now; null: nothing is due. */
export function spanDue(now: number, progress: AuditProgress, rules: AuditRules): AuditSpan | null {
  const at = nextSpanAt(progress, rules);
  if (at === null || at > now) return null;
  const kept = now - rules.retentionDays * dayMs;
  const from = progress.readTo === null ? kept : Math.max(kept, progress.readTo - rules.lateSeconds * 1_000);
  // From the end of what was read, not from its overlap: a long overlap would never come to an end.
  const to = Math.min(now, Math.max(from, progress.readTo ?? from) + spanMsMax);
  if (to < now) return { from, to, deep: false };
  const deep = progress.deepAt === null || progress.deepAt + dayMs <= now;
  return deep ? { from: Math.max(kept, Math.min(from, now - deepMs)), to, deep } : { from, to, deep };
}

/** When something is due next; null: never. */
export function nextSpanAt({ readTo, readAt }: AuditProgress, { everySeconds }: AuditRules): number | null {
  if (everySeconds === 0) return null;
  if (readTo === null || readAt === null) return 0;
  // A span that ended before the time it was read at has left something over.
  return readTo < readAt - everySeconds * 1_000 ? 0 : readAt + everySeconds * 1_000;
}
