import { readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * @typedef {{ version?: string, integrity?: string, optional?: boolean, link?: boolean }} Entry
 * What a lockfile says about one installed package.
 */

/**
 * Compares what npm installed with what package-lock.json names. Packages that only another platform needs may be
 * absent, and one that only this platform needs may be new, since its dependent pins its exact version.
 * @param {string} root
 * @returns {string[]} a sentence for each package that is not the one locked; empty if all are
 */
export function strangers(root) {
  const locked = entries(join(root, "package-lock.json"));
  const installed = entries(join(root, "node_modules", ".package-lock.json"));
  return Object.entries(installed).flatMap(([path, got]) => {
    const want = locked[path];
    if (got.link || (!want && got.optional)) return [];
    if (!want) return [`expected nothing at ${path}, got version ${got.version}`];
    if (want.version !== got.version) return [`expected version ${want.version} at ${path}, got ${got.version}`];
    return want.integrity === got.integrity ? [] : [`expected ${want.integrity} at ${path}, got ${got.integrity}`];
  });
}

/** @param {string} file @returns {Record<string, Entry>} */
function entries(file) {
  return JSON.parse(readFileSync(file, "utf8")).packages;
}
