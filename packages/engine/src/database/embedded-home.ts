import { createHash, randomBytes } from "node:crypto";
import { chmod, chown, lstat, mkdir, readFile, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { CountersignError } from "@countersign/core";
import { createOnce } from "./create-once.ts";

/** The user the server runs as when we are root. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Longest unix socket path is 107 bytes (unix(7)); the name `.s.PGSQL.5432` and its lock take 20. */
const socketFolderBytesMax = 87;

/** As root: `postgres` if the host has it, else `nobody` (PostgreSQL refuses root). null as an ordinary user. */
export async function databaseUser(): Promise<Owner | null> {
  if (process.getuid === undefined) {
    throw new CountersignError(
      "DATABASE_UNAVAILABLE",
      "expected Linux or macOS for the embedded database; set database.url",
    );
  }
  if (process.getuid() !== 0) return null;
  const lines = (await readFile("/etc/passwd", "utf8")).split("\n").map((line) => line.split(":"));
  const entry = ["postgres", "nobody"].map((name) => lines.find((fields) => fields[0] === name)).find(Boolean);
  if (entry === undefined) {
    throw new CountersignError("DATABASE_UNAVAILABLE", "expected a host user postgres or nobody, got neither");
  }
  return { uid: Number(entry[2]), gid: Number(entry[3]) };
}

/**
 * The folder for data, log and socket: inside the state folder if the server's user can reach it. As root it mostly
 * cannot (mode 0700); then a folder below `shared`, whose random name the state folder remembers. A fresh state
 * folder so never meets the data of an older one.
 */
export async function chooseHome(state: string, owner: Owner | null, shared: string): Promise<string> {
  let home = path.join(path.resolve(state), "database");
  if (owner !== null && !(await canReach(path.resolve(state), owner))) {
    const note = path.join(state, "database.home");
    await createOnce(note, randomBytes(6).toString("hex"));
    const id = (await readFile(note, "utf8")).trim();
    if (!/^[0-9a-f]{12}$/.test(id)) {
      throw new CountersignError("CONFIG_INVALID", `expected 12 hex digits in ${note}, got something else`);
    }
    await mkdir(shared, { recursive: true, mode: 0o755 });
    if (!(await canReach(shared, owner))) {
      throw new CountersignError(
        "DATABASE_UNAVAILABLE",
        `expected ${shared} to be reachable by uid ${owner.uid}, it is not`,
      );
    }
    home = path.join(shared, id);
  }
  await ownFolder(home, owner);
  return home;
}

/** A folder of mode 0700 that belongs to the server's user, with a path short enough for a unix socket. */
export async function socketFolder(home: string, owner: Owner | null): Promise<string> {
  let folder = path.join(home, "socket");
  if (Buffer.byteLength(folder) > socketFolderBytesMax) {
    const name = createHash("sha256").update(home).digest("hex").slice(0, 16);
    folder = path.join(tmpdir(), `countersign-${name}`);
  }
  await ownFolder(folder, owner);
  return folder;
}

/** Makes a private folder, or makes sure that an existing one is ours: in a shared place somebody may have been faster. */
async function ownFolder(folder: string, owner: Owner | null): Promise<void> {
  const made = await mkdir(folder, { mode: 0o700 }).then(() => true, ignoreExists);
  if (made === true && owner !== null) await chown(folder, owner.uid, owner.gid);
  const found = await lstat(folder);
  const uid = owner?.uid ?? process.getuid?.();
  if (!found.isDirectory() || found.uid !== uid) {
    throw new CountersignError("DATABASE_UNAVAILABLE", `expected ${folder} to be a folder of uid ${uid}, it is not`);
  }
  if ((found.mode & 0o777) !== 0o700) await chmod(folder, 0o700);
}

/** Whether a user may pass through every folder on the way to `target` and into it. */
export async function canReach(target: string, owner: Owner): Promise<boolean> {
  for (let at = target; ; at = path.dirname(at)) {
    const found = await stat(at).catch(() => null);
    if (found === null) return false;
    const bits = found.uid === owner.uid ? 0o100 : found.gid === owner.gid ? 0o010 : 0o001;
    if ((found.mode & bits) === 0) return false;
    if (at === path.dirname(at)) return true;
  }
}

function ignoreExists(error: NodeJS.ErrnoException): void {
  if (error.code !== "EEXIST") throw error;
}
