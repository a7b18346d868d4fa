import { lstat, realpath } from "node:fs/promises";
import { basename, dirname, join, sep } from "node:path";
import { CountersignError } from "@countersign/core";
import { matchesAny } from "../kit/glob.ts";
import type { FilesConnection } from "./schema.ts";

/**
 * The absolute path of a file inside a connection's scope (I12). Links are resolved in the folder part and refused as the
 * file itself, so that nothing outside the root is reached. Throws SCOPE_REFUSED, or OUTSIDE_NOT_FOUND for a missing folder.
 */
export async function confine(connection: FilesConnection, path: string): Promise<string> {
  if (!matchesAny(path, connection.paths)) {
    throw new CountersignError(
      "SCOPE_REFUSED",
      `expected a path in the scope of connection ${connection.name}, got ${path}`,
    );
  }
  const root = await resolved(connection.root);
  const folder = await resolved(dirname(join(root, path)));
  if (folder !== root && !folder.startsWith(root + sep)) {
    throw new CountersignError(
      "SCOPE_REFUSED",
      `expected a path below the root of connection ${connection.name}, got a link that leads elsewhere`,
    );
  }
  const file = join(folder, basename(path));
  const seen = await lstat(file).catch(() => null);
  if (seen !== null && !seen.isFile())
    throw new CountersignError("SCOPE_REFUSED", `expected a plain file at ${path}, got something else`);
  return file;
}

async function resolved(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    throw new CountersignError("OUTSIDE_NOT_FOUND", "expected the folder of a consumer's file to exist, got none", {
      call: "file.read",
    });
  }
}
