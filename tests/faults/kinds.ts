import type { CallShape } from "../crash/points.ts";
import type { ProcedureName } from "../crash/stage/names.ts";

/** How one call goes wrong, in the words of the simulator's `POST /faults`. */
export interface FaultKind {
  readonly name: string;
  readonly kind: string;
  readonly position: "before-effect" | "after-effect";
  readonly retryAfterSeconds?: number | null;
  /** It says nothing: nobody can tell it from the others that say nothing either (`alike.test.ts`). */
  readonly mute?: true;
}

/** Longest time one outside call may take where one is slow on purpose, real ms. */
export const callDeadlineMs = 300;
/** The same where sessions of PostgreSQL are made: each is a process, which takes its time on a busy machine. */
export const sessionDeadlineMs = 2_000;
/** The same where nothing is slow on purpose. */
export const patientMs = 8_000;
/** What is slow comes so much later than the deadline, real ms. */
const overMs = 100;

/** The deadline that passes in a story where one call is slow on purpose, real ms. */
export function deadlineMsOf({ procedure }: { readonly procedure?: ProcedureName }): number {
  return procedure === "postgres-role-password" ? sessionDeadlineMs : callDeadlineMs;
}

/** How long the call waits before it goes wrong, real ms; null: it does at once. */
export function delayMsOf({ kind }: FaultKind, story: { readonly procedure?: ProcedureName }): number | null {
  return kind === "slow" ? deadlineMsOf(story) + overMs : null;
}

/** Whether the call's deadline has to pass for the fault to be seen. */
export function isSlow({ fault }: { readonly fault: { readonly kind: FaultKind } | null }): boolean {
  return fault?.kind.kind === "timeout" || fault?.kind.kind === "slow";
}

/** Fifteen of the sixteen kinds; `stale` is made by the directory's read replicas, see {@link staleSeconds}. */
export const httpKinds: readonly FaultKind[] = [
  { name: "timeout-before", kind: "timeout", position: "before-effect", mute: true },
  { name: "timeout-after", kind: "timeout", position: "after-effect", mute: true },
  { name: "reset-after", kind: "reset", position: "after-effect", mute: true },
  { name: "slow", kind: "slow", position: "after-effect", mute: true },
  { name: "429-retry-after", kind: "429", position: "before-effect", retryAfterSeconds: 7 },
  { name: "429", kind: "429", position: "before-effect", retryAfterSeconds: null },
  { name: "500", kind: "500", position: "before-effect", mute: true },
  { name: "503-concurrency", kind: "503-concurrency", position: "before-effect", mute: true },
  { name: "409-concurrency", kind: "409", position: "before-effect" },
  { name: "400-concurrency", kind: "400-concurrency", position: "before-effect" },
  { name: "401", kind: "401", position: "before-effect" },
  { name: "403", kind: "403", position: "before-effect" },
  { name: "404", kind: "404", position: "before-effect" },
  { name: "malformed", kind: "malformed", position: "after-effect" },
  { name: "truncated", kind: "truncated", position: "after-effect", mute: true },
];

/** A database has no answers of HTTP: its own ways to fail instead, of a connection being made and of a statement. */
export const connectKinds: readonly FaultKind[] = [
  { name: "sql-refused", kind: "reset", position: "before-effect", mute: true },
  { name: "sql-unavailable", kind: "503", position: "before-effect", mute: true },
  { name: "sql-timeout-before", kind: "timeout", position: "before-effect", mute: true },
  { name: "sql-slow", kind: "slow", position: "before-effect", mute: true },
];
export const statementKinds: readonly FaultKind[] = [
  { name: "sql-timeout-before", kind: "timeout", position: "before-effect", mute: true },
  { name: "sql-timeout-after", kind: "timeout", position: "after-effect", mute: true },
  { name: "sql-lost-before", kind: "reset", position: "before-effect", mute: true },
  { name: "sql-lost-after", kind: "reset", position: "after-effect", mute: true },
  { name: "sql-slow", kind: "slow", position: "after-effect", mute: true },
  { name: "sql-cancelled", kind: "cancelled", position: "before-effect", mute: true },
  { name: "sql-terminated", kind: "500", position: "before-effect", mute: true },
  { name: "sql-serialization", kind: "409", position: "before-effect" },
];

/**
 * Every way in which such a call can go wrong; those that nobody could tell apart stand together, and one of them is tried. Mute
 * ones are alike when the same is true over there afterwards: always for a call that changes nothing, else on the same side of the effect.
 */
export function kindsOf(shape: CallShape): readonly (readonly FaultKind[])[] {
  const all =
    shape.op === "postgres.connect" ? connectKinds : shape.op.startsWith("postgres.") ? statementKinds : httpKinds;
  const changes = !isLook(shape);
  const groupOf = ({ name, position, mute }: FaultKind) => {
    // An answer without a body is whole however early it ends, and only of a look is it known that it has one.
    if (mute !== true || (changes && name === "truncated")) return name;
    return changes ? position : "mute";
  };
  return [...Map.groupBy(all, groupOf).values()];
}

/** A sign-in is none: it is seen, and counts as use. */
function isLook({ op, match }: CallShape): boolean {
  if (op === "postgres.query")
    return /^(select|begin)\b/i.test(match.text ?? "") && !/pg_terminate/.test(match.text ?? "");
  return /\.(get|list|owners|policies|default|query)$/.test(op);
}

/** Every read of the directory says for this long what was true before a change, virtual seconds. */
export const staleSeconds = 600;
