import type { StoredEntry } from "../ports.ts";

/** An entry of a run's chain as the views read it. Its text was checked when it was appended; views only display it. */
export interface RunEntry {
  readonly at: string;
  readonly type: string;
  readonly runSeq: number;
  readonly data: EntryData;
}

// oxlint-disable-next-line typescript/no-explicit-any -- the shape depends on `type`; evidence checked it on appending
type EntryData = Readonly<Record<string, any>>;

/** Parses stored entries, oldest first. */
export function readEntries(stored: readonly StoredEntry[]): RunEntry[] {
  return stored.map((entry) => JSON.parse(entry.text) as RunEntry);
}

/** The newest entry of a type. */
export function lastOf(entries: readonly RunEntry[], type: string): RunEntry | undefined {
  return entries.findLast((entry) => entry.type === type);
}
