import { createHash, createHmac, pbkdf2Sync, timingSafeEqual } from "node:crypto";
import type { PostgresDatabase } from "../tenant/model.ts";
import { isoTime } from "../time.ts";
import { readAccount } from "../workloads/account.ts";
import type { World } from "../world.ts";
import type { HeldTexts } from "./held-values.ts";

const GRACE_MS = 60_000;
const VERIFIER = /^SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):/;

/** A role that may log in and whose password nobody holds. */
export interface RoleOrphan {
  role: string;
  /** When its password was set. */
  set: string;
}

/** Roles whose password was set through the proxy 60 s ago or more and for which no text holds a fitting password. */
export function findRoleOrphans(world: World, database: PostgresDatabase, held: HeldTexts): RoleOrphan[] {
  const accounts = held.readable.map((text) => readAccount(text) ?? { user: null, password: text });
  return Object.entries(database.roles).flatMap(([role, state]) => {
    const { verifier } = state;
    if (verifier === null || !state.login || state.setMs + GRACE_MS > world.clock.nowMs) return [];
    // What names the role comes first: trying a password is slow on purpose.
    const likely = accounts.toSorted((a, b) => Number(b.user === role) - Number(a.user === role));
    const passwords = new Set(likely.map(({ password }) => password));
    return [...passwords].some((password) => fits(verifier, password)) ? [] : [{ role, set: isoTime(state.setMs) }];
  });
}

const known = new Map<string, boolean>();
const KNOWN_MAX = 10_000;

/** RFC 5802, 3: StoredKey = H(HMAC(SaltedPassword, "Client Key")). Results are kept: the function is slow on purpose. */
function fits(verifier: string, password: string): boolean {
  const key = createHash("sha256").update(`${verifier}\n${password}`).digest("base64");
  const before = known.get(key);
  if (before !== undefined) return before;
  const match = VERIFIER.exec(verifier);
  if (match === null) return false;
  const salted = pbkdf2Sync(password, Buffer.from(String(match[2]), "base64"), Number(match[1]), 32, "sha256");
  const clientKey = createHmac("sha256", salted).update("Client Key").digest();
  const stored = createHash("sha256").update(clientKey).digest();
  const wanted = Buffer.from(String(match[3]), "base64");
  const result = stored.length === wanted.length && timingSafeEqual(stored, wanted);
  if (known.size >= KNOWN_MAX) known.clear();
  known.set(key, result);
  return result;
}
