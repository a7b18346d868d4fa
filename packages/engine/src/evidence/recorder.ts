import { type CheckpointRef, type Signer, signRunRecord } from "@countersign/evidence";
import type { Checkpointer, Store } from "../store/index.ts";

/** What is signed in one go; more is taken up at once. */
const asksMax = 100;
/** After a failure, real ms. */
const againMs = 1_000;

/**
 * Signs the summaries of runs that somebody waits for: each run when it closes, an open one when it is exported. Only the
 * process that has the run key does this; a request that it misses while it is down is found when it starts.
 */
export function createRecorder(options: {
  readonly store: Store;
  readonly checkpointer: Checkpointer;
  readonly signer: Signer;
  readonly build: string;
  readonly onError: (error: unknown) => void;
}): { start(): Promise<void>; stop(): Promise<void> } {
  const { store, checkpointer, signer, build } = options;
  let turn: Promise<void> = Promise.resolve();
  let stopListening = async () => {};
  let asked = false;
  let stopped = false;

  async function sign(run: string, log: CheckpointRef): Promise<void> {
    const entries = (await store.entriesOfRun(run))
      .filter((row) => row.idx < log.size)
      .map((row) => ({ index: row.idx, bytes: row.entry }));
    await store.recordPut(run, log.size, await signRunRecord({ entries, log, build }, signer));
  }

  async function signAll(): Promise<void> {
    while (!stopped) {
      asked = false;
      const runs = await store.recordsAsked(asksMax);
      if (runs.length > 0) {
        // Begun after they asked, so it covers what they ask for.
        const log = await checkpointer.checkpointNow();
        for (const run of runs) await sign(run, log);
      }
      if (!asked && runs.length < asksMax) return;
    }
  }

  /** Another request while one is served makes it look once more. */
  function look(): void {
    asked = true;
    turn = turn
      .then(() => (asked ? signAll() : undefined))
      .catch((error: unknown) => {
        options.onError(error);
        if (!stopped) setTimeout(look, againMs).unref();
      });
  }

  return {
    async start() {
      stopListening = await store.listen("cs_record", look);
    },
    async stop() {
      stopped = true;
      await stopListening();
      await turn;
    },
  };
}
