/**
 * The production layout on one host: a folder for each role with its configuration, the database URL of its own login
 * and the secrets that it may hold, and one `countersign serve` for each. Everything is done as an administrator does
 * it, with the commands of docs/operating/install.md.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { endProcess, root } from "../crash/stage/process.ts";
import { type StageProduct, stageOrigin } from "./stage.ts";

export const roleNames = ["executor", "notifier", "scanner", "api"] as const;
export type RoleName = (typeof roleNames)[number];

/** Custody as the design has it, written down once more so that the product's own table is checked against it. */
export const custody: Readonly<Record<RoleName, readonly string[]>> = {
  api: ["person.secret"],
  scanner: ["reader.secret"],
  executor: ["reader.secret", "writer.secret", "vault.secret"],
  notifier: ["hook.secret"],
};
const keys: Readonly<Record<RoleName, readonly string[]>> = {
  api: ["session.key"],
  scanner: [],
  executor: ["log.key", "run.key"],
  notifier: [],
};

const main = join(root, "packages/cli/src/main.ts");
const run = promisify(execFile);

/** One command on the host of a role. Never fails: the exit code is part of the answer. */
export async function command(
  folder: string,
  ...args: string[]
): Promise<{ exit: number; out: string; errors: string }> {
  const options = { cwd: folder, env: { PATH: process.env.PATH ?? "" } };
  try {
    const { stdout, stderr } = await run(process.execPath, [main, ...args], options);
    return { exit: 0, out: stdout, errors: stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { exit: code, out: stdout, errors: stderr };
  }
}

/** The processes of the roles. */
export class RoleProcesses implements StageProduct {
  readonly #running = new Map<RoleName, ChildProcess>();
  /** What each role has logged, over all its processes. */
  readonly said = new Map<RoleName, string[]>(roleNames.map((role) => [role, []]));
  /** Secrets of channels that a test has beside the webhook. */
  readonly #channels: readonly string[];
  #folder = "";
  #say: (line: string) => void = () => {};

  constructor(channels: readonly string[] = []) {
    this.#channels = channels.map((name) => `${name}.secret`);
  }

  folderOf(role: RoleName): string {
    return join(this.#folder, role);
  }

  pidOf(role: RoleName): number {
    const pid = this.#running.get(role)?.pid;
    if (pid === undefined) throw new Error(`expected a process of ${role}`);
    return pid;
  }

  /** References that the role's processes have resolved. */
  resolvedBy(role: RoleName): string[] {
    const found = this.#events(role).flatMap(({ event, reference }) => (event === "secret.read" ? [reference] : []));
    return [...new Set(found as string[])].sort();
  }

  #events(role: RoleName): Record<string, unknown>[] {
    return (this.said.get(role) ?? []).filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  }

  async install(folder: string): Promise<void> {
    this.#folder = folder;
    const config = readFileSync(join(folder, "countersign.yaml"), "utf8").replace("root: ./files", "root: ../files");
    for (const role of roleNames) {
      mkdirSync(join(folder, role, "state"), { recursive: true, mode: 0o700 });
      writeFileSync(join(folder, role, "countersign.yaml"), config);
      for (const name of ["inventory.yaml", "policy.yaml"]) copyFileSync(join(folder, name), join(folder, role, name));
      for (const name of [...custody[role], ...(role === "notifier" ? this.#channels : [])])
        copyFileSync(join(folder, name), join(folder, role, name));
    }
    const executor = join(folder, "executor");
    await succeed(executor, "database", "prepare", "--admin-url", "file:../database.secret", "--out", "logins");
    for (const role of roleNames)
      renameSync(join(executor, "logins", `${role}.database`), join(folder, role, "database.secret"));
    for (const name of readdirSync(folder)) if (name.endsWith(".secret")) rmSync(join(folder, name));
    await succeed(executor, "init", "--origin", stageOrigin);
    renameSync(join(executor, "state/session.key"), join(folder, "api/state/session.key"));
    mkdirSync(join(folder, "state"));
    for (const other of ["api", "scanner", "notifier", "."])
      copyFileSync(join(executor, "state/trust.json"), join(folder, other, "state/trust.json"));
    for (const role of roleNames)
      for (const name of new Set(Object.values(keys).flat()))
        if (existsSync(join(folder, role, "state", name)) !== keys[role].includes(name))
          throw new Error(`expected ${name} where it belongs, got it otherwise at the ${role}`);
  }

  async start(_folder: string, say: (line: string) => void): Promise<readonly { stop(): Promise<void> }[]> {
    this.#say = say;
    for (const role of roleNames) await this.startOne(role);
    return roleNames.map((role) => ({ stop: () => this.stop(role) }));
  }

  /** Starts the process of a role as a service manager does; resolves when it says that it has started. */
  startOne(role: RoleName): Promise<void> {
    const child = spawn(process.execPath, [main, "serve", "--role", role], {
      cwd: this.folderOf(role),
      env: { PATH: process.env.PATH ?? "" },
      stdio: ["ignore", "inherit", "pipe"],
    });
    this.#running.set(role, child);
    return new Promise((resolve, reject) => {
      const lines = this.said.get(role) ?? [];
      createInterface({ input: child.stderr }).on("line", (line) => {
        lines.push(line);
        this.#say(line);
        if (line.includes('"event":"started"')) resolve();
      });
      child.once("exit", (code, signal) =>
        reject(
          new Error(`expected the ${role} to run, it ended with ${code ?? signal}: ${lines.slice(-5).join("\n")}`),
        ),
      );
    });
  }

  /** SIGKILL, and nobody starts it again until `startOne`. */
  kill(role: RoleName): Promise<void> {
    return this.#end(role, "SIGKILL");
  }

  /** SIGTERM, as a service manager does. */
  stop(role: RoleName): Promise<void> {
    return this.#end(role, "SIGTERM");
  }

  async #end(role: RoleName, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const child = this.#running.get(role);
    this.#running.delete(role);
    if (child !== undefined) await endProcess(child, signal);
  }
}

async function succeed(folder: string, ...args: string[]): Promise<void> {
  const { exit, out, errors } = await command(folder, ...args);
  if (exit !== 0) throw new Error(`expected ${args.join(" ")} to work, got ${exit}: ${out}${errors}`);
}

/** TCP ports that a process listens on (Linux). */
export function listeningPorts(pid: number): number[] {
  const inodes = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
      } catch {
        return [];
      }
    }),
  );
  return ["tcp", "tcp6"].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, "utf8")
      .trim()
      .split("\n")
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[3] === "0A" && inodes.has(fields[9] ?? ""))
      .map((fields) => Number.parseInt(fields[1]?.split(":")[1] ?? "", 16)),
  );
}
