import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** What a finished program left behind. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const lockfile = JSON.stringify({ packages: { "node_modules/a": { version: "1.0.0", integrity: "sha512-a" } } });

/** A temporary checkout with our real tools and the given files. `installed`: as if set-up had been here before. */
export function checkout(files: Readonly<Record<string, string>>, options: { installed: boolean }): string {
  const folder = mkdtempSync(join(tmpdir(), "checkout-"));
  cpSync(import.meta.dirname, join(folder, "tools"), { recursive: true, filter: (file) => !file.endsWith(".ts") });
  write(folder, "package-lock.json", lockfile);
  if (options.installed) {
    const stamp = createHash("sha256").update(lockfile).update(`\n${process.platform}-${process.arch}`).digest("hex");
    write(folder, "node_modules/.countersign/install", stamp);
  }
  for (const [file, text] of Object.entries(files)) write(folder, file, text);
  return folder;
}

/** Starts a program there, this Node by default, in a bare environment: nothing of the outer test run leaks in. */
export function start(
  folder: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  program: string = process.execPath,
): ChildProcess {
  const bare = { PATH: process.env["PATH"] ?? "", HOME: folder, ...env };
  return spawn(program, args, { cwd: folder, env: bare, stdio: ["ignore", "pipe", "pipe"] });
}

/** Waits for its end. */
export async function ended(child: ChildProcess): Promise<Ended> {
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { code, stdout, stderr };
}

function write(folder: string, file: string, text: string): void {
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  writeFileSync(join(folder, file), text);
}
