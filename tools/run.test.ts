import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { checkout, ended, start } from "./tree.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function tree(files: Readonly<Record<string, string>>, options = { installed: true }): string {
  const folder = checkout(files, options);
  folders.push(folder);
  return folder;
}

const crash = "tests/crash/main.ts";

/** Stands in for npm: notes that it was called and claims to have installed `a` at the given version. */
function npm(version: string): string {
  const installed = { packages: { "node_modules/a": { version, integrity: "sha512-a" } } };
  return `
    const fs = require("node:fs");
    fs.appendFileSync("calls", process.argv.slice(2).join(" ") + "\\n");
    fs.mkdirSync("node_modules", { recursive: true });
    fs.writeFileSync("node_modules/.package-lock.json", ${JSON.stringify(JSON.stringify(installed))});
    console.log("npm is talkative");`;
}

describe("a verb", () => {
  test("that does not exist is refused with the list of those that do", async () => {
    const { code, stdout, stderr } = await ended(start(tree({}), ["tools/run.mjs", "constructor"]));
    expect(stderr).toMatch(/expected one of start, dev, test, check, .*bench.*, got constructor/);
    expect([code, stdout]).toEqual([1, ""]);
  });

  test("whose program is missing says which file, and sets nothing up", async () => {
    const folder = tree({}, { installed: false });
    const { code, stderr } = await ended(start(folder, ["tools/run.mjs", "crash"]));
    expect(stderr).toMatch(/tests\/crash\/main\.ts, which this checkout does not have/);
    expect([code, existsSync(join(folder, "node_modules"))]).toEqual([1, false]);
  });

  test("gets its arguments, keeps stdout to itself, and its exit code is the command's", async () => {
    const folder = tree({ [crash]: "console.log(JSON.stringify(process.argv.slice(2))); process.exitCode = 3;" });
    const { code, stdout } = await ended(start(folder, ["tools/run.mjs", "crash", "--json", "a b"]));
    expect([code, stdout]).toEqual([3, '["--json","a b"]\n']);
  });

  test("is told of SIGTERM and may end in its own way", async () => {
    const folder = tree({
      [crash]: 'process.on("SIGTERM", () => process.exit(7)); setInterval(() => {}, 1000); console.log("ready");',
    });
    const child = start(folder, ["tools/run.mjs", "crash"]);
    if (child.stdout) await once(child.stdout, "data");
    child.kill("SIGTERM");
    expect((await ended(child)).code).toBe(7);
  });
});

describe("through npm", () => {
  const ready = 'setInterval(() => {}, 1000); console.log("ready", process.pid);';
  const { scripts } = JSON.parse(readFileSync(join(import.meta.dirname, "../package.json"), "utf8"));

  async function started(program: string): Promise<{ npm: ChildProcess; pid: number }> {
    const folder = tree({ [crash]: program, "package.json": JSON.stringify({ scripts }) });
    const npm = start(folder, ["run", "crash"], {}, "npm");
    for await (const text of npm.stdout ?? []) {
      const pid = /ready (\d+)/.exec(String(text))?.[1];
      if (pid !== undefined) return { npm, pid: Number(pid) };
    }
    throw new Error("it ended before it was ready");
  }

  test("stdout is the command's alone", async () => {
    const npmrc = readFileSync(join(import.meta.dirname, "../.npmrc"), "utf8");
    const files = { [crash]: 'console.log("{}");', "package.json": JSON.stringify({ scripts }), ".npmrc": npmrc };
    const { code, stdout } = await ended(start(tree(files), ["run", "crash", "--", "--json"], {}, "npm"));
    expect([code, stdout]).toEqual([0, "{}\n"]);
  });

  test("a signal that npm alone gets reaches the command, whose exit code npm answers with", async () => {
    const { npm } = await started(`process.on("SIGINT", () => process.exit(7)); ${ready}`);
    npm.kill("SIGINT");
    expect((await ended(npm)).code).toBe(7);
  });

  test("npm killed outright takes the command with it", async () => {
    const { npm, pid } = await started(ready);
    npm.kill("SIGKILL");
    await vi.waitUntil(() => !alive(pid), { timeout: 10_000 });
  });
});

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe("set-up", () => {
  test("installs once, silent on stdout, also when two start at the same time", async () => {
    const folder = tree({ [crash]: "console.log(1);", "npm-cli.js": npm("1.0.0") }, { installed: false });
    const env = { npm_execpath: join(folder, "npm-cli.js") };
    const both = [0, 1].map(() => ended(start(folder, ["tools/run.mjs", "crash"], env)));
    for (const { code, stdout } of await Promise.all(both)) expect([code, stdout]).toEqual([0, "1\n"]);
    expect(readFileSync(join(folder, "calls"), "utf8")).toMatch(/^install --no-save --ignore-scripts [^\n]*\n$/);
  });

  test("takes over from a set-up that was killed", async () => {
    const dead = start(tree({}), ["-e", ""]);
    await ended(dead);
    const folder = tree(
      { [crash]: "", "npm-cli.js": npm("1.0.0"), ".state/set-up.lock": String(dead.pid) },
      { installed: false },
    );
    const { code } = await ended(
      start(folder, ["tools/run.mjs", "crash"], { npm_execpath: join(folder, "npm-cli.js") }),
    );
    expect(code).toBe(0);
  });

  test("refuses a package that is not the one locked, and does not believe it next time", async () => {
    const folder = tree({ [crash]: "console.log(1);", "npm-cli.js": npm("1.0.1") }, { installed: false });
    const env = { npm_execpath: join(folder, "npm-cli.js") };
    for (const _ of [1, 2]) {
      const { code, stdout, stderr } = await ended(start(folder, ["tools/run.mjs", "crash"], env));
      expect(stderr).toMatch(/expected version 1\.0\.0 at node_modules\/a, got 1\.0\.1/);
      expect([code, stdout]).toEqual([1, ""]);
    }
  });

  test("that fails shows what npm said and starts nothing", async () => {
    const files = { [crash]: "console.log(1);", "npm-cli.js": 'console.error("no network"); process.exit(9);' };
    const folder = tree(files, { installed: false });
    const env = { npm_execpath: join(folder, "npm-cli.js") };
    const { code, stdout, stderr } = await ended(start(folder, ["tools/run.mjs", "crash"], env));
    expect(stderr).toMatch(/`npm install` failed, so nothing was started\.\nno network/);
    expect([code, stdout]).toEqual([1, ""]);
  });
});
