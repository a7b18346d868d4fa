import { z } from "zod";
import type { Lane } from "./lane.ts";

const Token = z.object({ access_token: z.string() });
const Secret = z.object({ value: z.string() });
const Listed = z.object({ value: z.array(z.object({ id: z.string() })), nextLink: z.string().nullish() });
const apiVersion = "7.6";

/** The newest value of a vault entry, asked for as any client of the vault does. */
export async function readSecret(lane: Lane, vault: string, name: string): Promise<string> {
  return (await readVersion(lane, vault, `/secrets/${name}`, await vaultToken(lane))) ?? "";
}

/** Every value that any version of these entries, each a vault and a name, holds. */
export async function everyValue(lane: Lane, entries: readonly (readonly [string, string])[]): Promise<string[]> {
  const bearer = await vaultToken(lane);
  const values: string[] = [];
  for (const [vault, name] of entries) values.push(...(await valuesOf(lane, vault, name, bearer)));
  return values;
}

async function valuesOf(lane: Lane, vault: string, name: string, bearer: string): Promise<string[]> {
  const values: string[] = [];
  for (let next: string | null = `/secrets/${name}/versions?api-version=${apiVersion}`; next !== null; ) {
    const answer = await ask(lane, vault, next, bearer);
    if (answer.status === 404) break;
    const { value, nextLink } = Listed.parse(await answer.json());
    for (const { id } of value) {
      const held = await readVersion(lane, vault, new URL(id).pathname, bearer);
      if (held !== null) values.push(held);
    }
    next = nextLink ?? null;
  }
  return values;
}

/** Which key a client secret belongs to: signs in with it and looks into the effect log; null when it does not sign in. */
export async function signInKey(lane: Lane, appId: string, secret: string): Promise<string | null> {
  const answer = await token(lane, appId, secret, "https://graph.microsoft.com/.default");
  await answer.body?.cancel();
  if (!answer.ok) return null;
  const { entries } = z
    .object({ entries: z.array(z.object({ target: z.record(z.string(), z.unknown()) })) })
    .parse(await lane.simulator.get(`/effects?op=token&origin=outside&effect=true&limit=10000&appId=${appId}`));
  const keyId = entries.at(-1)?.target.keyId;
  return typeof keyId === "string" ? keyId : null;
}

async function readVersion(lane: Lane, vault: string, path: string, bearer: string): Promise<string | null> {
  const answer = await ask(lane, vault, `${path}?api-version=${apiVersion}`, bearer);
  return answer.ok ? Secret.parse(await answer.json()).value : null;
}

function ask(lane: Lane, vault: string, path: string, bearer: string): Promise<Response> {
  return fetch(new URL(path, lane.directory.urls.vaults[vault]), { headers: { authorization: `Bearer ${bearer}` } });
}

async function vaultToken(lane: Lane): Promise<string> {
  const { clientId, clientSecret } = lane.directory.callers.vault;
  const answer = await token(lane, clientId, clientSecret, "https://vault.azure.net/.default");
  return Token.parse(await answer.json()).access_token;
}

function token(lane: Lane, clientId: string, clientSecret: string, scope: string): Promise<Response> {
  return fetch(new URL(`/${lane.directory.tenant.id}/oauth2/v2.0/token`, lane.directory.urls.authority), {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "client_credentials",
      client_id: clientId,
      client_secret: clientSecret,
      scope,
    }),
  });
}
