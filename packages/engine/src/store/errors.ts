import { CountersignError, type ErrorCode } from "@countersign/core";
import { EvidenceError } from "@countersign/evidence";
import pg from "pg";

/** SQLSTATEs of our own functions (migrations/0003-runs.sql). Their messages are ours and hold only ids and states. */
const ours: { readonly [state: string]: ErrorCode } = {
  CS001: "STALE_FENCE",
  CS002: "LOCK_HELD",
  CS003: "STATE_CONFLICT",
  CS004: "NOT_FOUND",
  CS005: "CONFLICT",
  CS006: "LIMIT_EXCEEDED",
  CS007: "LEASE_LOST",
};

/** SQLSTATE (or its class) to code and sentence; PostgreSQL's own message may quote values and is left out. */
const theirs: readonly (readonly [prefix: string, code: ErrorCode, sentence: string])[] = [
  ["42501", "FORBIDDEN", "expected a login with the right for this, got one without"],
  ["23505", "CONFLICT", "expected a new row, got one that exists"],
  ["23", "INPUT_INVALID", "expected values within the table's limits, got others"],
  ["22", "INPUT_INVALID", "expected well-formed values, got others"],
  ["40", "CONFLICT", "expected no concurrent change, got one"],
  ["08", "DATABASE_UNAVAILABLE", "expected the database, got a broken connection"],
  ["53", "DATABASE_UNAVAILABLE", "expected the database, got no resources"],
  ["57", "DATABASE_UNAVAILABLE", "expected an answer in time, got the statement ended"],
];

/** What a failed statement means to us. Whether a statement took effect is not known after DATABASE_UNAVAILABLE. */
export function databaseError(error: unknown): Error {
  if (error instanceof CountersignError) return error;
  if (error instanceof EvidenceError) return new CountersignError("INPUT_INVALID", error.message);
  if (!(error instanceof pg.DatabaseError)) {
    const { code } = error as NodeJS.ErrnoException;
    return new CountersignError("DATABASE_UNAVAILABLE", `expected the database, got ${code ?? "a lost connection"}`);
  }
  const state = error.code ?? "";
  const own = ours[state];
  if (own !== undefined) {
    return new CountersignError(own, error.message, error.detail === undefined ? {} : { holder: error.detail });
  }
  const found = theirs.find(([prefix]) => state.startsWith(prefix));
  if (found !== undefined) return new CountersignError(found[1], found[2], { sqlstate: state });
  return new CountersignError("DATABASE_UNAVAILABLE", `expected the statement to run, got SQLSTATE ${state}`, {
    sqlstate: state,
  });
}
