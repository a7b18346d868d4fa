import { open, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { CountersignError } from "@countersign/core";
import type { Leave } from "../kit/leave.ts";
import { limits } from "../kit/limits.ts";

/** Text of a small file; null when it does not exist. Throws LIMIT_EXCEEDED and OUTSIDE_UNAVAILABLE. */
export async function readText(file: string): Promise<string | null> {
  try {
    const { size } = await stat(file);
    if (size > limits.fileBytesMax)
      throw new CountersignError(
        "LIMIT_EXCEEDED",
        `expected a file of at most ${limits.fileBytesMax} bytes, got ${size}`,
      );
    return await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof CountersignError) throw error;
    if (errnoOf(error) === "ENOENT") return null;
    throw fileError("OUTSIDE_UNAVAILABLE", "file.read", error);
  }
}

/**
 * Replaces a file's content in one step: a neighbour is written, synced and renamed over it, so a reader sees the old or
 * the new content and never half of one. Mode and owner stay those of the old file.
 *
 * The neighbour's name is fixed per file: what a crash left behind is overwritten, not gathered.
 */
export async function replaceText(leave: Leave, file: string, text: string): Promise<void> {
  const neighbour = join(dirname(file), `.${basename(file)}.countersign-new`);
  let tried = false;
  try {
    const old = await stat(file);
    await rm(neighbour, { force: true });
    const handle = await open(neighbour, "wx", 0o600);
    try {
      await handle.writeFile(text, "utf8");
      const made = await handle.stat();
      if (made.uid !== old.uid || made.gid !== old.gid) await handle.chown(old.uid, old.gid);
      await handle.chmod(old.mode & 0o777);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await leave.effectSent?.();
    leave.signal.throwIfAborted();
    leave.assertAlive?.();
    tried = true;
    await renameTo(leave, neighbour, file);
    await syncFolder(dirname(file));
  } catch (error) {
    await rm(neighbour, { force: true }).catch(() => undefined);
    if (errnoOf(error) === null || leave.signal.aborted) throw error;
    throw fileError(tried ? "OUTSIDE_UNKNOWN" : "OUTSIDE_UNAVAILABLE", "file.replace", error);
  }
}

/** Says that it may stand unless the file system refused it: a folder that cannot be synced afterwards does not undo it. */
async function renameTo(leave: Leave, from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (!isRefusal(error)) leave.effectMayStand?.();
    throw error;
  }
  leave.effectMayStand?.();
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function fileError(code: "OUTSIDE_UNAVAILABLE" | "OUTSIDE_UNKNOWN", call: string, error: unknown): CountersignError {
  const errno = errnoOf(error);
  if (errno === "ENOENT")
    return new CountersignError("OUTSIDE_NOT_FOUND", "expected the consumer's file to exist, got none", {
      call,
      code: errno,
    });
  if (isRefusal(error))
    return new CountersignError(
      "OUTSIDE_FORBIDDEN",
      "expected to be allowed to write the consumer's file, got a refusal",
      { call, code: errno },
    );
  return new CountersignError(code, `expected ${call} to work, got ${errno ?? "an error"}`, { call, code: errno });
}

function isRefusal(error: unknown): boolean {
  return ["EACCES", "EPERM"].includes(errnoOf(error) ?? "");
}

function errnoOf(error: unknown): string | null {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" && /^[A-Z0-9_]{2,40}$/.test(code) ? code : null;
}
