import type { CallShape } from "../crash/points.ts";

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

/** Every way in which such a call can go wrong, `told` apart from `alike`: those that nobody could tell from one that is tried. */
export function kindsOf(shape: CallShape): { readonly told: readonly FaultKind[]; readonly alike: number } {
  const all =
    shape.op === "postgres.connect" ? connectKinds : shape.op.startsWith("postgres.") ? statementKinds : httpKinds;
  if (!isLook(shape)) return { told: all, alike: 0 };
  const told = all.filter(({ name }) => !alikeForLooks.has(name));
  return { told, alike: all.length - told.length };
}

/**
 * Of a call that changes nothing these are one and the same as `timeout-after`: nothing is different over there, and nothing has come
 * when the deadline passes and the connection is closed.
 */
const alikeForLooks: ReadonlySet<string> = new Set(["timeout-before", "slow", "sql-timeout-before", "sql-slow"]);

/** A sign-in is none: it is seen, and counts as use. */
function isLook({ op, match }: CallShape): boolean {
  if (op === "postgres.query")
    return /^(select|begin)\b/i.test(match.text ?? "") && !/pg_terminate/.test(match.text ?? "");
  return /\.(get|list|owners|policies|default|query)$/.test(op);
}

/** Every read of the directory says for this long what was true before a change, virtual seconds. */
export const staleSeconds = 600;
