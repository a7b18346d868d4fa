import { type Client, createClient } from "@countersign/contract";
import { CountersignError } from "@countersign/core";

/** A signed-in client of the API. */
export interface Session {
  readonly client: Client;
  readonly url: string;
  headers(): Record<string, string>;
}

/** Signs in with a local account; the token stays in memory. */
export async function signIn(url: string, login: string, password: string): Promise<Session> {
  let token: string | null = null;
  const headers = (): Record<string, string> => (token === null ? {} : { authorization: `Bearer ${token}` });
  const client = createClient(url, fetch, headers);
  token = (await client.signIn({ body: { login, password, kind: "bearer" } })).token;
  if (token === null) throw new CountersignError("NOT_SIGNED_IN", "expected a token, got none");
  return { client, url, headers };
}

/** The session of a command: address, login and password come from options or the environment. */
export function sessionOf(options: { readonly url: string; readonly login?: string }): Promise<Session> {
  const login = options.login ?? process.env.COUNTERSIGN_LOGIN;
  const password = process.env.COUNTERSIGN_PASSWORD;
  if (login === undefined || password === undefined) {
    throw new CountersignError(
      "NOT_SIGNED_IN",
      "expected --login (or COUNTERSIGN_LOGIN) and COUNTERSIGN_PASSWORD, got none",
    );
  }
  if (!URL.canParse(options.url) || !/^https?:$/.test(new URL(options.url).protocol))
    throw new CountersignError("INPUT_INVALID", "expected --url (or COUNTERSIGN_URL) to be an http or https address");
  return signIn(options.url, login, password);
}
