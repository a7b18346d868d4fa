import { isCode } from "@countersign/core";
import type { Leave } from "../kit/leave.ts";
import { readIdentity } from "./roles.ts";
import { type Login, type Server, withSession } from "./server.ts";

/** What one login showed. */
export type LogInResult =
  | { readonly kind: "yes"; readonly systemIdentifier: string }
  /** Refused: wrong password, no LOGIN, or expired (PostgreSQL does not tell them apart). */
  | { readonly kind: "no"; readonly code: string | null }
  | { readonly kind: "retry"; readonly code: string | null }
  /** Let in without being asked for a password: `pg_hba.conf` trusts this host, so a login proves nothing. */
  | { readonly kind: "not-asked" };

/** Logs in once with a user and a password. */
export async function logInOnce(leave: Leave, server: Server, login: Login): Promise<LogInResult> {
  try {
    return await withSession(leave, server, login, async (client, passwordAsked) => {
      if (!passwordAsked) return { kind: "not-asked" };
      const { systemIdentifier } = await readIdentity(client);
      return { kind: "yes", systemIdentifier: String(systemIdentifier) };
    });
  } catch (error) {
    if (!isCode(error)) throw error;
    const code = typeof error.facts.code === "string" ? error.facts.code : null;
    if (error.code === "OUTSIDE_AUTH") return { kind: "no", code };
    if (error.code === "OUTSIDE_UNAVAILABLE" || error.code === "OUTSIDE_CONFLICT") return { kind: "retry", code };
    throw error;
  }
}
