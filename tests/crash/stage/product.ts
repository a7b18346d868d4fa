import { type ChildProcess, spawn } from "node:child_process";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { endByItself, endProcess, root } from "./process.ts";

/** One process of the product. */
export interface Product {
  readonly pid: number;
  /** Real time (ms, `performance.now`) when the process was started. */
  readonly startedAt: number;
  /** Resolves when the API answers; rejects when the process ends before. */
  readonly ready: Promise<void>;
  /** True once the process has ended although nobody killed it: it fenced itself, as one does whose lease ran out. */
  readonly fenced: () => boolean;
  /** SIGSTOP: it stands still until {@link go}, and knows nothing of it. */
  stall(): void;
  /** SIGCONT. */
  go(): void;
  /** Resolves with the exit code once the process has ended; null: it was killed. */
  readonly ended: Promise<number | null>;
  /** SIGKILL, by pid; resolves when the process is gone. */
  kill(): Promise<void>;
  /** Ends it as Ctrl-C does. */
  end(): Promise<void>;
}

/** A change of the product's source that breaks a promise: the checks must see it. */
export interface PlantedBug {
  readonly name: string;
  readonly changes: readonly {
    /** End of the source file's path. */
    readonly file: string;
    /** Stands in it exactly once. */
    readonly find: string;
    readonly replace: string;
  }[];
}

/** With it the product ends when its lease was lost; whoever runs it starts it again. */
export const fencedCode = 70;
/** Longer than any start takes, also on a machine with twenty times more work than cores. */
const readyDeadlineMs = 240_000;

/** How the product is started; all of it is also what its user could type. */
export interface ProductOptions {
  readonly folder: string;
  /** Configuration in the folder. */
  readonly config: string;
  /** Where it announces each position of each journaled attempt; null: nowhere. */
  readonly pauseUrl: string | null;
  /** Where stdout and stderr go. */
  readonly log: string;
  /** Folder in which Node keeps compiled code between starts. */
  readonly cache: string;
  /** The product as one file; with a planted bug its sources are run instead. */
  readonly bundle: string;
  /** Planted by `planted-hooks.mjs` while Node loads the source; null: the product as it is. */
  readonly planted: PlantedBug | null;
}

export function startProduct(options: ProductOptions): Product {
  const main = options.planted === null ? options.bundle : join(root, "packages/cli/src/main.ts");
  const hooks = options.planted === null ? [] : ["--import", join(root, "tests/crash/planted-hooks.mjs")];
  const startedAt = performance.now();
  const child = spawn(
    process.execPath,
    [
      ...hooks,
      main,
      "serve",
      "--config",
      join(options.folder, options.config),
      "--role",
      "all",
      ...(options.pauseUrl === null ? [] : ["--pause-url", options.pauseUrl]),
    ],
    {
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...process.env,
        NODE_COMPILE_CACHE: options.cache,
        ...(options.planted === null ? {} : { CRASH_PLANTED: JSON.stringify(options.planted) }),
      },
    },
  );
  return {
    pid: child.pid ?? 0,
    startedAt,
    ready: untilReady(child, options.log),
    stall: () => void child.kill("SIGSTOP"),
    go: () => void child.kill("SIGCONT"),
    ended: new Promise((resolve) => child.once("exit", (code) => resolve(code))),
    fenced: () => child.exitCode === fencedCode,
    kill: () => endProcess(child, "SIGKILL"),
    end: () => endByItself(child),
  };
}

function untilReady(child: ChildProcess, log: string): Promise<void> {
  const ready = new Promise<void>((resolve, reject) => {
    let said = "";
    const late = setTimeout(
      () => reject(new Error(`expected the product to be ready within ${readyDeadlineMs} ms`)),
      readyDeadlineMs,
    );
    const read = (text: string) => {
      appendFileSync(log, text);
      said = `${said}${text}`.slice(-4_000);
      if (!said.includes("ready at ")) return;
      clearTimeout(late);
      resolve();
    };
    child.stdout?.setEncoding("utf8").on("data", read);
    child.stderr?.setEncoding("utf8").on("data", read);
    child.once("exit", (code, signal) => {
      clearTimeout(late);
      reject(new Error(`expected the product to run, it ended with ${code ?? signal}: ${said.slice(-1_000)}`));
    });
  });
  // A process that is killed before anybody waits for it is no unhandled failure.
  ready.catch(() => {});
  return ready;
}
