import { createPublicKey, verify } from "node:crypto";
import { z } from "zod";
import type { Incoming, Outcome } from "../http/exchange.ts";
import { isoTime } from "../time.ts";
import type { World } from "../world.ts";
import { refuseGithub } from "./errors.ts";
import type { GithubApp, GithubHost, GithubToken } from "./model.ts";

const HOUR_MS = 3_600_000;
const JWT_SECONDS_MAX = 600;
/** What the vendor forgives the caller's clock. */
const SKEW_SECONDS = 60;

const Claims = z.object({ iss: z.string(), iat: z.number(), exp: z.number() });
const TokenWish = z.strictObject({
  repositories: z.array(z.string()).optional(),
  permissions: z.record(z.string(), z.enum(["read", "write"])).optional(),
});

/** The token of a request; null where it is none that is in use. */
export function readToken(world: World, host: GithubHost, incoming: Incoming): GithubToken | null {
  const text = /^(?:Bearer|token) (.+)$/i.exec(incoming.headers.authorization ?? "")?.[1];
  const found = host.tokens.find((item) => item.token === text) ?? null;
  return found !== null && found.expiresMs !== null && found.expiresMs <= world.clock.nowMs ? null : found;
}

/** Whether the token may do that here. A repository that it may not see is not there, as far as it is told. */
export function grants(
  token: GithubToken,
  permission: string,
  level: "read" | "write",
  repository: string | null,
): boolean {
  const seen =
    repository === null || token.repositories.some((item) => item === "*" || item.toLowerCase() === repository);
  const has = token.permissions[permission];
  return seen && (has === "write" || has === level);
}

/** POST the installation's token: the app shows that it is itself, and may ask for less than it has. */
export function issueToken(world: World, host: GithubHost, incoming: Incoming, installation: number): Outcome {
  const app = host.apps.find((item) => item.installation === installation);
  const now = world.clock.nowMs / 1_000;
  const claims = app === undefined ? null : readJwt(app, incoming);
  if (app === undefined || claims === null) return refuseGithub(401, "A JSON web token could not be decoded");
  if (claims.exp - claims.iat > JWT_SECONDS_MAX || claims.exp > now + JWT_SECONDS_MAX + SKEW_SECONDS)
    return refuseGithub(401, "'Expiration time' claim ('exp') is too far in the future");
  if (claims.exp <= now || claims.iat > now + SKEW_SECONDS)
    return refuseGithub(401, "'Issued at' claim ('iat') must be in the past");
  const wish = TokenWish.safeParse(incoming.body === "" ? {} : parse(incoming.body));
  if (!wish.success) return refuseGithub(422, "Validation Failed");
  const permissions = wish.data.permissions ?? app.permissions;
  for (const [name, level] of Object.entries(permissions)) {
    const has = app.permissions[name];
    if (has !== "write" && has !== level)
      return refuseGithub(422, "The permissions requested are not granted to this installation.");
  }
  const owned = (name: string) =>
    host.repositories.find(
      (item) =>
        item.name === name && (app.repositories.includes("*") || app.repositories.includes(`${item.owner}/${name}`)),
    );
  const repositories = wish.data.repositories?.map((name) => owned(name));
  if (repositories?.some((item) => item === undefined) === true)
    return refuseGithub(
      422,
      "There is at least one repository that does not exist or is not accessible to the parent installation.",
    );
  const token = `ghs_${world
    .random("github-token")
    .secret(36)
    .replaceAll(/[^A-Za-z0-9]/g, "x")}`;
  const expiresMs = world.clock.nowMs + HOUR_MS;
  host.tokens.push({
    token,
    caller: app.clientId,
    permissions: { metadata: "read", ...permissions },
    repositories: repositories?.map((item) => `${item?.owner}/${item?.name}`) ?? app.repositories,
    expiresMs,
  });
  const body = {
    token,
    expires_at: seconds(expiresMs),
    permissions,
    repository_selection: repositories === undefined ? "all" : "selected",
  };
  return {
    reply: { status: 201, body },
    effect: false,
    caller: app.clientId,
    target: { permissions: Object.keys(permissions).join(), repositories: repositories?.length ?? null },
  };
}

/** Counts the request; a refusal once the hour's requests are spent, and what every answer says of it. */
export function spend(
  world: World,
  host: GithubHost,
  caller: string,
): { refusal: Outcome | null; headers: Record<string, string> } {
  const hour = Math.floor(world.clock.nowMs / HOUR_MS);
  const before = host.spent[caller];
  const spent = before?.hour === hour ? before : { hour, requests: 0 };
  host.spent[caller] = spent;
  const headers = (remaining: number) => ({
    "x-ratelimit-limit": String(host.requestsPerHourMax),
    "x-ratelimit-remaining": String(remaining),
    "x-ratelimit-reset": String(((hour + 1) * HOUR_MS) / 1_000),
  });
  if (spent.requests >= host.requestsPerHourMax)
    return { refusal: refuseGithub(403, "API rate limit exceeded for installation."), headers: headers(0) };
  spent.requests += 1;
  return { refusal: null, headers: headers(host.requestsPerHourMax - spent.requests) };
}

/** Times have whole seconds here. */
export function seconds(ms: number): string {
  return `${isoTime(ms).slice(0, 19)}Z`;
}

function readJwt(app: GithubApp, incoming: Incoming): z.output<typeof Claims> | null {
  const [head = "", body = "", signature = ""] =
    /^Bearer (.+)$/i.exec(incoming.headers.authorization ?? "")?.[1]?.split(".") ?? [];
  const claims = Claims.safeParse(parse(Buffer.from(body, "base64url").toString("utf8")));
  const alg = z.object({ alg: z.literal("RS256") }).safeParse(parse(Buffer.from(head, "base64url").toString("utf8")));
  if (!claims.success || !alg.success || claims.data.iss !== app.clientId) return null;
  const ok = verify(
    "sha256",
    Buffer.from(`${head}.${body}`),
    createPublicKey(app.publicKey),
    Buffer.from(signature, "base64url"),
  );
  return ok ? claims.data : null;
}

/** JSON or undefined. */
export function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
