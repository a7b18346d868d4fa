import { SecretValue } from "@countersign/core";
import { z } from "zod";
import type { Budget } from "./budget.ts";
import type { Call, Endpoint, ErrorReader, Http } from "./http.ts";
import type { Leave } from "./leave.ts";

/** Where our own access tokens come from. A certificate or a managed identity would be another implementation. */
export interface TokenSource {
  /** A token for this source's audience; `fresh` forgets the cached one. Throws OUTSIDE_AUTH and the like. */
  token(leave: Leave, fresh?: boolean): Promise<SecretValue>;
}

/** The call's name in errors: where it stands, what was wanted with the token was never asked for. */
export const tokenCall = "token.issue";

/** Tokens are used until this long before they end; one that lives for less than twice as long, for half of its life. */
const marginMs = 300_000;

const TokenAnswer = z.object({
  token_type: z.string().regex(/^bearer$/i),
  access_token: z.string().min(1).max(16_384),
  expires_in: z.coerce.number().int().positive(),
});

const OAuthError = z.object({ error: z.string(), error_codes: z.array(z.number().int()).optional() });

/** Reads the error body of a token endpoint: the AADSTS number where there is one. Texts are not for programs. */
export const readOAuthError: ErrorReader = (_status, body) => {
  const parsed = OAuthError.safeParse(body);
  if (!parsed.success) return { code: null, transient: false };
  const number = parsed.data.error_codes?.[0];
  return {
    code: number === undefined ? parsed.data.error : `AADSTS${number}`,
    transient: parsed.data.error === "temporarily_unavailable",
  };
};

/** Who signs in where. */
export interface ClientSecretSettings {
  readonly http: Http;
  readonly authority: Endpoint;
  readonly tenantId: string;
  readonly clientId: string;
  readonly secret: () => Promise<SecretValue>;
  readonly scope: string;
  readonly budget: Budget;
}

/** The form of a client-credentials request (OAuth 2.0, RFC 6749 section 4.4). */
export function clientCredentials(
  clientId: string,
  secret: SecretValue,
  scope: string,
): NonNullable<Call<unknown>["form"]> {
  return { client_id: clientId, client_secret: secret.reveal(), grant_type: "client_credentials", scope };
}

/** Our own sign-in with a client secret; one request at a time, cached until shortly before the token ends. */
export function clientSecretTokens(settings: ClientSecretSettings): TokenSource {
  let cached: { readonly value: SecretValue; readonly until: number } | null = null;
  let pending: Promise<SecretValue> | null = null;

  async function get(leave: Leave): Promise<SecretValue> {
    const answer = await settings.http.call(leave, {
      name: tokenCall,
      method: "POST",
      url: settings.authority.url(`/${settings.tenantId}/oauth2/v2.0/token`),
      form: clientCredentials(settings.clientId, await settings.secret(), settings.scope),
      retry: "safe",
      effect: false,
      expect: [200],
      answer: TokenAnswer,
      readError: readOAuthError,
      budget: settings.budget,
    });
    const value = SecretValue.of(answer.body.access_token);
    const lifeMs = answer.body.expires_in * 1_000;
    cached = { value, until: leave.clock.now() + lifeMs - Math.min(marginMs, lifeMs / 2) };
    return value;
  }

  return {
    async token(leave, fresh = false) {
      if (fresh) cached = null;
      if (cached !== null && leave.clock.now() < cached.until) return cached.value;
      if (pending === null) {
        pending = get(leave).finally(() => {
          pending = null;
        });
        return pending;
      }
      try {
        return await pending;
      } catch (error) {
        // Another caller's signal ended the shared request; that is no verdict on ours.
        if (leave.signal.aborted) throw error;
        return this.token(leave);
      }
    },
  };
}
