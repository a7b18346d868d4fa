import { CountersignError, type Facts, SecretValue } from "@countersign/core";
import { z } from "zod";
import type { Budget } from "../kit/budget.ts";
import type { Call, Endpoint, ErrorReader, Http } from "../kit/http.ts";
import type { Leave } from "../kit/leave.ts";
import { limits } from "../kit/limits.ts";
import type { RecordStore, StoredVersion } from "../kit/seams.ts";
import type { TokenSource } from "../kit/token.ts";
import { challenge, isAbsent } from "./challenge.ts";
import type { KeyVaultConnection } from "./schema.ts";
import { SecretBundle, SecretItems } from "./shapes.ts";

/** One vault ready to be called. */
export interface Vault {
  readonly connection: KeyVaultConnection;
  readonly tenantId: string;
  readonly http: Http;
  readonly endpoint: Endpoint;
  readonly token: TokenSource;
  readonly budget: Budget;
  readonly query: Readonly<Record<string, string>>;
  readonly loopback: boolean;
}

/** Finds a vault by its connection name. Throws CONFIG_INVALID. */
export type Vaults = (connection: string) => Vault;

export const defaultApiVersion = "2025-07-01";

const VaultError = z.object({
  error: z.object({
    code: z.string(),
    innererror: z.object({ code: z.string() }).nullish(),
    innerError: z.object({ code: z.string() }).nullish(),
  }),
});

/** Reads a vault's error: the inner code (`SecretDisabled`, `ObjectIsDeletedButRecoverable`) says more than the outer. */
export const readVaultError: ErrorReader = (_status, body) => {
  const parsed = VaultError.safeParse(body);
  if (!parsed.success) return { code: null, transient: false };
  const { code, innererror, innerError } = parsed.data.error;
  const deepest = innererror?.code ?? innerError?.code ?? code;
  return { code: deepest, transient: deepest === "ObjectIsBeingDeleted" };
};

type VaultCall<T> = Pick<Call<T>, "name" | "method" | "retry" | "effect" | "answer"> & { readonly json?: unknown };

/** One call to a vault. */
export function vaultCall<T>(leave: Leave, vault: Vault, url: URL, call: VaultCall<T>) {
  return vault.http.call(leave, {
    name: call.name,
    method: call.method,
    url,
    ...(call.json === undefined ? {} : { json: call.json }),
    retry: call.retry,
    effect: call.effect,
    // Documented is 200; whoever answers 201 to a PUT has stored it too.
    expect: [200, 201],
    answer: call.answer,
    readError: readVaultError,
    budget: vault.budget,
    token: vault.token,
  });
}

/** Version part of a secret's id. Throws OUTSIDE_MALFORMED for an id of another entry. */
export function versionOf(id: string, name: string): string {
  const parts = URL.canParse(id) ? new URL(id).pathname.split("/") : [];
  const [kind, found, version] = parts.slice(-3);
  if (
    kind !== "secrets" ||
    found?.toLowerCase() !== name.toLowerCase() ||
    version === undefined ||
    !/^[0-9a-zA-Z-]{1,64}$/.test(version)
  ) {
    throw new CountersignError("OUTSIDE_MALFORMED", `expected the id of a version of ${name}, got another id`);
  }
  return version;
}

/** Turns a bundle into what the rest works with. */
export function storedOf(bundle: SecretBundle, name: string): StoredVersion {
  return {
    version: versionOf(bundle.id, name),
    value: SecretValue.of(bundle.value),
    tags: bundle.tags ?? {},
    contentType: bundle.contentType ?? null,
    expiresAt: bundle.attributes?.exp ?? null,
  };
}

async function get(leave: Leave, vault: Vault, name: string, path: string): Promise<StoredVersion> {
  const answer = await vaultCall(leave, vault, vault.endpoint.url(path, vault.query), {
    name: "secret.get",
    method: "GET",
    retry: "safe",
    effect: false,
    answer: SecretBundle,
  });
  return storedOf(answer.body, name);
}

type Item = NonNullable<z.infer<typeof SecretItems>["value"]>[number];

/** Every item of a list of the vault, 25 a page, in no promised order. Error: LIMIT_EXCEEDED. */
export async function listed(leave: Leave, vault: Vault, name: string, path: string): Promise<Item[]> {
  const found: Item[] = [];
  let url: URL | null = vault.endpoint.url(path, { ...vault.query, maxresults: "25" });
  for (let pages = 0; url !== null; pages += 1) {
    if (pages >= limits.pagesMax)
      throw new CountersignError("LIMIT_EXCEEDED", `expected at most ${limits.pagesMax} pages of ${name}, got more`);
    const answer: { readonly body: z.infer<typeof SecretItems> } = await vaultCall(leave, vault, url, {
      name,
      method: "GET",
      retry: "safe",
      effect: false,
      answer: SecretItems,
    });
    found.push(...(answer.body.value ?? []));
    const link = answer.body.nextLink;
    url = link == null || link === "" ? null : vault.endpoint.follow(link);
  }
  return found;
}

/** The versions of an entry with their tags, in no promised order. */
export async function listVersions(
  leave: Leave,
  vault: Vault,
  name: string,
): Promise<{ version: string; created: number; tags: Readonly<Record<string, string>> }[]> {
  const items = await listed(leave, vault, "secret.versions", `/secrets/${name}/versions`);
  return items.map(({ id, attributes, tags }) => ({
    version: versionOf(id, name),
    created: attributes?.created ?? 0,
    tags: tags ?? {},
  }));
}

/** The vault as a system of record for the other connectors. */
export function recordStore(vault: Vault): RecordStore {
  return {
    prod: vault.connection.prod,
    async identity(leave, name): Promise<Facts> {
      const said = await challenge(leave, vault, name);
      return { name, tenantId: said.tenantId.toLowerCase(), vault: vault.endpoint.base.host };
    },
    async latest(leave, name) {
      try {
        return await get(leave, vault, name, `/secrets/${name}`);
      } catch (error) {
        if (isAbsent(error)) return null;
        throw error;
      }
    },
    version: (leave, name, version) => get(leave, vault, name, `/secrets/${name}/${version}`),
    reference: (name, version) => vault.endpoint.url(`/secrets/${name}/${version}`).href,
  };
}
