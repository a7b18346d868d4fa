/**
 * The negative control: a rotator as they are commonly written. Its algorithm is fixed. Per application:
 *
 *   1. create: addPassword
 *   2. store:  set the vault entry to the new value
 *   3. delete: removePassword of the key that was there before
 *   on any error: begin again at 1, at most 5 times
 *
 * It proves nothing, keeps no overlap, remembers nothing. It speaks HTTP only and knows no part of the simulator.
 */
export interface NaiveTarget {
  graph: string;
  /** Gets a token for a resource. */
  token(resource: string): Promise<string>;
  objectId: string;
  vaultUrl: string;
  secretName: string;
  oldKeyId: string;
}

const TRIES_MAX = 5;

/** Rotates once; returns the keyId that it believes to be the live one. */
export async function rotateNaively(target: NaiveTarget): Promise<string> {
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    try {
      return await createStoreDelete(target);
    } catch {
      // Retry the whole.
    }
  }
  return target.oldKeyId;
}

async function createStoreDelete(target: NaiveTarget): Promise<string> {
  const graph = await target.token("https://graph.microsoft.com");
  const app = `${target.graph}/v1.0/applications/${target.objectId}`;
  const made = (await send("POST", `${app}/addPassword`, graph, {
    passwordCredential: { displayName: "rotated" },
  })) as {
    keyId: string;
    secretText: string;
  };
  const vault = await target.token("https://vault.azure.net");
  await send("PUT", `${target.vaultUrl}/secrets/${target.secretName}?api-version=7.5`, vault, {
    value: made.secretText,
  });
  await send("POST", `${app}/removePassword`, graph, { keyId: target.oldKeyId });
  return made.keyId;
}

async function send(method: string, url: string, token: string, body: unknown): Promise<unknown> {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const response = await fetch(url, { method, headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status}`);
  return response.status === 204 ? null : response.json();
}
