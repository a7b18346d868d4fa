import { hash } from "node:crypto";
import { sameBytes } from "./base64.ts";
import { assertThat } from "./errors.ts";
import { LIMITS } from "./limits.ts";

/*
 * RFC 6962 Merkle tree over SHA-256. Sizes are JavaScript numbers up to 2^53-1, so shifts (which are 32-bit) are
 * written as divisions.
 */

const HASH_BYTES = 32;

/** SHA-256 of no bytes: the root of an empty tree. */
export const EMPTY_ROOT: Uint8Array = hash("sha256", new Uint8Array(0), "buffer");

/** SHA256(0x00 || entry). */
export function leafHash(entry: Uint8Array): Uint8Array {
  const prefixed = Buffer.allocUnsafe(entry.length + 1);
  prefixed[0] = 0;
  prefixed.set(entry, 1);
  return hash("sha256", prefixed, "buffer");
}

const pair = Buffer.alloc(1 + 2 * HASH_BYTES);
pair[0] = 1;

/** SHA256(0x01 || left || right). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  pair.set(left, 1);
  pair.set(right, 1 + HASH_BYTES);
  return hash("sha256", pair, "buffer");
}

/**
 * The roots of the perfect subtrees that make up a tree, left to right: all that is needed to append and to know the
 * root. As bytes it is the concatenation of those 32-byte hashes, the form the database keeps.
 */
export class Frontier {
  #size: number;
  readonly #stack: Uint8Array[];

  constructor(size = 0, frontier: Uint8Array = new Uint8Array(0)) {
    assertThat(Number.isSafeInteger(size) && size >= 0, "bad-proof", `expected a tree size, got ${size}`);
    const count = onesIn(size);
    assertThat(
      frontier.length === count * HASH_BYTES,
      "bad-proof",
      `expected a frontier of ${count} hashes for size ${size}, got ${frontier.length} bytes`,
    );
    this.#size = size;
    this.#stack = Array.from({ length: count }, (_, i) => frontier.slice(i * HASH_BYTES, (i + 1) * HASH_BYTES));
  }

  /** Number of leaves. */
  get size(): number {
    return this.#size;
  }

  /** Appends one leaf hash and returns its index. */
  append(leaf: Uint8Array): number {
    let h = leaf;
    for (let m = this.#size; m % 2 === 1; m = Math.floor(m / 2)) h = nodeHash(this.#stack.pop() as Uint8Array, h);
    this.#stack.push(h);
    return this.#size++;
  }

  /** The root of the tree so far. */
  root(): Uint8Array {
    let i = this.#stack.length - 1;
    if (i < 0) return EMPTY_ROOT;
    let h = this.#stack[i] as Uint8Array;
    while (--i >= 0) h = nodeHash(this.#stack[i] as Uint8Array, h);
    return h;
  }

  /** Concatenated 32-byte hashes, left to right. */
  toBytes(): Uint8Array {
    return Buffer.concat(this.#stack);
  }
}

function onesIn(size: number): number {
  let ones = 0;
  for (let m = size; m > 0; m = Math.floor(m / 2)) ones += m % 2;
  return ones;
}

/** Reads the root of the perfect subtree number `index` (from the left) of 2^level leaves. Level 0 = leaf hashes. */
export interface NodeSource {
  node(level: number, index: number): Uint8Array;
}

/** A whole tree in memory: every perfect subtree's root. */
export class MerkleTree implements NodeSource {
  readonly #levels: Uint8Array[][] = [[]];

  constructor(leaves: Iterable<Uint8Array> = []) {
    for (const leaf of leaves) this.append(leaf);
  }

  /** Number of leaves. */
  get size(): number {
    return (this.#levels[0] as Uint8Array[]).length;
  }

  /** Appends one leaf hash and returns its index. */
  append(leaf: Uint8Array): number {
    const index = this.size;
    let h = leaf;
    for (let level = 0; ; level++) {
      let row = this.#levels[level];
      if (row === undefined) {
        row = [];
        this.#levels.push(row);
      }
      row.push(h);
      if (row.length % 2 === 1) return index;
      h = nodeHash(row[row.length - 2] as Uint8Array, h);
    }
  }

  node(level: number, index: number): Uint8Array {
    const found = this.#levels[level]?.[index];
    assertThat(found !== undefined, "bad-proof", `expected subtree ${index} at level ${level} to be complete`);
    return found;
  }

  /** The root of the first `size` leaves. */
  root(size: number = this.size): Uint8Array {
    return rootAt(this, size);
  }
}

/** Root of the first `size` leaves of a tree. */
export function rootAt(tree: NodeSource, size: number): Uint8Array {
  return size === 0 ? EMPTY_ROOT : rangeRoot(tree, 0, size);
}

/** Audit path of leaf `index` in the tree of the first `size` leaves, sibling first. */
export function inclusionProof(tree: NodeSource, index: number, size: number): Uint8Array[] {
  assertThat(index >= 0 && index < size, "bad-proof", `expected an index below ${size}, got ${index}`);
  const path: Uint8Array[] = [];
  let start = 0;
  let end = size;
  while (end - start > 1) {
    const split = start + largestPowerBelow(end - start);
    if (index < split) {
      path.push(rangeRoot(tree, split, end));
      end = split;
    } else {
      path.push(rangeRoot(tree, start, split));
      start = split;
    }
  }
  return path.reverse();
}

/** Proof that the tree of the first `m` leaves is a prefix of the tree of the first `n`. Empty for m = 0 and m = n. */
export function consistencyProof(tree: NodeSource, m: number, n: number): Uint8Array[] {
  assertThat(m >= 0 && m <= n, "bad-proof", `expected a size up to ${n}, got ${m}`);
  if (m === 0 || m === n) return [];
  const path: Uint8Array[] = [];
  let start = 0;
  let end = n;
  // SUBPROOF of RFC 6962 2.1.2, written as a loop: walk down to the border between old and new.
  while (m !== end) {
    const split = start + largestPowerBelow(end - start);
    if (m <= split) {
      path.push(rangeRoot(tree, split, end));
      end = split;
    } else {
      path.push(rangeRoot(tree, start, split));
      start = split;
    }
  }
  // The old root itself is left out when the old tree is one perfect subtree: the verifier knows it.
  if (start !== 0) path.push(rangeRoot(tree, start, end));
  return path.reverse();
}

function rangeRoot(tree: NodeSource, start: number, end: number): Uint8Array {
  const count = end - start;
  const level = Math.log2(count);
  // Exact: log2 of a power of two is an integer, and 2 ** that integer gives the count back only for powers of two.
  if (Number.isInteger(level) && 2 ** level === count) return tree.node(level, start / count);
  const split = start + largestPowerBelow(count);
  return nodeHash(rangeRoot(tree, start, split), rangeRoot(tree, split, end));
}

function largestPowerBelow(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

/** Throws `bad-proof` unless the leaf stands at `index` in the tree of `size` leaves with that root. */
export function verifyInclusion(
  leaf: Uint8Array,
  index: number,
  size: number,
  proof: readonly Uint8Array[],
  root: Uint8Array,
): void {
  checkSizes(index, size, proof);
  assertThat(index < size, "bad-proof", `expected an index below ${size}, got ${index}`);
  let fn = index;
  let sn = size - 1;
  let r = leaf;
  for (const p of proof) {
    assertThat(sn !== 0, "bad-proof", "expected a shorter inclusion proof");
    if (fn % 2 === 1 || fn === sn) {
      r = nodeHash(p, r);
      while (fn % 2 === 0 && fn !== 0) {
        fn /= 2;
        sn = Math.floor(sn / 2);
      }
    } else {
      r = nodeHash(r, p);
    }
    fn = Math.floor(fn / 2);
    sn = Math.floor(sn / 2);
  }
  assertThat(sn === 0, "bad-proof", "expected a longer inclusion proof");
  assertThat(
    sameBytes(r, root),
    "bad-proof",
    `expected the root of the log, got another from the proof of entry ${index}`,
  );
}

/** Throws `bad-proof` unless the tree of size m with root `oldRoot` is a prefix of the tree of size n. */
export function verifyConsistency(
  m: number,
  n: number,
  proof: readonly Uint8Array[],
  oldRoot: Uint8Array,
  newRoot: Uint8Array,
): void {
  checkSizes(m, n, proof);
  assertThat(m <= n, "bad-proof", `expected an earlier size up to ${n}, got ${m}`);
  if (m === 0 || m === n) {
    assertThat(proof.length === 0, "bad-proof", "expected an empty consistency proof");
    const expected = m === 0 ? EMPTY_ROOT : newRoot;
    assertThat(sameBytes(oldRoot, expected), "bad-proof", `expected the same root at size ${m}`);
    return;
  }
  const path = isPowerOfTwo(m) ? [oldRoot, ...proof] : proof;
  const first = path[0];
  assertThat(first !== undefined, "bad-proof", "expected a longer consistency proof");
  let fn = m - 1;
  let sn = n - 1;
  while (fn % 2 === 1) {
    fn = Math.floor(fn / 2);
    sn = Math.floor(sn / 2);
  }
  let fr = first;
  let sr = first;
  for (const c of path.slice(1)) {
    assertThat(sn !== 0, "bad-proof", "expected a shorter consistency proof");
    if (fn % 2 === 1 || fn === sn) {
      fr = nodeHash(c, fr);
      sr = nodeHash(c, sr);
      while (fn % 2 === 0 && fn !== 0) {
        fn /= 2;
        sn = Math.floor(sn / 2);
      }
    } else {
      sr = nodeHash(sr, c);
    }
    fn = Math.floor(fn / 2);
    sn = Math.floor(sn / 2);
  }
  assertThat(sn === 0, "bad-proof", "expected a longer consistency proof");
  assertThat(sameBytes(fr, oldRoot), "bad-proof", `expected the earlier root at size ${m}, got another from the proof`);
  assertThat(sameBytes(sr, newRoot), "bad-proof", `expected the later root at size ${n}, got another from the proof`);
}

function checkSizes(a: number, b: number, proof: readonly Uint8Array[]): void {
  assertThat(Number.isSafeInteger(a) && a >= 0, "bad-proof", `expected a whole number, got ${a}`);
  assertThat(Number.isSafeInteger(b) && b >= 0, "bad-proof", `expected a whole number, got ${b}`);
  assertThat(proof.length <= LIMITS.proofHashesMax, "bad-proof", `expected at most ${LIMITS.proofHashesMax} hashes`);
  for (const p of proof) assertThat(p.length === HASH_BYTES, "bad-proof", `expected 32-byte hashes, got ${p.length}`);
}

function isPowerOfTwo(n: number): boolean {
  let m = n;
  while (m % 2 === 0) m /= 2;
  return m === 1;
}
