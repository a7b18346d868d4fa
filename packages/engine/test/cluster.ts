/** Database servers for tests: each of its own, and none waits for what all of them would do alike. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { type EmbeddedDatabase, startEmbedded } from "../src/database/embedded.ts";
import { nativeFolder } from "../src/database/embedded-native.ts";

const run = promisify(execFile);
const root = path.join(import.meta.dirname, "../../..");

/** Where a server of a test has what is its own. */
export const placesIn = (folder: string) => ({
  stateFolder: path.join(folder, "server"),
  sharedFolder: path.join(folder, "shared"),
});

/**
 * Starts a server in `folder`, or adopts the one that runs there. A fresh one begins as a copy of a cluster that initdb has
 * made once for this checkout, the key of its passwords included. It leaves it to the operating system when to write to
 * the disk unless `flush` says otherwise, as for a benchmark.
 */
export async function startTestServer(folder: string, options: { flush?: boolean } = {}): Promise<EmbeddedDatabase> {
  const places = placesIn(folder);
  if (!existsSync(places.stateFolder)) await run("cp", ["-Rp", `${await cluster()}/.`, folder]);
  return startEmbedded({ ...places, flush: options.flush ?? false });
}

let made: Promise<string> | undefined;

/** The folder of the cluster that all others are copies of. */
function cluster(): Promise<string> {
  made ??= makeCluster();
  return made;
}

async function makeCluster(): Promise<string> {
  const { version } = JSON.parse(await readFile(path.join(nativeFolder(), "../package.json"), "utf8")) as {
    version: string;
  };
  const kept = path.join(root, "node_modules/.countersign", `cluster-${version}-${process.getuid?.()}`);
  if (existsSync(kept)) return kept;
  const scratch = await mkdtemp(path.join(tmpdir(), "cs-cluster-"));
  const copy = `${kept}.${path.basename(scratch)}`;
  try {
    await chmod(scratch, 0o711);
    const server = await startEmbedded({ ...placesIn(scratch), flush: false });
    await server.stop();
    await mkdir(path.dirname(kept), { recursive: true });
    await run("cp", ["-Rp", scratch, copy]);
    // Another process may have been faster; its cluster is as good as ours.
    await rename(copy, kept).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
    return kept;
  } finally {
    for (const folder of [scratch, copy]) await rm(folder, { recursive: true, force: true });
  }
}
