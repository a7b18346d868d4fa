import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { toHex } from "../base64.ts";
import { type CheckpointRef, checkpointRef, readCheckpointUnverified } from "../checkpoint.ts";
import { digestOf, sha256Hex } from "../digest.ts";
import { signEnvelope } from "../dsse.ts";
import type { Signer } from "../ed25519.ts";
import { parseEntry } from "../entry.ts";
import { assertThat } from "../errors.ts";
import { consistencyProof, inclusionProof, leafHash, type NodeSource } from "../merkle.ts";
import { type RunView, requestOf } from "../run-view.ts";
import { parseStatement } from "../statement.ts";
import {
  anchorFile,
  attachmentFile,
  type BundleFiles,
  bytesMaxOf,
  consistencyFile,
  contextFile,
  contextProofFile,
  entryFile,
  entryProofFile,
  envelopeFile,
  FILES,
  statementFile,
} from "./layout.ts";
import { needsOf } from "./needs.ts";
import { formatConsistency, formatProof } from "./proof-file.ts";
import { formatReadme } from "./readme.ts";
import { IN_TOTO_PAYLOAD_TYPE, runRecord } from "./run-record.ts";
import { formatSums } from "./sums.ts";

/** An entry's bytes and its index in the log. */
export interface LoggedEntry {
  readonly index: number;
  readonly bytes: Uint8Array;
}

/** Everything a bundle is made from. The tree must cover the checkpoint's size. */
export interface BundleInput {
  /** The signed note of the log state the proofs lead to. */
  readonly checkpoint: Uint8Array;
  /** Answers the roots of perfect subtrees of the log. */
  readonly tree: NodeSource;
  /** The run's entries, runSeq 0 first. */
  readonly entries: readonly LoggedEntry[];
  /**
   * Entries of no run, in any order: log.genesis (index 0); the policy.activated of the run's policy, if it was judged by
   * one; one attachment.erased for each attachment or statement that the run names and that is gone; each
   * breakglass.reviewed of the run.
   */
  readonly context: readonly LoggedEntry[];
  /** Present if and only if the run has plan.frozen. */
  readonly plan: Uint8Array | null;
  /** The policy's file bytes; present if and only if the run was validated or planned. */
  readonly policy: Uint8Array | null;
  /** Each approval.given's statement and envelope bytes, unless erased. */
  readonly approvals: readonly { readonly statement: Uint8Array; readonly envelope: Uint8Array }[];
  /** The bytes behind reason digests (of the request and of the statements), unless erased. */
  readonly attachments: readonly Uint8Array[];
  /** Signed checkpoint notes of exactly the sizes that statements and run.authorised name. */
  readonly anchors: readonly Uint8Array[];
  /** run.dsse.json: what {@link signRunRecord} made of these entries and this checkpoint. */
  readonly record: Uint8Array;
}

/** Signs the summary of a run as of a checkpoint that covers its entries; all of it follows from the entries and `build`. */
export function signRunRecord(
  run: { readonly entries: readonly LoggedEntry[]; readonly log: CheckpointRef; readonly build: string },
  runSigner: Signer,
): Promise<Uint8Array> {
  return signEnvelope(IN_TOTO_PAYLOAD_TYPE, runRecord(viewOf(run.entries), run.log, run.build), runSigner);
}

/** Makes the files of a bundle. Writes what it is given: whether that proves anything is the verifier's word. */
export function makeBundle(input: BundleInput): BundleFiles {
  const files = new Map<string, Uint8Array>();
  const log = checkpointRef(readCheckpointUnverified(input.checkpoint));
  const run = viewOf(input.entries);
  putEntries(files, input, log.size);
  files.set(FILES.checkpoint, input.checkpoint);
  if (input.plan !== null) files.set(FILES.plan, input.plan);
  if (input.policy !== null) files.set(FILES.policy, input.policy);
  for (const { statement, envelope } of input.approvals) {
    const hex = sha256Hex(statement);
    files.set(statementFile(hex), statement);
    files.set(envelopeFile(hex), envelope);
  }
  for (const bytes of input.attachments) files.set(attachmentFile(sha256Hex(bytes)), bytes);
  putAnchors(files, input, run, log);
  files.set(FILES.runRecord, input.record);
  files.set(FILES.readme, formatReadme(run, log));
  files.set(FILES.sums, formatSums(files));
  for (const [name, bytes] of files) {
    assertThat(
      bytes.length <= bytesMaxOf(name),
      "too-large",
      `expected ${name} of at most ${bytesMaxOf(name)} bytes, got ${bytes.length}`,
    );
  }
  return files;
}

/** Makes a bundle and writes it into a new folder; refuses to write over a file. */
export function writeBundle(dir: string, input: BundleInput): void {
  const files = makeBundle(input);
  for (const [name, bytes] of files) {
    const path = join(dir, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes, { flag: "wx" });
  }
}

function viewOf(entries: readonly LoggedEntry[]): RunView {
  const placed = entries.map(({ index, bytes }) => ({ entry: parseEntry(bytes), index, leaf: toHex(leafHash(bytes)) }));
  const view: RunView = { id: String(placed[0]?.entry.run), entries: placed };
  requestOf(view);
  return view;
}

function putEntries(files: Map<string, Uint8Array>, input: BundleInput, size: number): void {
  const proof = (index: number): Uint8Array =>
    formatProof({ index, hashes: inclusionProof(input.tree, index, size) }, input.checkpoint);
  input.entries.forEach(({ index, bytes }, seq) => {
    files.set(entryFile(seq), bytes);
    files.set(entryProofFile(seq), proof(index));
  });
  const context = [...input.context].sort((a, b) => a.index - b.index);
  context.forEach(({ index, bytes }, n) => {
    files.set(contextFile(n), bytes);
    files.set(contextProofFile(n), proof(index));
  });
}

function putAnchors(files: Map<string, Uint8Array>, input: BundleInput, run: RunView, log: CheckpointRef): void {
  const context = input.context.map(({ bytes }) => parseEntry(bytes));
  const notes = new Map(input.anchors.map((note) => [readCheckpointUnverified(note).size, note]));
  const statements = new Map(input.approvals.map(({ statement }) => [digestOf(statement), parseStatement(statement)]));
  for (const m of needsOf(run, statements, context).anchors) {
    if (m === log.size) continue;
    const note = notes.get(m);
    assertThat(note !== undefined, "bad-bundle", `expected the signed checkpoint of size ${m} among the anchors`);
    files.set(anchorFile(m), note);
    files.set(consistencyFile(m, log.size), formatConsistency(consistencyProof(input.tree, m, log.size)));
  }
}
