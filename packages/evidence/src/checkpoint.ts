import { fromBase64, toBase64 } from "./base64.ts";
import type { Signer } from "./ed25519.ts";
import { assertThat, show } from "./errors.ts";
import { type NoteKey, parseNote, signNote, verifyNote } from "./note.ts";

/** What a log says about itself: after `size` entries its root was `root`. */
export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  /** 32 bytes. */
  readonly root: Uint8Array;
}

/** A checkpoint as it stands in entries and approval statements: the root in base64. */
export interface CheckpointRef {
  readonly origin: string;
  readonly root: string;
  readonly size: number;
}

const SIZE = /^(0|[1-9][0-9]{0,15})$/;

/** The checkpoint as entries and statements carry it. */
export function checkpointRef(checkpoint: Checkpoint): CheckpointRef {
  return { origin: checkpoint.origin, root: toBase64(checkpoint.root), size: checkpoint.size };
}

/** The three lines of a C2SP tlog-checkpoint. */
export function formatCheckpoint(checkpoint: Checkpoint): string {
  return `${checkpoint.origin}\n${checkpoint.size}\n${toBase64(checkpoint.root)}\n`;
}

/** Parses the text of a checkpoint note. Extension lines are refused: nobody could audit them. */
export function parseCheckpointText(text: string): Checkpoint {
  const lines = text.split("\n");
  assertThat(lines.length === 4 && lines[3] === "", "bad-note", "expected a checkpoint of three lines");
  const [origin, size, root] = lines as [string, string, string, string];
  assertThat(origin.length > 0, "bad-note", "expected the origin of the log");
  assertThat(SIZE.test(size) && Number.isSafeInteger(Number(size)), "bad-note", `expected a size, got ${show(size)}`);
  const rootBytes = fromBase64(root, "a root hash");
  assertThat(rootBytes.length === 32, "bad-note", `expected a root of 32 bytes, got ${rootBytes.length}`);
  return { origin, size: Number(size), root: rootBytes };
}

/** Signs a checkpoint; the signers' names should equal the origin. */
export function signCheckpoint(checkpoint: Checkpoint, signers: readonly Signer[]): Promise<Uint8Array> {
  return signNote(formatCheckpoint(checkpoint), signers);
}

/** The checkpoint inside a note, unverified: for the log's own process, never for a verifier. */
export function readCheckpointUnverified(bytes: Uint8Array): Checkpoint {
  return parseCheckpointText(parseNote(bytes).text);
}

/** Proves that a trusted key of the log signed this checkpoint of this origin, and returns it. */
export function verifyCheckpoint(bytes: Uint8Array, origin: string, logKeys: readonly NoteKey[]): Checkpoint {
  const checkpoint = parseCheckpointText(verifyNote(bytes, logKeys).text);
  assertThat(
    checkpoint.origin === origin,
    "bad-note",
    `expected origin ${show(origin)}, got ${show(checkpoint.origin)}`,
  );
  return checkpoint;
}
