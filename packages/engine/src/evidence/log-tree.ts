import { MerkleTree } from "@countersign/evidence";
import type { Store } from "../store/index.ts";

type Leaves = Pick<Store, "leafHashes">;

const pageRows = 10_000;
/** A longer log is read anew each time: its tree would take more than some 10 MB. */
const keptLeavesMax = 100_000;

/** What was read of a log before: it only grows, so next time what came since is enough. */
const trees = new WeakMap<Leaves, MerkleTree>();

/**
 * The tree of the log's first `size` entries, or of more, whose root at that size is `root` (32 bytes). What was kept of
 * another log (an older database was restored) has another root there and is read anew.
 */
export async function treeOf(store: Leaves, { size, root }: { size: number; root: Uint8Array }): Promise<MerkleTree> {
  const kept = trees.get(store);
  if (kept !== undefined) {
    await readOn(store, kept, size);
    if (kept.size >= size && Buffer.compare(kept.root(size), root) === 0) return kept;
    trees.delete(store);
  }
  const tree = new MerkleTree();
  await readOn(store, tree, size);
  if (tree.size <= keptLeavesMax) trees.set(store, tree);
  return tree;
}

async function readOn(store: Leaves, tree: MerkleTree, size: number): Promise<void> {
  while (tree.size < size) {
    const from = tree.size;
    const page = await store.leafHashes(from, Math.min(pageRows, size - from));
    if (page.length === 0) return;
    // Two bundles may be made at the same time: what the other has read meanwhile is there.
    for (const leaf of page.slice(tree.size - from)) tree.append(leaf);
  }
}
