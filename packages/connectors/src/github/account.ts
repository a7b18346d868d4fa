import type { Facts, SecretValue } from "@countersign/core";
import type { z } from "zod";
import type { Budget } from "../kit/budget.ts";
import { factOf, outsideError } from "../kit/errors.ts";
import type { Ground } from "../kit/ground.ts";
import type { Answer, Call, Endpoint, Http } from "../kit/http.ts";
import type { Leave } from "../kit/leave.ts";
import type { TokenSource } from "../kit/token.ts";
import { asGithub, readGithubError, untilReset } from "./limits.ts";
import type { GithubConnection } from "./schema.ts";
import { seal } from "./seal.ts";
import { Organization, PublicKey, Repository, Secret, SelectedPage } from "./shapes.ts";
import { appTokens, type Need } from "./tokens.ts";

/** One GitHub ready to be called. */
export interface Github {
  readonly connection: GithubConnection;
  readonly http: Http;
  readonly endpoint: Endpoint;
  readonly budget: Budget;
  tokens(need: Need): TokenSource;
}

/** Finds a GitHub by its connection name. Throws CONFIG_INVALID. */
export type Githubs = (connection: string) => Github;

/** Where a secret stands: in exactly one of a repository and an organization. */
export interface SecretPlace {
  readonly repository?: string | undefined;
  readonly organization?: string | undefined;
  readonly deployment?: string | undefined;
  readonly entry: string;
}

/** Pages of repositories that one organization's secret is for. */
const pagesMax = 100;

/** Makes a connection ready. Throws HOST_REFUSED. */
export function connectGithub(connection: GithubConnection, ground: Ground): Github {
  const { app, token } = connection;
  const { http } = ground;
  const endpoint = http.endpoint(connection.url);
  const budget = ground.budget(`${endpoint.base.host}:github`);
  const key = app?.key ?? "";
  const own: TokenSource = { token: () => ground.readSecret(token ?? "") };
  return {
    connection,
    http,
    endpoint,
    budget,
    tokens:
      app === undefined ? () => own : appTokens({ ...app, http, endpoint, budget, key: () => ground.readSecret(key) }),
  };
}

/** What is looked up in the connection's scope. */
export function scopeName({ repository, organization, deployment, entry }: SecretPlace): string {
  return [repository ?? organization, deployment, entry].filter((part) => part !== undefined).join("/");
}

function needOf({ repository, deployment }: SecretPlace): Need {
  if (repository === undefined) return { permission: "organization_secrets", repository: null };
  const permission = deployment === undefined ? "secrets" : "environments";
  return { permission, repository: repository.split("/")[1] ?? "" };
}

/** Path of what holds the secret: each name encoded by itself, since an environment's may hold `/`. */
function holderPath({ repository, organization }: SecretPlace): string {
  return repository === undefined
    ? `/orgs/${encodeURIComponent(organization ?? "")}`
    : `/repos/${repository.split("/").map(encodeURIComponent).join("/")}`;
}

function secretsPath(place: SecretPlace): string {
  const inside = place.deployment === undefined ? "/actions" : `/environments/${encodeURIComponent(place.deployment)}`;
  return `${holderPath(place)}${inside}/secrets`;
}

type GithubCall<T> = Pick<Call<T>, "name" | "url"> &
  Partial<Pick<Call<T>, "method" | "json" | "retry" | "effect" | "expect" | "answer">>;

async function call<T>(leave: Leave, to: Github, place: SecretPlace, request: GithubCall<T>): Promise<Answer<T>> {
  try {
    return await to.http.call(leave, {
      method: "GET",
      retry: "safe",
      effect: false,
      expect: [200],
      answer: null,
      ...request,
      headers: asGithub,
      readError: readGithubError,
      budget: to.budget,
      token: to.tokens(needOf(place)),
      pauseMs: untilReset,
    });
  } catch (error) {
    const status = factOf(error, "status");
    if (status !== 301 && status !== 307 && status !== 308) throw error;
    // It was renamed or moved: the plan does not name the new place, so it is not followed.
    throw outsideError({
      code: "OUTSIDE_NOT_FOUND",
      call: request.name,
      status,
      vendorCode: null,
      requestId: null,
      refused: true,
      retryAfterMs: null,
      message: `expected ${request.name} to find what the plan names, got the address of another place`,
    });
  }
}

/**
 * What outlives a name: the repository's or the organization's number (I11). Throws OUTSIDE_NOT_FOUND, which is also what
 * somebody without permission is told.
 */
export async function identityOf(leave: Leave, to: Github, place: SecretPlace): Promise<Facts> {
  const url = to.endpoint.url(holderPath(place));
  const host = to.endpoint.base.host;
  if (place.repository === undefined) {
    const { body } = await call(leave, to, place, { name: "organization.get", url, answer: Organization });
    return { host, organizationId: String(body.id), entry: place.entry };
  }
  const { body } = await call(leave, to, place, { name: "repository.get", url, answer: Repository });
  const deployment = place.deployment === undefined ? {} : { deployment: place.deployment };
  return { host, repositoryId: String(body.id), ...deployment, entry: place.entry };
}

/** When the secret was written last, and who may use it. Its value is never answered. Throws OUTSIDE_NOT_FOUND. */
export async function readSecret(leave: Leave, to: Github, place: SecretPlace): Promise<Secret> {
  const url = to.endpoint.url(`${secretsPath(place)}/${encodeURIComponent(place.entry)}`);
  return (await call(leave, to, place, { name: "actionsSecret.get", url, answer: Secret })).body;
}

/** Who may use an organization's secret, as it is sent again with each write. */
export interface Sharing {
  readonly visibility: "all" | "private" | "selected";
  readonly selected: readonly number[];
}

/** Null for a secret that is not an organization's. */
export async function sharingOf(leave: Leave, to: Github, place: SecretPlace, secret: Secret): Promise<Sharing | null> {
  if (place.organization === undefined || secret.visibility === undefined) return null;
  if (secret.visibility !== "selected") return { visibility: secret.visibility, selected: [] };
  const selected: number[] = [];
  for (let page = 1; page <= pagesMax; page += 1) {
    const url = to.endpoint.url(`${secretsPath(place)}/${encodeURIComponent(place.entry)}/repositories`, {
      per_page: "100",
      page: String(page),
    });
    const { body }: { readonly body: z.infer<typeof SelectedPage> } = await call(leave, to, place, {
      name: "actionsSecret.repositories",
      url,
      answer: SelectedPage,
    });
    selected.push(...body.repositories.map(({ id }) => id));
    if (selected.length >= body.total_count || body.repositories.length === 0)
      return { visibility: "selected", selected: selected.toSorted((a, b) => a - b) };
  }
  throw outsideError({
    code: "OUTSIDE_MALFORMED",
    call: "actionsSecret.repositories",
    status: null,
    vendorCode: null,
    requestId: null,
    refused: true,
    retryAfterMs: null,
    message: `expected at most ${pagesMax} pages of repositories, got more`,
  });
}

/** Writes the value, sealed for the key that the place has now. An organization's secret keeps who may use it. */
export async function putSecret(
  leave: Leave,
  to: Github,
  place: SecretPlace,
  value: SecretValue,
  sharing: Sharing | null,
): Promise<Answer<undefined>> {
  const keyUrl = to.endpoint.url(`${secretsPath(place)}/public-key`);
  const { body: key } = await call(leave, to, place, {
    name: "actionsSecret.publicKey",
    url: keyUrl,
    answer: PublicKey,
  });
  return call<undefined>(leave, to, place, {
    name: "actionsSecret.put",
    method: "PUT",
    url: to.endpoint.url(`${secretsPath(place)}/${encodeURIComponent(place.entry)}`),
    json: {
      encrypted_value: await seal(value, key.key),
      key_id: key.key_id,
      ...(sharing === null
        ? {}
        : {
            visibility: sharing.visibility,
            ...(sharing.visibility === "selected" ? { selected_repository_ids: sharing.selected } : {}),
          }),
    },
    retry: "idempotent",
    effect: true,
    expect: [201, 204],
  });
}
