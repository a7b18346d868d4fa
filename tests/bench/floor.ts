import { randomUUID } from "node:crypto";
import type { Addresses } from "@countersign/simulator";
import type { OutsideCall, Waves } from "./calls.ts";

/** An application on which the floor rotates; nobody governs it. */
export interface FloorApplication {
  readonly name: string;
  readonly objectId: string;
  readonly appId: string;
}

export interface FloorWorld {
  readonly urls: Addresses;
  readonly tenantId: string;
  readonly callers: Readonly<
    Record<"reader" | "writer" | "vault", { readonly clientId: string; readonly clientSecret: string }>
  >;
}

/**
 * The floor: the same outside calls in the same order and with the same parallelism, by plain fetch, without journal,
 * approval, proof or lease. Answers with the real seconds that all rotations took.
 */
export async function runFloor(
  world: FloorWorld,
  applications: readonly FloorApplication[],
  waves: Waves,
  inFlightMax: number,
): Promise<number> {
  const graph = await bearer(world, "writer", `${world.urls.graph}/.default`);
  const vault = await bearer(world, "vault", "https://vault.azure.net/.default");
  const values = new Map(
    await Promise.all(applications.map(async ({ name }) => [name, await currentValue(world, vault, name)] as const)),
  );
  const waiting = [...applications];
  const started = performance.now();
  const worker = async () => {
    for (let application = waiting.shift(); application !== undefined; application = waiting.shift()) {
      const held = { value: values.get(application.name) ?? "" };
      for (const wave of waves)
        await Promise.all(wave.map((call) => send(world, { graph, vault }, application, call, held)));
    }
  };
  await Promise.all(Array.from({ length: inFlightMax }, worker));
  return (performance.now() - started) / 1_000;
}

async function send(
  world: FloorWorld,
  tokens: { graph: string; vault: string },
  { objectId, appId, name }: FloorApplication,
  { op, vault }: OutsideCall,
  held: { value: string },
): Promise<void> {
  const { urls } = world;
  const application = `${urls.graph}/v1.0/applications/${objectId}`;
  const entry = `${urls.vaults[vault ?? "main"]}/secrets/${name}`;
  const json = (token: string) => ({ authorization: `Bearer ${token}`, "content-type": "application/json" });
  switch (op) {
    case "token":
      await exchange(`${urls.authority}/${world.tenantId}/oauth2/v2.0/token`, {
        method: "POST",
        body: form(appId, held.value, `${urls.graph}/.default`),
      });
      return;
    case "application.get":
      await exchange(`${application}?$select=id,appId,displayName,passwordCredentials`, {
        headers: json(tokens.graph),
      });
      return;
    case "application.owners":
      await exchange(`${application}/owners?$select=id`, { headers: json(tokens.graph) });
      return;
    case "application.policies":
      await exchange(`${application}/appManagementPolicies`, { headers: json(tokens.graph) });
      return;
    case "policy.default":
      await exchange(`${urls.graph}/v1.0/policies/defaultAppManagementPolicy`, { headers: json(tokens.graph) });
      return;
    case "application.addPassword": {
      const passwordCredential = { displayName: `floor:${randomUUID()}` };
      const made = await exchange(`${application}/addPassword`, {
        method: "POST",
        headers: json(tokens.graph),
        body: JSON.stringify({ passwordCredential }),
      });
      held.value = (made as { secretText: string }).secretText;
      return;
    }
    case "secret.get":
      await exchange(`${entry}?api-version=7.6`, { headers: json(tokens.vault) });
      return;
    case "secret.versions":
      await exchange(`${entry}/versions?api-version=7.6`, { headers: json(tokens.vault) });
      return;
    case "secret.set":
      await exchange(`${entry}?api-version=7.6`, {
        method: "PUT",
        headers: json(tokens.vault),
        body: JSON.stringify({ value: held.value }),
      });
      return;
    default:
      throw new Error(`expected a call that the floor knows, got ${op}`);
  }
}

function form(clientId: string, secret: string, scope: string): URLSearchParams {
  return new URLSearchParams({ grant_type: "client_credentials", client_id: clientId, client_secret: secret, scope });
}

async function bearer(
  { urls, tenantId, callers }: FloorWorld,
  who: "writer" | "vault",
  scope: string,
): Promise<string> {
  const { clientId, clientSecret } = callers[who];
  const answer = await exchange(`${urls.authority}/${tenantId}/oauth2/v2.0/token`, {
    method: "POST",
    body: form(clientId, clientSecret, scope),
  });
  return (answer as { access_token: string }).access_token;
}

async function currentValue({ urls }: FloorWorld, token: string, name: string): Promise<string> {
  const answer = await exchange(`${urls.vaults.main}/secrets/${name}?api-version=7.6`, {
    headers: { authorization: `Bearer ${token}` },
  });
  return (answer as { value: string }).value;
}

async function exchange(url: string, init: RequestInit): Promise<unknown> {
  const answer = await fetch(url, init);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`expected ${url} to work, got ${answer.status} ${text.slice(0, 200)}`);
  return JSON.parse(text);
}
