import { isMap, isScalar, isSeq, type Node } from "yaml";

/** The node at a path of a document, or the nearest one above it that exists. */
export function nodeAt(contents: unknown, path: readonly PropertyKey[]): Node | null {
  let node = contents as Node | null;
  for (const part of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && item.key.value === part);
      if (pair === undefined) return node;
      node = ((pair.value as Node | null) ?? (pair.key as Node)) as Node;
    } else if (isSeq(node) && typeof part === "number") {
      const next = node.items[part] as Node | undefined;
      if (next === undefined) return node;
      node = next;
    } else return node;
  }
  return node;
}

/** The plain value at a path; undefined when there is none. */
export function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let current = value;
  for (const part of path) {
    if (typeof current !== "object" || current === null || !Object.hasOwn(current, part)) return undefined;
    current = (current as Record<PropertyKey, unknown>)[part];
  }
  return current;
}

/** The key itself inside a mapping, or the mapping when it has none of that name. */
export function keyAt(node: Node | null, key: string): Node | null {
  if (!isMap(node)) return node;
  const found = node.items.find((item) => isScalar(item.key) && item.key.value === key);
  return found === undefined ? node : (found.key as Node);
}
