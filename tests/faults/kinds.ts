/** How one call goes wrong, in the words of the simulator's `POST /faults`. */
export interface FaultKind {
  readonly name: string;
  readonly kind: string;
  readonly position: "before-effect" | "after-effect";
  readonly retryAfterSeconds?: number | null;
  /** Real ms before the fault. */
  readonly delayMs?: number;
}

/** Longest time one outside call may take in this suite, real ms. */
export const callDeadlineMs = 300;
const slowMs = callDeadlineMs + 100;
/** The same where nothing is slow on purpose, real ms. */
export const patientMs = 8_000;

/** Whether the call's deadline has to pass for the fault to be seen. */
export function isSlow({ fault }: { readonly fault: { readonly kind: FaultKind } | null }): boolean {
  return fault?.kind.kind === "timeout" || fault?.kind.kind === "slow";
}

/** Fifteen of the sixteen kinds; `stale` is made by the directory's read replicas, see {@link staleSeconds}. */
const httpKinds: readonly FaultKind[] = [
  { name: "timeout-before", kind: "timeout", position: "before-effect" },
  { name: "timeout-after", kind: "timeout", position: "after-effect" },
  { name: "reset-after", kind: "reset", position: "after-effect" },
  { name: "slow", kind: "slow", position: "after-effect", delayMs: slowMs },
  { name: "429-retry-after", kind: "429", position: "before-effect", retryAfterSeconds: 7 },
  { name: "429", kind: "429", position: "before-effect", retryAfterSeconds: null },
  { name: "500", kind: "500", position: "before-effect" },
  { name: "503-concurrency", kind: "503-concurrency", position: "before-effect" },
  { name: "409-concurrency", kind: "409", position: "before-effect" },
  { name: "400-concurrency", kind: "400-concurrency", position: "before-effect" },
  { name: "401", kind: "401", position: "before-effect" },
  { name: "403", kind: "403", position: "before-effect" },
  { name: "404", kind: "404", position: "before-effect" },
  { name: "malformed", kind: "malformed", position: "after-effect" },
  { name: "truncated", kind: "truncated", position: "after-effect" },
];

/** A database has no answers of HTTP: its own ways to fail instead, of a connection being made and of a statement. */
const connectKinds: readonly FaultKind[] = [
  { name: "sql-refused", kind: "reset", position: "before-effect" },
  { name: "sql-unavailable", kind: "503", position: "before-effect" },
  { name: "sql-timeout-before", kind: "timeout", position: "before-effect" },
  { name: "sql-slow", kind: "slow", position: "before-effect", delayMs: slowMs },
];
const statementKinds: readonly FaultKind[] = [
  { name: "sql-timeout-before", kind: "timeout", position: "before-effect" },
  { name: "sql-timeout-after", kind: "timeout", position: "after-effect" },
  { name: "sql-lost-before", kind: "reset", position: "before-effect" },
  { name: "sql-lost-after", kind: "reset", position: "after-effect" },
  { name: "sql-slow", kind: "slow", position: "after-effect", delayMs: slowMs },
  { name: "sql-cancelled", kind: "cancelled", position: "before-effect" },
  { name: "sql-terminated", kind: "500", position: "before-effect" },
  { name: "sql-serialization", kind: "409", position: "before-effect" },
];

export function kindsOf(op: string): readonly FaultKind[] {
  if (op === "postgres.connect") return connectKinds;
  return op.startsWith("postgres.") ? statementKinds : httpKinds;
}

/** Every read of the directory says for this long what was true before a change, virtual seconds. */
export const staleSeconds = 600;
