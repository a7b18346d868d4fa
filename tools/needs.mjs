import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { say } from "./setup.mjs";

/** Programs that tests run and npm does not bring, with the Debian package that does. */
const needs = [
  {
    package: "chromium",
    use: "the browser tests",
    found: () =>
      Boolean(process.env.CHROMIUM) || ["chromium", "chromium-browser", "google-chrome"].some(onPath) || mac(),
  },
  { package: "python3", use: "the independent verifier", found: () => ["python3"].some(onPath) },
];

/** Installs what is missing where that is possible (Debian, root); elsewhere says plainly what to install. */
export function provideNeeds() {
  let missing = needs.filter((need) => !need.found());
  if (missing.length === 0) return;
  const packages = missing.map((need) => need.package);
  if (process.getuid?.() === 0 && onPath("apt-get")) {
    say(`installing ${packages.join(", ")} with apt-get, for the tests (once)`);
    const failure = apt(["update"]) ?? apt(["install", "--yes", "--no-install-recommends", ...packages]);
    if (failure) say(failure);
    missing = needs.filter((need) => !need.found());
  }
  for (const need of missing) say(`missing: ${need.package}, for ${need.use}; install it to have them run`);
}

/** @param {string[]} args @returns {string | undefined} what went wrong */
function apt(args) {
  const done = spawnSync("apt-get", ["--quiet", "--quiet", ...args], {
    encoding: "utf8",
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (done.status === 0) return undefined;
  return `\`apt-get ${args[0]}\` failed: ${(done.error?.message ?? done.stderr).trim()}`;
}

function onPath(/** @type {string} */ program) {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const endings = process.platform === "win32" ? [".exe", ".cmd"] : [""];
  return folders.some((folder) => endings.some((ending) => executable(join(folder, program + ending))));
}

function mac() {
  return ["Google Chrome", "Chromium"].some((name) => executable(`/Applications/${name}.app/Contents/MacOS/${name}`));
}

function executable(/** @type {string} */ file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
