import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  consistencyProof,
  EvidenceError,
  Frontier,
  inclusionProof,
  leafHash,
  MerkleTree,
  type NodeSource,
  nodeHash,
  rootAt,
  sha256,
  verifyConsistency,
  verifyInclusion,
} from "../src/index.ts";

const leavesOf = (n: number) => Array.from({ length: n }, (_, i) => leafHash(Buffer.from(`entry ${i}`)));

/** MTH of RFC 6962 as its definition reads. */
function rootByDefinition(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return sha256(Buffer.alloc(0));
  if (leaves.length === 1) return leaves[0] as Uint8Array;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return nodeHash(rootByDefinition(leaves.slice(0, k)), rootByDefinition(leaves.slice(k)));
}

describe("Merkle proofs", () => {
  test("tree and frontier give the root of the definition at every size", () => {
    const leaves = leavesOf(70);
    const tree = new MerkleTree(leaves);
    const frontier = new Frontier();
    for (let n = 0; n <= 70; n++) {
      const expected = rootByDefinition(leaves.slice(0, n));
      expect(tree.root(n)).toEqual(expected);
      expect(frontier.root()).toEqual(expected);
      expect(new Frontier(n, frontier.toBytes()).root()).toEqual(expected);
      if (n < 70) frontier.append(leaves[n] as Uint8Array);
    }
  });

  test("an inclusion proof holds for its leaf at its index and for no other", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 300 }), fc.nat(), fc.nat(), (size, a, b) => {
        const leaves = leavesOf(size);
        const tree = new MerkleTree(leaves);
        const index = a % size;
        const other = (index + 1 + (b % (size - 1))) % size;
        const root = tree.root();
        const proof = inclusionProof(tree, index, size);
        const leaf = leaves[index] as Uint8Array;
        verifyInclusion(leaf, index, size, proof, root);
        expect(() => verifyInclusion(leaf, other, size, proof, root)).toThrow(EvidenceError);
        expect(() => verifyInclusion(leaves[other] as Uint8Array, index, size, proof, root)).toThrow(EvidenceError);
        expect(() => verifyInclusion(leaf, index, size, proof.slice(1), root)).toThrow(EvidenceError);
        expect(() => verifyInclusion(leaf, index, size, [...proof, root], root)).toThrow(EvidenceError);
        expect(() => verifyInclusion(leaf, size, size, proof, root)).toThrow(EvidenceError);
      }),
    );
  });

  test("a consistency proof holds for its two sizes and for no forked history", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 300 }), fc.nat(), fc.nat(), (n, a, b) => {
        const m = 1 + (a % (n - 1));
        const leaves = leavesOf(n);
        const tree = new MerkleTree(leaves);
        const proof = consistencyProof(tree, m, n);
        verifyConsistency(m, n, proof, tree.root(m), tree.root(n));
        const forked = leaves.with(b % m, leafHash(Buffer.from("other")));
        const fork = new MerkleTree(forked);
        expect(() => verifyConsistency(m, n, proof, tree.root(m), fork.root(n))).toThrow(EvidenceError);
        const forkProof = consistencyProof(fork, m, n);
        expect(() => verifyConsistency(m, n, forkProof, tree.root(m), fork.root(n))).toThrow(EvidenceError);
        expect(() => verifyConsistency(m, n, proof.slice(1), tree.root(m), tree.root(n))).toThrow(EvidenceError);
      }),
    );
  });

  test("size 0 is consistent with everything only under the empty root", () => {
    const tree = new MerkleTree(leavesOf(3));
    verifyConsistency(0, 3, [], tree.root(0), tree.root(3));
    expect(() => verifyConsistency(0, 3, [], tree.root(1), tree.root(3))).toThrow(EvidenceError);
    expect(() => verifyConsistency(0, 3, [tree.root(1)], tree.root(0), tree.root(3))).toThrow(EvidenceError);
    expect(() => verifyConsistency(3, 2, [], tree.root(3), tree.root(2))).toThrow(EvidenceError);
  });

  test("proofs hold in trees far above 2^32 leaves", () => {
    // Every leaf is the same, so every perfect subtree of a level has the same root: a tree of any size, for free.
    const levels = [leafHash(Buffer.from("x"))];
    for (let l = 1; l < 53; l++) levels.push(nodeHash(levels[l - 1] as Uint8Array, levels[l - 1] as Uint8Array));
    const huge: NodeSource = { node: (level) => levels[level] as Uint8Array };
    const n = 2 ** 50 + 12_345_678_901;
    for (const m of [2 ** 31, 2 ** 32 + 1, 2 ** 40 + 3, 2 ** 50, n - 1]) {
      verifyInclusion(levels[0] as Uint8Array, m - 1, n, inclusionProof(huge, m - 1, n), rootAt(huge, n));
      verifyConsistency(m, n, consistencyProof(huge, m, n), rootAt(huge, m), rootAt(huge, n));
    }
    const wide = new Frontier(2 ** 40 + 1, Buffer.concat([levels[40] as Uint8Array, levels[0] as Uint8Array]));
    wide.append(levels[0] as Uint8Array);
    expect(wide.root()).toEqual(rootAt(huge, 2 ** 40 + 2));
  });

  test("a frontier of the wrong length is refused", () => {
    expect(() => new Frontier(3, Buffer.alloc(32))).toThrow(EvidenceError);
    expect(() => new Frontier(-1)).toThrow(EvidenceError);
  });
});
