import type { ChildProcess } from "node:child_process";
import { createServer } from "node:net";
import { join } from "node:path";

/** The checkout. */
export const root = join(import.meta.dirname, "../../..");

/** Ends a child we started, and waits until it is gone. */
export function endProcess(child: ChildProcess, signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill(signal);
  });
}

/**
 * Ends a child as Ctrl-C does, and expects that it ended by itself: one that was cut off by the signal has done nothing
 * of what an end is for.
 */
export async function endByItself(child: ChildProcess): Promise<void> {
  await endProcess(child);
  if (child.signalCode !== null) throw new Error(`expected the process to end by itself, got ${child.signalCode}`);
}

/** A TCP port on loopback that is free now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        typeof address === "object" && address !== null ? resolve(address.port) : reject(new Error("expected a port")),
      );
    });
  });
}
