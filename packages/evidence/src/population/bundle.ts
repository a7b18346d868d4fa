import { fromBase64, toBase64 } from "../base64.ts";
import { type BundleFiles, bytesMaxOf, contextFile, contextProofFile, FILES, rangeFile } from "../bundle/layout.ts";
import { formatProof } from "../bundle/proof-file.ts";
import { formatSums } from "../bundle/sums.ts";
import { canonicalBytes, type Json } from "../canonical.ts";
import { readCheckpointUnverified } from "../checkpoint.ts";
import { assertThat } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { inclusionProof, type NodeSource } from "../merkle.ts";
import { frameEntry } from "../verify/verify-log.ts";
import type { Population } from "./document.ts";

/** The range begins with an entry that is this much older than the period: no later one stands before it. */
export const rangeMarginMs = 600_000;
const rangeFileBytesMax = LIMITS.envelopeBytesMax;

/** What a bundle of a population is made from. The tree must cover the checkpoint's size. */
export interface PopulationBundleInput {
  readonly population: Population;
  /** The signed note of a log state that holds `population.exported`. */
  readonly checkpoint: Uint8Array;
  readonly tree: NodeSource;
  /** The log's first entry. */
  readonly genesis: Uint8Array;
  /** All entries from `population.log.start` to the checkpoint's size. */
  readonly range: readonly Uint8Array[];
}

/** The bytes whose digest stands in `population.exported`. */
export function populationBytes(population: Population): Uint8Array {
  return canonicalBytes(population as unknown as Json);
}

/** Makes the files of a bundle. Writes what it is given: whether that proves anything is the verifier's word. */
export function makePopulationBundle(input: PopulationBundleInput): BundleFiles {
  const files = new Map<string, Uint8Array>();
  const { size } = readCheckpointUnverified(input.checkpoint);
  files.set(FILES.population, populationBytes(input.population));
  files.set(FILES.checkpoint, input.checkpoint);
  files.set(FILES.frontier, formatFrontier(frontierOf(input.tree, input.population.log.start)));
  files.set(contextFile(0), input.genesis);
  files.set(
    contextProofFile(0),
    formatProof({ index: 0, hashes: inclusionProof(input.tree, 0, size) }, input.checkpoint),
  );
  let frames: Uint8Array[] = [];
  let bytes = 0;
  let places = 0;
  const flush = () => {
    if (frames.length === 0) return;
    files.set(rangeFile(places), Buffer.concat(frames));
    places += 1;
    frames = [];
    bytes = 0;
  };
  for (const entry of input.range) {
    const frame = frameEntry(entry);
    if (bytes + frame.length > rangeFileBytesMax) flush();
    frames.push(frame);
    bytes += frame.length;
  }
  flush();
  files.set(FILES.readme, formatPopulationReadme(input.population, size));
  files.set(FILES.sums, formatSums(files));
  let total = 0;
  for (const [name, content] of files) {
    total += content.length;
    assertThat(
      content.length <= bytesMaxOf(name),
      "too-large",
      `expected ${name} of at most ${bytesMaxOf(name)} bytes`,
    );
  }
  assertThat(
    total <= LIMITS.bundleBytesMax,
    "too-large",
    `expected a bundle of at most ${LIMITS.bundleBytesMax} bytes`,
  );
  return files;
}

/** Roots of the perfect subtrees of the first `size` leaves, left to right. */
function frontierOf(tree: NodeSource, size: number): Uint8Array[] {
  const hashes: Uint8Array[] = [];
  let start = 0;
  for (let level = 52; level >= 0; level -= 1) {
    const width = 2 ** level;
    if (size - start < width) continue;
    hashes.push(tree.node(level, start / width));
    start += width;
  }
  return hashes;
}

function formatFrontier(hashes: readonly Uint8Array[]): Uint8Array {
  return Buffer.from(hashes.map((hash) => `${toBase64(hash)}\n`).join(""));
}

/** The hashes of `log/frontier`, joined. */
export function parseFrontier(bytes: Uint8Array): Uint8Array {
  const lines = new TextDecoder("latin1").decode(bytes).split("\n");
  assertThat(lines.pop() === "", "bad-shape", "expected log/frontier to end each line");
  const hashes = lines.map((line) => fromBase64(line, "a hash of log/frontier"));
  assertThat(
    hashes.every(({ length }) => length === 32),
    "bad-shape",
    "expected hashes of 32 bytes in log/frontier",
  );
  return Buffer.concat(hashes);
}

/** The entries of one file of `range/`: each a big-endian u16 length and that many bytes. */
export function parseFrames(bytes: Uint8Array, what: string): Uint8Array[] {
  const entries: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length) {
    const end = at + 2 + (((bytes[at] as number) << 8) | (bytes[at + 1] ?? 0));
    assertThat(
      at + 2 <= bytes.length && end <= bytes.length,
      "bad-shape",
      `expected ${what} to end with a whole entry`,
    );
    entries.push(bytes.subarray(at + 2, end));
    at = end;
  }
  return entries;
}

/** README.txt of a population: fixed words around four facts. */
export function formatPopulationReadme({ from, to, log }: Population, size: number): Uint8Array {
  return Buffer.from(`Evidence of all credential changes and runs of a period
=======================================================

From:   ${from}
Before: ${to}
Log:    ${log.origin}, ${size} entries

What this is
  population.json  the list: every change of a credential that the directories' own logs
                   tell of, every run that was asked for, what was not read, the sample
  range/           every entry of the log from before the period up to the export
  log/ context/    the signed state of the log, and the proof that range/ is the rest of it

How to check it
  countersign verify <this folder> --trust trust.json
  Get trust.json from someone you trust, never from whoever gave you this folder.
  The format is described in docs/evidence-format.md, well enough to write your own check.

What it cannot show
  What a directory did not log or was not asked for (gaps say where); tenants that are not
  configured; and, against an operator who holds the log's keys, a log that was made anew.
`);
}
