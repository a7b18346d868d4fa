import { createPrivateKey, sign } from "node:crypto";
import { CountersignError, SecretValue } from "@countersign/core";
import type { Budget } from "../kit/budget.ts";
import type { Endpoint, Http } from "../kit/http.ts";
import type { Leave } from "../kit/leave.ts";
import { msOf } from "../kit/time.ts";
import type { TokenSource } from "../kit/token.ts";
import { asGithub, readGithubError } from "./limits.ts";
import { InstallationToken } from "./shapes.ts";

/** GitHub allows ten minutes; our clock may be ahead by one. */
const jwtSeconds = 540;
const aheadSeconds = 60;
/** Tokens are used until this long before they end. */
const marginMs = 300_000;

/** What a token is wanted for: one permission, in one repository or in the whole organization. */
export interface Need {
  readonly permission: "secrets" | "environments" | "organization_secrets";
  /** Name without its owner. */
  readonly repository: string | null;
}

interface App {
  readonly http: Http;
  readonly endpoint: Endpoint;
  readonly budget: Budget;
  readonly clientId: string;
  readonly installation: number;
  readonly key: () => Promise<SecretValue>;
}

/** Installation tokens, each with the one permission and the one repository that it is for; kept until they end. */
export function appTokens(app: App): (need: Need) => TokenSource {
  const sources = new Map<string, TokenSource>();
  return (need) => {
    const name = `${need.permission}/${need.repository ?? ""}`;
    const source = sources.get(name) ?? installationTokens(app, need);
    sources.set(name, source);
    return source;
  };
}

function installationTokens(app: App, { permission, repository }: Need): TokenSource {
  let cached: { readonly value: SecretValue; readonly until: number } | null = null;
  return {
    async token(leave, fresh = false) {
      if (!fresh && cached !== null && leave.clock.now() < cached.until) return cached.value;
      const jwt = await appJwt(leave, app);
      const { body } = await app.http.call(leave, {
        name: "installation.token",
        method: "POST",
        url: app.endpoint.url(`/app/installations/${app.installation}/access_tokens`),
        headers: { ...asGithub, authorization: `Bearer ${jwt}` },
        json: {
          ...(repository === null ? {} : { repositories: [repository] }),
          permissions: { [permission]: "write" },
        },
        // A token more does no harm: it ends by itself.
        retry: "safe",
        effect: false,
        expect: [201],
        answer: InstallationToken,
        readError: readGithubError,
        budget: app.budget,
      });
      cached = { value: SecretValue.of(body.token), until: msOf(body.expires_at) - marginMs };
      return cached.value;
    },
  };
}

/** The app says that it is itself (RFC 7519, RS256; GitHub docs: generating a JWT for a GitHub App). */
async function appJwt(leave: Leave, app: App): Promise<string> {
  const now = Math.floor(leave.clock.now() / 1_000);
  const claims = { iat: now - aheadSeconds, exp: now - aheadSeconds + jwtSeconds, iss: app.clientId };
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");
  const text = `${encode({ alg: "RS256", typ: "JWT" })}.${encode(claims)}`;
  try {
    const key = createPrivateKey((await app.key()).reveal());
    return `${text}.${sign("sha256", Buffer.from(text), key).toString("base64url")}`;
  } catch (error) {
    if (error instanceof CountersignError) throw error;
    throw new CountersignError("CONFIG_INVALID", "expected the private key of a GitHub App in PEM, got another text");
  }
}
