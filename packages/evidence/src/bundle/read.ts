import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { assertThat, EvidenceError, show } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { type BundleFiles, bytesMaxOf, checkName } from "./layout.ts";
import { readZip } from "./zip.ts";

const FOLDERS = ["entries", "context", "approvals", "attachments", "log", "anchors", "range"];

/**
 * Reads a bundle from a folder or from a stored zip. Throws an {@link EvidenceError} for links, special files, names no
 * bundle has, and anything above the limits; nothing is unpacked to disk. `unreadable`: the system does not give it out.
 */
export function readBundle(path: string): BundleFiles {
  try {
    return lstatSync(path).isDirectory() ? readFolder(path) : readZip(readFile(path, Number.MAX_SAFE_INTEGER));
  } catch (error) {
    if (error instanceof EvidenceError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    throw new EvidenceError(
      "unreadable",
      `expected a readable bundle at ${show(path)}, got ${show(code ?? "an error")}`,
    );
  }
}

function readFolder(root: string): BundleFiles {
  const files = new Map<string, Uint8Array>();
  let total = 0;
  const visit = (folder: string): void => {
    for (const item of readdirSync(join(root, folder), { withFileTypes: true })) {
      const name = folder === "" ? item.name : `${folder}/${item.name}`;
      if (item.isDirectory()) {
        assertThat(
          folder === "" && FOLDERS.includes(name),
          "bad-bundle",
          `expected no folder ${show(name)} in a bundle`,
        );
        visit(name);
        continue;
      }
      assertThat(item.isFile(), "bad-bundle", `expected ${show(name)} to be a regular file`);
      assertThat(files.size < LIMITS.bundleFilesMax, "too-large", `expected at most ${LIMITS.bundleFilesMax} files`);
      const bytes = readFile(join(root, name), bytesMaxOf(checkName(name)));
      total += bytes.length;
      assertThat(
        total <= LIMITS.bundleBytesMax,
        "too-large",
        `expected a bundle of at most ${LIMITS.bundleBytesMax} bytes`,
      );
      files.set(name, bytes);
    }
  };
  visit("");
  return files;
}

function readFile(path: string, bytesMax: number): Uint8Array {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(fd);
    const max = Math.min(bytesMax, 2 * LIMITS.bundleBytesMax);
    assertThat(stat.isFile(), "bad-bundle", `expected a regular file at ${show(path)}`);
    assertThat(stat.size <= max, "too-large", `expected ${show(path)} of at most ${max} bytes, got ${stat.size}`);
    return readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}
