import { CountersignError } from "@countersign/core";
import {
  type Checkpoint,
  type CheckpointRef,
  checkCanonical,
  checkpointRef,
  Frontier,
  leafHash,
  noteKey,
  type Signer,
  verifyCheckpoint,
} from "@countersign/evidence";
import type { HighWaterMark } from "./high-water-mark.ts";
import type { Store } from "./store.ts";

/** How far a log was hashed here, and the leaf hash of its last entry. */
export interface Hashed {
  readonly frontier: Frontier;
  readonly leaf: Uint8Array;
}

const pageRows = 1_000;

/** Nothing hashed yet. */
export function nothingHashed(): Hashed {
  return { frontier: new Frontier(), leaf: new Uint8Array() };
}

/**
 * Hashes entries from where `from` ends up to `size`. Nothing is believed that is not hashed here. Error: LOG_INVALID when
 * entries and their leaf hashes do not fit together.
 */
export async function hashOn(store: Store, from: Hashed, size: number): Promise<Hashed> {
  const frontier = new Frontier(from.frontier.size, from.frontier.toBytes());
  let { leaf } = from;
  while (frontier.size < size) {
    const page = await store.entries(frontier.size, Math.min(pageRows, size - frontier.size));
    if (page.length === 0) throw invalid(`expected entry ${frontier.size}, got none`);
    for (const row of page) {
      if (row.idx !== frontier.size) throw invalid(`expected entry ${frontier.size}, got ${row.idx}`);
      try {
        checkCanonical(row.entry);
      } catch {
        throw invalid(`expected entry ${row.idx} in canonical form`);
      }
      leaf = leafHash(row.entry);
      if (!same(leaf, row.leafHash)) throw invalid(`expected entry ${row.idx} to have its leaf hash`);
      frontier.append(leaf);
    }
  }
  return { frontier, leaf };
}

/** A stored checkpoint. Error: LOG_INVALID when this log's key has not signed it. */
export function readSigned(note: string, signer: Signer): Checkpoint {
  try {
    return verifyCheckpoint(Buffer.from(note), signer.name, [noteKey(signer.name, signer.publicKey)]);
  } catch {
    throw invalid("expected the stored checkpoint to be signed by this log's key");
  }
}

/** A whole log as hashed here. */
export interface HashedLog {
  readonly mark: HighWaterMark;
  /** The last checkpoint in it; its root is that of the entries here. */
  readonly signed: CheckpointRef;
}

/**
 * Hashes the whole log that the database holds now, and shows that it continues what this log's key has signed. Error:
 * LOG_INVALID when it does not: then it is no older state of this log, but another one.
 */
export async function hashLog(store: Store, signer: Signer): Promise<HashedLog> {
  const { size, frontier: kept } = await store.logState();
  const last = await store.checkpoint(size);
  if (last === null) throw invalid("expected a log with a signed checkpoint, got none");
  const signed = readSigned(last.note, signer);
  const upTo = await hashOn(store, nothingHashed(), signed.size);
  if (!same(upTo.frontier.root(), signed.root))
    throw invalid(`expected the entries that were signed at size ${signed.size}, got others`);
  const { frontier, leaf } = await hashOn(store, upTo, size);
  if (!same(frontier.toBytes(), kept)) throw invalid(`expected the frontier of ${size} entries`);
  return {
    mark: { size, root: frontier.root(), leaf, frontier: frontier.toBytes() },
    signed: checkpointRef(signed),
  };
}

export function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

export function invalid(message: string): CountersignError {
  return new CountersignError("LOG_INVALID", message);
}
