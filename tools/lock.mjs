import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** How often a waiting process looks whether the lock is free, in milliseconds. */
const lookEveryMs = 200;

/**
 * Runs `work` while holding a lock file, so that two first starts do not install into one folder at once.
 * A lock whose holder is dead is taken over.
 * @param {string} file
 * @param {() => unknown} work
 * @param {(line: string) => void} say told once when there is something to wait for
 */
export async function withLock(file, work, say) {
  mkdirSync(dirname(file), { recursive: true });
  for (let told = false; !take(file); told = true) {
    if (!told) say(`another set-up is at work (process ${holder(file)}); waiting for it`);
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
  }
  try {
    await work();
  } finally {
    rmSync(file, { force: true });
  }
}

function take(/** @type {string} */ file) {
  try {
    writeFileSync(file, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== "EEXIST") throw error;
    if (!alive(holder(file))) rmSync(file, { force: true });
    return false;
  }
}

function holder(/** @type {string} */ file) {
  try {
    return Number(readFileSync(file, "utf8"));
  } catch {
    return 0;
  }
}

function alive(/** @type {number} */ pid) {
  // 0: the file is just being written or was just removed; look again.
  if (pid === 0) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === "EPERM";
  }
}
