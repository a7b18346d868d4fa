import type { Incoming, Operation, Outcome, Surface } from "../http/exchange.ts";
import type { World } from "../world.ts";
import { grants, issueToken, readToken, spend } from "./access.ts";
import { githubFailure, refuseGithub } from "./errors.ts";
import type { GithubHost, SecretHolder } from "./model.ts";
import { getSecret, listSelected, minimalRepository, publicKey, putSecret } from "./secrets.ts";

/** Secrets of GitHub Actions, with and without the `/api/v3` of a GitHub Enterprise Server. */
export function createGithubSurface(world: World, host: GithubHost): Surface {
  return {
    name: `github ${host.name}`,
    resolve: (incoming) => resolve(world, host, incoming),
    fail: (request) => githubFailure(request),
  };
}

/** What a path is about. Names are decoded one by one: a `/` inside one has to come encoded. */
interface Place {
  op: string;
  holder: SecretHolder | null;
  /** `owner/name` in lower case; null for an organization. */
  repository: string | null;
  permission: string;
  name: string;
  installation: number | null;
}

function resolve(world: World, host: GithubHost, incoming: Incoming): Operation {
  const place = placeOf(host, incoming);
  const token = readToken(world, host, incoming);
  const write = place.op === "actionsSecret.put";
  return {
    op: place.op,
    write,
    caller: token?.caller ?? null,
    target: { host: host.name, repository: place.repository, secret: place.name === "" ? null : place.name },
    carryOut(): Outcome {
      if (incoming.userAgent === null)
        return refuseGithub(
          403,
          "Request forbidden by administrative rules. Please make sure your request has a User-Agent header",
        );
      if (place.installation !== null) return issueToken(world, host, incoming, place.installation);
      if (token === null) return refuseGithub(401, "Bad credentials");
      const { refusal, headers } = spend(world, host, token.caller);
      const outcome = refusal ?? carry(world, host, incoming, place, token, write);
      return { ...outcome, reply: { ...outcome.reply, headers: { ...headers, ...outcome.reply.headers } } };
    },
  };
}

function carry(
  world: World,
  host: GithubHost,
  incoming: Incoming,
  place: Place,
  token: NonNullable<ReturnType<typeof readToken>>,
  write: boolean,
): Outcome {
  const { op, holder, name } = place;
  const base = incoming.origin;
  // Who may not see it is told the same as who asks for what is not there.
  const sees = grants(token, place.permission, "read", place.repository);
  if (holder === null || !sees) return refuseGithub(404, "Not Found");
  if (write && !grants(token, place.permission, "write", place.repository))
    return refuseGithub(403, "Resource not accessible by integration");
  if (op === "repository.get") {
    const found = host.repositories.find((item) => item === holder);
    return found === undefined
      ? refuseGithub(404, "Not Found")
      : { reply: { status: 200, body: minimalRepository(base, found) }, effect: false };
  }
  const organization = host.organizations.find((item) => item === holder);
  if (op === "organization.get") {
    const body = { id: organization?.id, login: organization?.login, node_id: `O_${organization?.id}` };
    return { reply: { status: 200, body }, effect: false };
  }
  if (op === "actionsSecret.publicKey") return publicKey(world, holder);
  if (op === "actionsSecret.get") return getSecret(base, holder, name);
  if (op === "actionsSecret.put") return putSecret(world, holder, name, incoming.body);
  if (op === "actionsSecret.repositories" && organization !== undefined)
    return listSelected(host, organization, name, incoming.query, base);
  return refuseGithub(404, "Not Found");
}

function placeOf(host: GithubHost, incoming: Incoming): Place {
  const parts = incoming.rawPath
    .replace(/^\/api\/v3(?=\/)/, "")
    .split("/")
    .slice(1)
    .map(decode);
  const nothing: Place = {
    op: "unknown",
    holder: null,
    repository: null,
    permission: "metadata",
    name: "",
    installation: null,
  };
  const { method } = incoming;
  if (parts[0] === "app" && parts[1] === "installations" && parts[3] === "access_tokens" && method === "POST")
    return { ...nothing, op: "githubApp.token", installation: Number(parts[2]) };
  if (parts[0] === "orgs") {
    const holder = host.organizations.find((item) => item.login.toLowerCase() === parts[1]?.toLowerCase()) ?? null;
    if (parts.length === 2 && method === "GET") return { ...nothing, op: "organization.get", holder };
    const rest = parts[2] === "actions" && parts[3] === "secrets" ? parts.slice(4) : [];
    const listed = rest[1] === "repositories" && rest.length === 2 && method === "GET";
    const op = listed ? "actionsSecret.repositories" : opOf(method, rest);
    return { ...nothing, op, holder, permission: "organization_secrets", name: rest[0] ?? "" };
  }
  if (parts[0] !== "repos") return nothing;
  const repository = `${parts[1]}/${parts[2]}`.toLowerCase();
  const found = host.repositories.find((item) => `${item.owner}/${item.name}`.toLowerCase() === repository) ?? null;
  if (parts.length === 3 && method === "GET") return { ...nothing, op: "repository.get", holder: found, repository };
  if (parts[3] === "actions" && parts[4] === "secrets") {
    const rest = parts.slice(5);
    return {
      ...nothing,
      op: opOf(method, rest),
      holder: found,
      repository,
      permission: "secrets",
      name: rest[0] ?? "",
    };
  }
  if (parts[3] === "environments" && parts[5] === "secrets") {
    const rest = parts.slice(6);
    const holder = found?.environments.find((item) => item.name === parts[4]) ?? null;
    return { ...nothing, op: opOf(method, rest), holder, repository, permission: "environments", name: rest[0] ?? "" };
  }
  return nothing;
}

function opOf(method: string, rest: readonly string[]): string {
  if (rest.length !== 1) return "unknown";
  if (method === "PUT") return "actionsSecret.put";
  if (method !== "GET") return "unknown";
  return rest[0] === "public-key" ? "actionsSecret.publicKey" : "actionsSecret.get";
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
