import type { Facts } from "@countersign/core";
import { confine } from "./confine.ts";
import type { FilesConnection } from "./schema.ts";

/**
 * What identifies a file: its place, and nothing else. A file system has no identity that outlives an atomic replacement
 * (each one makes a new inode), so the capability is `name-only` and says so (I11).
 */
export async function fileIdentity(connection: FilesConnection, path: string): Promise<Facts> {
  await confine(connection, path);
  return { connection: connection.name, path };
}
