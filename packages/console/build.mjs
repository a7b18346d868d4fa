/** Builds the console into dist/ when its sources have changed since the last build: `node packages/console/build.mjs`. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const here = import.meta.dirname;
const stampFile = join(here, "dist/sources.sha256");

function sourceDigest() {
  const hash = createHash("sha256");
  for (const folder of [join(here, "src"), join(here, "../contract/src")]) {
    for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" }).sort()) {
      if (/\.\w+$/.test(name)) hash.update(name).update(readFileSync(join(folder, name)));
    }
  }
  for (const name of ["index.html", "vite.config.ts", "package.json"]) hash.update(readFileSync(join(here, name)));
  return hash.digest("hex");
}

/** Builds unless dist/ already holds these sources; returns the folder to serve. */
export async function buildConsole() {
  const dist = join(here, "dist");
  const digest = sourceDigest();
  if (existsSync(stampFile) && readFileSync(stampFile, "utf8") === digest) return dist;
  // What people get, also when a test runner that has set another mode asks for it.
  process.env.NODE_ENV = "production";
  const { build } = await import("vite");
  await build({ root: here, configFile: join(here, "vite.config.ts"), logLevel: "error" });
  writeFileSync(stampFile, digest);
  return dist;
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  process.stderr.write(`console built into ${await buildConsole()}\n`);
