import { sameBytes } from "../base64.ts";
import { checkCanonical } from "../canonical.ts";
import type { Checkpoint } from "../checkpoint.ts";
import { assertThat, EvidenceError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { Frontier, leafHash } from "../merkle.ts";

/** What a whole log came to. */
export interface VerifiedLog {
  readonly size: number;
  readonly root: Uint8Array;
  /** Bytes of all entries together. */
  readonly bytes: number;
}

/**
 * Proves that these entries, in this order, are the whole log of a checkpoint (verify its signature first): each is
 * canonical, and together they give its size and root. Entries come in batches of any size and are not kept, so memory
 * does not grow with the log.
 */
export async function verifyLog(
  batches: AsyncIterable<readonly Uint8Array[]> | Iterable<readonly Uint8Array[]>,
  checkpoint: Checkpoint,
): Promise<VerifiedLog> {
  const frontier = new Frontier();
  let bytes = 0;
  for await (const batch of batches) {
    for (const entry of batch) {
      checkEntryBytes(entry, frontier.size);
      frontier.append(leafHash(entry));
      bytes += entry.length;
    }
    // An endless stream must not be read for ever.
    assertThat(frontier.size <= checkpoint.size, "bad-proof", `expected ${checkpoint.size} entries, got more`);
  }
  assertThat(
    frontier.size === checkpoint.size,
    "bad-proof",
    `expected ${checkpoint.size} entries, got ${frontier.size}`,
  );
  const root = frontier.root();
  assertThat(
    sameBytes(root, checkpoint.root),
    "bad-proof",
    "expected the root of the checkpoint, got another from the entries",
  );
  return { size: frontier.size, root, bytes };
}

function checkEntryBytes(entry: Uint8Array, index: number): void {
  try {
    checkCanonical(entry, LIMITS.entryBytesMax);
  } catch (error) {
    if (error instanceof EvidenceError) throw new EvidenceError(error.code, `${error.message} of log entry ${index}`);
    throw error;
  }
}

/**
 * Splits a byte stream into entries: each is a big-endian u16 length and that many bytes (the entry bundles of C2SP
 * tlog-tiles, one after the other). Yields what each chunk completes.
 */
export async function* readEntryFrames(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<readonly Uint8Array[]> {
  let rest: Uint8Array = new Uint8Array(0);
  for await (const chunk of chunks) {
    const data = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const batch: Uint8Array[] = [];
    let at = 0;
    while (at + 2 <= data.length) {
      const end = at + 2 + (((data[at] as number) << 8) | (data[at + 1] as number));
      if (end > data.length) break;
      batch.push(data.subarray(at + 2, end));
      at = end;
    }
    rest = data.subarray(at);
    yield batch;
  }
  assertThat(rest.length === 0, "bad-shape", "expected the log to end with a whole entry");
}

/** One entry with its length in front, as {@link readEntryFrames} reads it. */
export function frameEntry(entry: Uint8Array): Uint8Array {
  assertThat(
    entry.length <= LIMITS.entryBytesMax,
    "too-large",
    `expected an entry of at most ${LIMITS.entryBytesMax} bytes`,
  );
  return Buffer.concat([Buffer.of(entry.length >> 8, entry.length & 0xff), entry]);
}
