import type { ChildProcess } from "node:child_process";
import { exit } from "../output.ts";
import { endProcess } from "./simulator.ts";

/** A program that is started again whenever it asks for that. */
export interface Kept {
  /** Resolves once it has ended for another reason, or did not come up again. */
  readonly ended: Promise<void>;
  /** Ends it. */
  stop(): Promise<void>;
}

/**
 * What a service manager does for `serve`: a process whose lease has run out, as when a laptop slept, ends with 70, and the next
 * one goes on. `ready` rejects when a process does not come up.
 */
export async function keepRunning(
  start: () => ChildProcess,
  ready: (child: ChildProcess) => Promise<void>,
  again: () => void,
): Promise<Kept> {
  let child = start();
  let stopping = false;
  const stop = async () => {
    stopping = true;
    await endProcess(child);
  };
  try {
    await ready(child);
  } catch (error) {
    await stop();
    throw error;
  }
  const keep = async () => {
    while ((await codeOf(child)) === exit.startAgain && !stopping) {
      again();
      child = start();
      await ready(child);
    }
  };
  return { ended: keep().catch(() => {}), stop };
}

function codeOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => child.once("exit", resolve));
}
