import { CountersignError, SecretValue } from "@countersign/core";
import { z } from "zod";

/** User and password as a record holds them for a database. */
export interface RoleCredentials {
  readonly user: string;
  readonly password: SecretValue;
}

const Stored = z.object({ user: z.string().min(1).max(63), password: z.string().min(1).max(1_000) });

/** Reads user and password from a record's value (`{"user","password"}`). Throws OUTSIDE_MALFORMED for another form. */
export function credentialsIn(value: SecretValue): RoleCredentials {
  let content: unknown = null;
  try {
    content = JSON.parse(value.reveal());
  } catch {
    // Not JSON: the schema below says so without repeating any of it.
  }
  const parsed = Stored.safeParse(content);
  if (!parsed.success)
    throw new CountersignError("OUTSIDE_MALFORMED", "expected the record to hold user and password, got another form");
  return { user: parsed.data.user, password: SecretValue.of(parsed.data.password) };
}

/** The record's value for a user and a password. */
export function credentialsValue(user: string, password: string): SecretValue {
  return SecretValue.of(JSON.stringify({ password, user }));
}
