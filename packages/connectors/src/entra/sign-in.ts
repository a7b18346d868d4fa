import { CountersignError, isCode, type SecretValue } from "@countersign/core";
import { z } from "zod";
import { factOf } from "../kit/errors.ts";
import type { Leave } from "../kit/leave.ts";
import { clientCredentials, readOAuthError } from "../kit/token.ts";
import { graphScope, type Tenant } from "./graph.ts";
import { type SignInVerdict, verdictOf } from "./sign-in-codes.ts";

/** What one fresh sign-in showed. */
export type SignInResult =
  | { readonly kind: "yes"; readonly requestId: string }
  | { readonly kind: SignInVerdict; readonly code: string | null; readonly requestId: string | null };

/** Only its presence counts; the token itself is dropped at once and never kept. */
const Issued = z.object({ access_token: z.string().min(1), token_type: z.string().regex(/^bearer$/i) });

/**
 * Signs in once with `secret` as the application, past every cache: a raw request of its own.
 * Graph's `.default` is granted to any application, even one without a single role, and so proves the secret alone.
 */
export async function signInOnce(
  leave: Leave,
  tenant: Tenant,
  appId: string,
  secret: SecretValue,
): Promise<SignInResult> {
  try {
    const answer = await tenant.http.call(leave, {
      name: "token.prove",
      method: "POST",
      url: tenant.authority.url(`/${tenant.settings.id}/oauth2/v2.0/token`),
      form: clientCredentials(appId, secret, graphScope(tenant.settings, tenant.graph.base)),
      retry: "safe",
      effect: false,
      expect: [200],
      answer: Issued,
      readError: readOAuthError,
      budget: tenant.budgets.token,
      attemptsMax: 1,
    });
    return { kind: "yes", requestId: answer.requestId };
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error;
    if (isCode(error, "LEASE_LOST", "HOST_REFUSED")) throw error;
    const code = textOf(factOf(error, "code"));
    const requestId = textOf(factOf(error, "requestId"));
    const passing = isCode(error, "OUTSIDE_UNAVAILABLE", "OUTSIDE_RATE_LIMITED", "OUTSIDE_MALFORMED");
    return { kind: passing ? "retry" : verdictOf(code), code, requestId };
  }
}

function textOf(fact: ReturnType<typeof factOf>): string | null {
  return typeof fact === "string" ? fact : null;
}
