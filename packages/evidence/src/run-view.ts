import type { Entry, EntryOf } from "./entry.ts";
import type { EntryType } from "./entry-types.ts";
import { assertThat } from "./errors.ts";
import type { RunState } from "./states.ts";

/** One entry with its place in the log. */
export interface PlacedEntry<T extends EntryType = EntryType> {
  readonly entry: { [K in T]: EntryOf<K> }[T];
  /** Index in the log, from 0. */
  readonly index: number;
  /** Leaf hash, 64 hex digits. */
  readonly leaf: string;
}

/** A run as its entries tell it, in order. */
export interface RunView {
  readonly id: string;
  readonly entries: readonly PlacedEntry[];
}

/** The run's entries of one type, in order. */
export function ofType<T extends EntryType>(run: RunView, type: T): PlacedEntry<T>[] {
  return run.entries.filter((placed): placed is PlacedEntry<T> & PlacedEntry => placed.entry.type === type);
}

/** The first entry of a type, if any. */
export function firstOf<T extends EntryType>(run: RunView, type: T): PlacedEntry<T> | undefined {
  return ofType(run, type)[0];
}

/** The request every run begins with. */
export function requestOf(run: RunView): EntryOf<"run.requested"> {
  const first = run.entries[0]?.entry as Entry | undefined;
  assertThat(first?.type === "run.requested", "refused", "expected the run to begin with run.requested");
  return first;
}

/** The state the last move left the run in. */
export function stateOf(run: RunView): RunState {
  return ofType(run, "run.moved").at(-1)?.entry.data.to ?? "requested";
}

/** Whether the run's last entry is `run.closed`. */
export function isClosed(run: RunView): boolean {
  return run.entries.at(-1)?.entry.type === "run.closed";
}

/** The validation that counts: the last one before the plan was frozen, or the last one where nothing was planned. */
export function governingValidation(run: RunView): PlacedEntry<"run.validated"> | undefined {
  const frozen = firstOf(run, "plan.frozen");
  return ofType(run, "run.validated")
    .filter((v) => frozen === undefined || v.index < frozen.index)
    .at(-1);
}

/** The digest of the policy the run was judged by, if it came that far. */
export function policyDigestOf(run: RunView): string | undefined {
  return firstOf(run, "plan.frozen")?.entry.data.policyDigest ?? governingValidation(run)?.entry.data.policyDigest;
}
