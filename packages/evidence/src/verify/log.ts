import { sameBytes, toHex } from "../base64.ts";
import {
  type BundleFiles,
  contextFile,
  contextProofFile,
  entryFile,
  entryProofFile,
  FILES,
  fileOf,
} from "../bundle/layout.ts";
import { parseProof } from "../bundle/proof-file.ts";
import { formatSums } from "../bundle/sums.ts";
import type { Checkpoint } from "../checkpoint.ts";
import type { EntryOf } from "../entry.ts";
import { parseEntry } from "../entry.ts";
import { show } from "../errors.ts";
import { CLOCK_SKEW_MS_MAX, LIMITS } from "../limits.ts";
import { leafHash, verifyInclusion } from "../merkle.ts";
import { isClosed, ofType, type PlacedEntry, type RunView, stateOf } from "../run-view.ts";
import { isFinal, LEGAL_MOVES, type RunState } from "../states.ts";
import type { Trust } from "../trust.ts";
import { prove } from "./report.ts";

/** An entry file as read: parsed, not yet proven to stand in the log. */
export interface ReadEntry extends PlacedEntry {
  readonly hashes: readonly Uint8Array[];
  readonly leafBytes: Uint8Array;
}

/** The entry files of a bundle. */
export interface ReadEntries {
  readonly run: readonly ReadEntry[];
  readonly context: readonly ReadEntry[];
}

/** SHA256SUMS is exactly what sha256sum would write for the other files. */
export function checkSums(files: BundleFiles): void {
  prove(
    sameBytes(fileOf(files, FILES.sums), formatSums(files)),
    "expected SHA256SUMS to list exactly the files of the bundle with their digests",
  );
}

/** Parses every entry file and its proof file, numbered from 0000 without gap. */
export function readEntries(files: BundleFiles, checkpoint: Uint8Array): ReadEntries {
  const read = (file: string, proofFile: string): ReadEntry => {
    const bytes = fileOf(files, file);
    const entry = parseEntry(bytes);
    const { index, hashes } = parseProof(fileOf(files, proofFile), checkpoint);
    const leafBytes = leafHash(bytes);
    return { entry, index, leaf: toHex(leafBytes), leafBytes, hashes };
  };
  const run: ReadEntry[] = [];
  while (files.has(entryFile(run.length)) && run.length < LIMITS.runEntriesMax) {
    run.push(read(entryFile(run.length), entryProofFile(run.length)));
  }
  const context: ReadEntry[] = [];
  while (files.has(contextFile(context.length)) && context.length < LIMITS.contextEntriesMax) {
    context.push(read(contextFile(context.length), contextProofFile(context.length)));
  }
  prove(run.length > 0, "expected at least entries/0000.json, got no entry of the run");
  return { run, context };
}

/** Every entry stands in the log of this checkpoint. */
export function checkInclusion(entries: ReadEntries, checkpoint: Checkpoint): void {
  for (const { leafBytes, index, hashes } of [...entries.run, ...entries.context]) {
    verifyInclusion(leafBytes, index, checkpoint.size, hashes, checkpoint.root);
  }
}

/** The entries are one run's, from its first on, none missing between them, none after `run.closed`. */
export function checkRunChain(entries: readonly ReadEntry[]): RunView {
  const [first] = entries;
  const id = first?.entry.run;
  prove(
    typeof id === "string" && first?.entry.type === "run.requested",
    "expected entries/0000.json to be run.requested",
  );
  entries.forEach(({ entry, index }, seq) => {
    const before = entries[seq - 1];
    const at = `entry ${seq} of the run`;
    prove(entry.run === id, `expected ${at} to belong to ${id}, got ${show(entry.run)}`);
    prove(entry.runSeq === seq, `expected ${at} to have runSeq ${seq}, got ${show(entry.runSeq)}`);
    prove(entry.prevRunLeaf === (before?.leaf ?? null), `expected ${at} to name the leaf hash of the entry before it`);
    prove(
      before === undefined || index > before.index,
      `expected ${at} to stand later in the log than the entry before it`,
    );
    prove(entry.type !== "run.requested" || seq === 0, "expected run.requested once");
  });
  const closed = entries.findIndex(({ entry }) => entry.type === "run.closed");
  prove(closed === -1 || closed === entries.length - 1, "expected nothing of the run after run.closed");
  const view: RunView = { id, entries };
  for (const { entry } of ofType(view, "run.closed")) {
    prove(
      entry.data.entries === entries.length,
      `expected run.closed to count ${entries.length} entries, got ${entry.data.entries}`,
    );
  }
  return view;
}

/** The log's first entry, which says what kind of installation this is. */
export function checkGenesis(entries: ReadEntries, trust: Trust): EntryOf<"log.genesis"> {
  const first = entries.context[0];
  prove(
    first?.entry.type === "log.genesis" && first.index === 0,
    "expected context/0000.json to be log.genesis, the first entry of the log",
  );
  const genesis = first.entry;
  prove(
    genesis.data.origin === trust.origin,
    `expected the log to begin with origin ${trust.origin}, got ${show(genesis.data.origin)}`,
  );
  prove(
    genesis.data.profile === trust.profile,
    `expected profile ${trust.profile} of the trust file, got ${genesis.data.profile}`,
  );
  prove(
    genesis.data.clock === "system" || genesis.data.profile !== "production",
    "expected the system clock in profile production, got a virtual one",
  );
  return genesis;
}

/** Times of the run's entries follow the log, give or take the clock difference the product allows itself. */
export function checkTimes(run: RunView): void {
  let latest = 0;
  for (const { entry } of run.entries) {
    const at = Date.parse(entry.at);
    prove(
      at >= latest - CLOCK_SKEW_MS_MAX,
      `expected times to follow the log within ${CLOCK_SKEW_MS_MAX / 1000} s, got ${entry.at} at entry ${entry.runSeq}`,
    );
    latest = Math.max(latest, at);
  }
}

/** Every move is legal, the chain of states has no gap, and a closed run ended in a final state. */
export function checkMoves(run: RunView): RunState {
  let state: RunState = "requested";
  let fence = 0;
  for (const { entry } of ofType(run, "run.moved")) {
    const { from, to } = entry.data;
    prove(from === state, `expected entry ${entry.runSeq} to move from ${state}, got ${from}`);
    prove(LEGAL_MOVES[from].includes(to), `expected a legal move from ${from}, got ${to} at entry ${entry.runSeq}`);
    prove(entry.data.fence >= fence, `expected the fence not to fall below ${fence}, got ${entry.data.fence}`);
    state = to;
    fence = entry.data.fence;
  }
  const closed = run.entries.at(-1)?.entry;
  if (closed?.type === "run.closed") {
    prove(closed.data.state === state, `expected run.closed to say ${state}, got ${closed.data.state}`);
    prove(isFinal(state), `expected a closed run to have ended, got ${state}`);
  }
  prove(stateOf(run) === state && isClosed(run) === (closed?.type === "run.closed"), "expected one last state");
  return state;
}
