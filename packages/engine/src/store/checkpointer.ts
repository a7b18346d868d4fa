import { setTimeout as delay } from "node:timers/promises";
import { CountersignError, isCode } from "@countersign/core";
import { type CheckpointRef, checkpointRef, Frontier, type Signer, signCheckpoint } from "@countersign/evidence";
import { type Hashed, hashOn, invalid, nothingHashed, readSigned, same } from "./hashed-log.ts";
import { type HighWaterMark, readHighWaterMark, writeHighWaterMark } from "./high-water-mark.ts";
import type { Store } from "./store.ts";
import { together } from "./together.ts";

/** Signs what the log has come to. */
export interface Checkpointer {
  /**
   * Signs and stores a checkpoint over everything committed so far and returns it.
   * Errors: LOG_BEHIND (a restored database), LOG_INVALID (entries, leaf hashes and frontier do not fit together).
   */
  checkpointNow(): Promise<CheckpointRef>;
  /** Throws LOG_BEHIND when the database lacks what this host has seen of the log, or holds another history. */
  assertNotBehind(): Promise<void>;
  /** Signs once a second while the log grows, until stopped. */
  start(): void;
  stop(): Promise<void>;
}

const everyMs = 1_000;
const triesMax = 10;

/** Opens the checkpointer of the executor. The log's origin is the signer's name. Nothing is believed that is not hashed here. */
export function openCheckpointer(options: {
  readonly store: Store;
  readonly signer: Signer;
  readonly stateFolder: string;
  /** Told of failures in the background; LOG_BEHIND and LOG_INVALID mean: no effects. */
  readonly onError: (error: unknown) => void;
}): Checkpointer {
  const { store, signer, stateFolder } = options;
  const origin = signer.name;
  const stopped = new AbortController();
  let seen: Hashed | null = null;
  let queue: Promise<unknown> = Promise.resolve();
  /** Asked for and not begun. */
  let next: Promise<CheckpointRef> | null = null;
  let loop: Promise<void> = Promise.resolve();

  /** Where to read on from: what this host has hashed before, if the database still has exactly that. */
  async function resume(): Promise<Hashed> {
    const mark = await readHighWaterMark(stateFolder);
    if (mark === null) return nothingHashed();
    await assertHolds(mark);
    const frontier = new Frontier(mark.size, mark.frontier);
    if (!same(frontier.root(), mark.root))
      throw new CountersignError("LOG_INVALID", "expected a high-water mark that fits its root");
    return { frontier, leaf: mark.leaf };
  }

  async function assertHolds(mark: HighWaterMark): Promise<void> {
    const { size, leaf } = await store.logHolds(mark.size - 1);
    if (size < mark.size || leaf === null || !same(leaf, mark.leaf)) {
      throw new CountersignError(
        "LOG_BEHIND",
        `expected a log of at least ${mark.size} entries as seen here, got another of ${size}`,
        {
          seen: mark.size,
          size,
        },
      );
    }
  }

  async function readOn(from: Hashed): Promise<Hashed> {
    const state = await store.logState();
    if (state.size < from.frontier.size) {
      throw new CountersignError("LOG_BEHIND", `expected at least ${from.frontier.size} entries, got ${state.size}`, {
        seen: from.frontier.size,
        size: state.size,
      });
    }
    const read = await hashOn(store, from, state.size);
    if (!same(read.frontier.toBytes(), state.frontier)) throw invalid(`expected the frontier of ${state.size} entries`);
    return read;
  }

  async function sign(): Promise<CheckpointRef> {
    for (let tries = 1; ; tries++) {
      seen ??= await resume();
      seen = await readOn(seen);
      const checkpoint = { origin, size: seen.frontier.size, root: seen.frontier.root() };
      if (checkpoint.size === 0) return checkpointRef(checkpoint);
      const last = await store.checkpoint();
      if (last !== null && last.size >= checkpoint.size) {
        // Ours from before, or of another executor with the same key: it must say the same.
        const stored = readSigned(last.note, signer);
        if (stored.size === checkpoint.size && same(stored.root, checkpoint.root)) return checkpointRef(stored);
        if (stored.size === checkpoint.size || tries === triesMax)
          throw invalid(`expected one root at size ${stored.size}`);
        continue;
      }
      const note = await signCheckpoint(checkpoint, [signer]);
      // The mark first: nothing signed is ever unknown to this host.
      const { size, root } = checkpoint;
      await writeHighWaterMark(stateFolder, { size, root, leaf: seen.leaf, frontier: seen.frontier.toBytes() });
      try {
        await store.checkpointStore(size, Buffer.from(note).toString());
        return checkpointRef(checkpoint);
      } catch (error) {
        if (!isCode(error, "CONFLICT") || tries === triesMax) throw error;
      }
    }
  }

  /**
   * One at a time. Callers that come while another is served share the next one: it begins after all of them have asked,
   * so it covers what each has written before.
   */
  function checkpointNow(): Promise<CheckpointRef> {
    if (next !== null) return next;
    const turn = queue.then(async () => {
      next = null;
      try {
        return await sign();
      } catch (error) {
        // The database may be another one by now, and the mark too: both are read again.
        seen = null;
        throw error;
      }
    });
    next = turn;
    queue = turn.catch(() => undefined);
    return turn;
  }

  // Asked before each claim: runs that come due together share one look.
  const assertNotBehind = together<null, void>(async () => {
    const mark = await readHighWaterMark(stateFolder);
    if (mark !== null) await assertHolds(mark);
    return () => undefined;
  });

  async function keepSigning(): Promise<void> {
    while (!stopped.signal.aborted) {
      try {
        const { size } = await store.logState();
        if (seen === null || size !== seen.frontier.size) await checkpointNow();
      } catch (error) {
        options.onError(error);
      }
      await delay(everyMs, undefined, { signal: stopped.signal, ref: false }).catch(() => undefined);
    }
  }

  return {
    checkpointNow,
    assertNotBehind: () => assertNotBehind(null),
    start() {
      loop = keepSigning();
    },
    async stop() {
      stopped.abort();
      await loop;
      await queue;
    },
  };
}
