import { fromBase64, sameBytes, toBase64 } from "../base64.ts";
import { assertThat } from "../errors.ts";
import { LIMITS } from "../limits.ts";

/* C2SP tlog-proof, without the optional `extra` line, which nothing would authenticate. */

const HEADER = "c2sp.org/tlog-proof@v1";
const INDEX = /^index (0|[1-9][0-9]{0,15})$/;

/** An inclusion proof as its file holds it. */
export interface ProofFile {
  readonly index: number;
  readonly hashes: readonly Uint8Array[];
}

/** The bytes of a `.tlog-proof` file; the checkpoint note follows verbatim. */
export function formatProof(proof: ProofFile, checkpoint: Uint8Array): Uint8Array {
  const lines = [HEADER, `index ${proof.index}`, ...proof.hashes.map(toBase64), "", ""].join("\n");
  return Buffer.concat([Buffer.from(lines, "utf8"), checkpoint]);
}

/** Parses a `.tlog-proof` file and refuses one that carries another checkpoint than the bundle's. */
export function parseProof(bytes: Uint8Array, checkpoint: Uint8Array): ProofFile {
  const split = bytes.length - checkpoint.length;
  const carries = split > 0 && sameBytes(bytes.subarray(split), checkpoint);
  assertThat(carries, "bad-proof", "expected the proof to end with the bundle's checkpoint");
  const lines = Buffer.from(bytes.subarray(0, split)).toString("latin1").split("\n");
  assertThat(
    lines.length >= 4 && lines.at(-1) === "" && lines.at(-2) === "",
    "bad-proof",
    "expected a blank line before the checkpoint",
  );
  assertThat(lines[0] === HEADER, "bad-proof", `expected ${HEADER}`);
  const [, digits] = INDEX.exec(lines[1] as string) ?? [];
  assertThat(digits !== undefined && Number.isSafeInteger(Number(digits)), "bad-proof", "expected an index line");
  return { index: Number(digits), hashes: parseHashes(lines.slice(2, -2)) };
}

/** The bytes of a consistency file: one base64 hash per line. */
export function formatConsistency(hashes: readonly Uint8Array[]): Uint8Array {
  return Buffer.from(hashes.map((h) => `${toBase64(h)}\n`).join(""), "utf8");
}

/** Parses a consistency file. */
export function parseConsistency(bytes: Uint8Array): Uint8Array[] {
  const lines = Buffer.from(bytes).toString("latin1").split("\n");
  assertThat(lines.pop() === "", "bad-proof", "expected a consistency proof of whole lines");
  return parseHashes(lines);
}

function parseHashes(lines: readonly string[]): Uint8Array[] {
  assertThat(
    lines.length <= LIMITS.proofHashesMax,
    "bad-proof",
    `expected at most ${LIMITS.proofHashesMax} hashes, got ${lines.length}`,
  );
  return lines.map((line) => {
    const hash = fromBase64(line, "a proof hash");
    assertThat(hash.length === 32, "bad-proof", `expected a hash of 32 bytes, got ${hash.length}`);
    return hash;
  });
}
