/** How one call goes wrong, in the words of the simulator's `POST /faults`. */
export interface FaultKind {
  readonly name: string;
  readonly kind: string;
  readonly position: "before-effect" | "after-effect";
  readonly retryAfterSeconds?: number | null;
  /** Real ms before the fault. */
  readonly delayMs?: number;
  /** A connection to a database knows no such answer. */
  readonly httpOnly?: true;
}

/** Longest time one outside call may take in this suite, real ms. */
export const callDeadlineMs = 300;

/** The sixteen kinds. `stale` is made by the directory's read replicas, see `run.ts`. */
export const faultKinds: readonly FaultKind[] = [
  { name: "timeout-before", kind: "timeout", position: "before-effect" },
  { name: "timeout-after", kind: "timeout", position: "after-effect" },
  { name: "reset-after", kind: "reset", position: "after-effect" },
  { name: "slow", kind: "slow", position: "after-effect", delayMs: callDeadlineMs + 100 },
  { name: "429-retry-after", kind: "429", position: "before-effect", retryAfterSeconds: 7, httpOnly: true },
  { name: "429", kind: "429", position: "before-effect", retryAfterSeconds: null, httpOnly: true },
  { name: "500", kind: "500", position: "before-effect" },
  { name: "503-concurrency", kind: "503-concurrency", position: "before-effect", httpOnly: true },
  { name: "409-concurrency", kind: "409", position: "before-effect" },
  { name: "400-concurrency", kind: "400-concurrency", position: "before-effect", httpOnly: true },
  { name: "401", kind: "401", position: "before-effect", httpOnly: true },
  { name: "403", kind: "403", position: "before-effect", httpOnly: true },
  { name: "404", kind: "404", position: "before-effect", httpOnly: true },
  { name: "malformed", kind: "malformed", position: "after-effect", httpOnly: true },
  { name: "truncated", kind: "truncated", position: "after-effect", httpOnly: true },
];

/** Every read of the directory says for this long what was true before a change, virtual seconds. */
export const staleSeconds = 600;
