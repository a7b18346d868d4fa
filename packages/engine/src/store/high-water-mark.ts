import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import path from "node:path";
import { CountersignError } from "@countersign/core";
import { fromBase64, toBase64 } from "@countersign/evidence";
import { z } from "zod";

/**
 * How far this host has seen the log, kept outside the database: a restored database that is behind it, or went another
 * way since, is noticed.
 */
export interface HighWaterMark {
  readonly size: number;
  /** Root of the first `size` entries. */
  readonly root: Uint8Array;
  /** Leaf hash of the last of them; entries are salted, so another history has another one. */
  readonly leaf: Uint8Array;
  readonly frontier: Uint8Array;
}

const bytes = z.base64().transform((text) => fromBase64(text, "a hash"));
const Mark = z.strictObject({ v: z.literal(1), size: z.int().positive(), root: bytes, leaf: bytes, frontier: bytes });

function fileOf(stateFolder: string): string {
  return path.join(stateFolder, "log.high-water");
}

/** null when this host has not seen the log yet. Errors: LOG_INVALID when the file cannot be read. */
export async function readHighWaterMark(stateFolder: string): Promise<HighWaterMark | null> {
  let text: string;
  try {
    text = await readFile(fileOf(stateFolder), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw new CountersignError(
      "LOG_INVALID",
      `expected to read ${fileOf(stateFolder)}, got ${(error as NodeJS.ErrnoException).code}`,
    );
  }
  try {
    return Mark.parse(JSON.parse(text));
  } catch {
    throw new CountersignError(
      "LOG_INVALID",
      `expected a high-water mark in ${fileOf(stateFolder)}, got something else`,
    );
  }
}

/** Replaces the mark; never lowers it. */
export async function writeHighWaterMark(stateFolder: string, mark: HighWaterMark): Promise<void> {
  const before = await readHighWaterMark(stateFolder);
  if (before === null || before.size < mark.size) await put(stateFolder, mark);
}

/** Replaces the mark whatever it was: only for a restored log, once a person has accepted what it lacks. */
export const lowerHighWaterMark = put;

/** Replaces the mark as one step; on disk before it returns. */
async function put(stateFolder: string, mark: HighWaterMark): Promise<void> {
  await mkdir(stateFolder, { recursive: true, mode: 0o700 });
  const fresh = `${fileOf(stateFolder)}.${randomBytes(4).toString("hex")}`;
  const text = JSON.stringify({
    v: 1,
    size: mark.size,
    root: toBase64(mark.root),
    leaf: toBase64(mark.leaf),
    frontier: toBase64(mark.frontier),
  });
  try {
    const file = await open(fresh, "wx", 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(fresh, fileOf(stateFolder));
    const folder = await open(stateFolder);
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } finally {
    await rm(fresh, { force: true });
  }
}
