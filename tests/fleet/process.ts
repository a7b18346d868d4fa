import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { endProcess, root } from "../crash/stage/process.ts";
import type { Said } from "./scanner.ts";
import type { WorkerOrder, WorkerStart } from "./worker.ts";

/** The young generation as `tools/run.mjs` bounds it for every process of the product. */
const flags = ["--max-semi-space-size=16"];

/** A scanner in a process of its own; `heard` is told each line that it logs, when it comes. */
export function startScannerProcess(start: WorkerStart, heard: (said: Said) => void = () => {}) {
  const child = spawn(process.execPath, [...flags, join(root, "tests/fleet/worker.ts")], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const said: Said[] = [];
  const waiting = new Set<() => void>();
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  createInterface({ input: child.stdout }).on("line", (line) => {
    const one = JSON.parse(line) as Said;
    said.push(one);
    heard(one);
    for (const look of waiting) look();
  });
  child.stdin.on("error", () => {});
  child.stdin.write(`${JSON.stringify(start)}\n`);

  /** The next line of this event after so many lines. */
  function next(event: string, from = 0): Promise<Said> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = said.slice(from).find((one) => one.event === event);
        if (found === undefined) return;
        waiting.delete(look);
        resolve(found);
      };
      waiting.add(look);
      look();
      void ended.then(() => reject(new Error(`expected ${event}, the scanner ended: ${JSON.stringify(said.at(-1))}`)));
    });
  }
  return {
    said,
    next,
    /** Resolves when the process has ended, however. */
    ended,
    order(what: WorkerOrder): Promise<Said> {
      const from = said.length;
      child.stdin.write(`${what}\n`);
      return next("did", from);
    },
    end: () => endOf(child),
  };
}

async function endOf(child: ChildProcess): Promise<void> {
  child.stdin?.end();
  await endProcess(child);
}
