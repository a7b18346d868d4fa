import { z } from "zod";
import type { Lane } from "../crash/stage/lane.ts";
import type { Row } from "../crash/stage/names.ts";
import type { Simulator } from "../crash/stage/simulator.ts";

/** Somebody in the tenant with rights of their own, who knows nothing of the product. */
export interface Stranger {
  /** Adds a secret to the application. */
  addKey(row: Row): Promise<{ readonly keyId: string; readonly secretText: string }>;
  /** Writes a value into the record, as its newest version. */
  overwrite(row: Row, value: string): Promise<void>;
}

const name = "stranger";
const Token = z.object({ access_token: z.string() });
const Added = z.object({ keyId: z.string(), secretText: z.string() });

/** Lets somebody else into the tenant of a lane. */
export async function strangerIn({ simulator, directory }: Lane): Promise<Stranger> {
  await simulator.post("/seed", {
    callers: [{ name, roles: ["Application.ReadWrite.All"], vaults: { "*": "officer" } }],
  });
  const { urls } = directory;
  return {
    async addKey(row) {
      const objectId = directory.applications.find((application) => application.name === row.name)?.objectId;
      const url = new URL(`/v1.0/applications/${objectId}/addPassword`, urls.graph);
      const body = { passwordCredential: { displayName: "made by hand" } };
      return Added.parse(await call(simulator, "POST", url, `${urls.graph}/.default`, body));
    },
    async overwrite(row, value) {
      const url = new URL(`/secrets/${row.name}?api-version=7.6`, urls.vaults.main);
      await call(simulator, "PUT", url, "https://vault.azure.net/.default", { value });
    },
  };
}

async function call(simulator: Simulator, method: string, url: URL, scope: string, body: object): Promise<unknown> {
  const { callers, tenant, urls } = await simulator.directory();
  const token = await fetch(new URL(`/${tenant.id}/oauth2/v2.0/token`, urls.authority), {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "client_credentials",
      client_id: callers[name]?.clientId ?? "",
      client_secret: callers[name]?.clientSecret ?? "",
      scope,
    }),
  });
  const { access_token: bearer } = Token.parse(await token.json());
  const answer = await fetch(url, {
    method,
    headers: { authorization: `Bearer ${bearer}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok)
    throw new Error(`expected ${method} ${url.pathname} to work, got ${answer.status} ${await answer.text()}`);
  return answer.json();
}
