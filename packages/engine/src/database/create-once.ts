import { randomBytes } from "node:crypto";
import { link, open, rm } from "node:fs/promises";

/**
 * Writes a private file (0600) unless it exists. It appears with its whole content or not at all, so that of several
 * processes that start at once, one writes and all read the same.
 */
export async function createOnce(file: string, text: string): Promise<void> {
  const fresh = `${file}.${randomBytes(4).toString("hex")}`;
  const handle = await open(fresh, "wx", 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
    await link(fresh, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    await handle.close();
    await rm(fresh);
  }
}
