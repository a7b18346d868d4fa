import { randomUUID } from "node:crypto";
import type { FailureRequest, Incoming, Operation, Outcome, Reply, Surface } from "../http/exchange.ts";
import { applicationByAppId } from "../tenant/lookup.ts";
import { spacedTime } from "../time.ts";
import type { World } from "../world.ts";
import { type TokenErrorCode, tokenErrors } from "./errors.ts";
import { signIn } from "./sign-in.ts";

const TOKEN_SECONDS = 3599;
const VAULT_RESOURCE = "https://vault.azure.net";
const GRAPH_RESOURCE = "https://graph.microsoft.com";

/** Token endpoint, discovery and JWKS; null from `resolve` means: not a path of this face. */
export function createEntraSurface(world: World): Omit<Surface, "resolve"> & {
  resolve(incoming: Incoming): Operation | null;
} {
  return {
    name: "entra",
    resolve(incoming) {
      const match = /^\/([^/]+)(\/.*)$/.exec(incoming.path);
      const tenant = match?.[1] ?? "";
      const rest = match?.[2] ?? "";
      if (rest === "/oauth2/v2.0/token") return tokenOperation(world, incoming, tenant);
      if (rest === "/v2.0/.well-known/openid-configuration" || rest === "/.well-known/openid-configuration") {
        return read("discovery", () => discovery(world, incoming, tenant));
      }
      if (rest === "/discovery/v2.0/keys") return read("jwks", () => ({ status: 200, body: world.keys.jwks() }));
      if (incoming.path === "/common/discovery/instance") {
        return read("discovery", () => ({ status: 200, body: { tenant_discovery_endpoint: null, metadata: [] } }));
      }
      return null;
    },
    fail: (request, incoming) => failure(world, request, incoming),
  };
}

function read(op: string, body: () => Reply): Operation {
  return { op, write: false, caller: null, target: {}, carryOut: () => ({ reply: body(), effect: false }) };
}

function tokenOperation(world: World, incoming: Incoming, tenant: string): Operation {
  const form = new URLSearchParams(incoming.body);
  const basic = basicCredentials(incoming);
  const clientId = form.get("client_id") ?? basic?.id ?? null;
  const secret = form.get("client_secret") ?? basic?.secret ?? null;
  const known = applicationByAppId(world.tenant, clientId ?? "") !== undefined;
  return {
    op: "token",
    // A lost answer to a token request changes nothing that the caller could not ask for again.
    write: false,
    caller: known ? clientId : null,
    target: { appId: known ? clientId : null },
    carryOut: () => token(world, incoming, tenant, form, clientId, secret),
  };
}

function token(
  world: World,
  incoming: Incoming,
  tenant: string,
  form: URLSearchParams,
  clientId: string | null,
  secret: string | null,
): Outcome {
  const refuse = (code: TokenErrorCode, detail = ""): Outcome => ({
    reply: errorReply(world, code, incoming, { app: clientId ?? "", tenant, parameter: detail }),
    effect: false,
    code: `AADSTS${code}`,
  });
  if (incoming.method !== "POST") return refuse(900144, "grant_type");
  const { id, domain, aliases = [] } = world.tenant;
  if (![id, domain, ...aliases].includes(tenant)) return refuse(90002);
  const grant = form.get("grant_type");
  if (grant === null) return refuse(900144, "grant_type");
  if (grant !== "client_credentials") return refuse(70003, grant);
  if (clientId === null) return refuse(900144, "client_id");
  const scope = form.get("scope");
  if (scope === null) return refuse(900144, "scope");
  if (!scope.endsWith("/.default") || scope.includes(" ")) return refuse(70011, scope);
  if (secret === null) return refuse(7000218);

  const resource = resourceOf(world, scope.slice(0, -"/.default".length));
  const result = signIn(world, {
    clientId,
    secret,
    resource,
    ipAddress: incoming.ip,
    correlationId: correlationId(incoming),
    workload: null,
  });
  if (!result.ok) return { ...refuse(result.code), target: { keyId: result.keyId } };

  const seconds = Math.floor(world.clock.nowMs / 1000);
  const accessToken = world.keys.issue({
    aud: resource,
    iss: `https://sts.windows.net/${world.tenant.id}/`,
    iat: seconds,
    nbf: seconds,
    exp: seconds + TOKEN_SECONDS,
    appid: clientId,
    oid: result.servicePrincipal.id,
    sub: result.servicePrincipal.id,
    tid: world.tenant.id,
    // Without a granted role the claim is absent, and the token is issued all the same.
    ...(resource === GRAPH_RESOURCE && result.servicePrincipal.roles.length > 0
      ? { roles: result.servicePrincipal.roles }
      : {}),
    uti: result.signInId,
    ver: "1.0",
    idtyp: "app",
  });
  return {
    reply: {
      status: 200,
      body: {
        token_type: "Bearer",
        expires_in: TOKEN_SECONDS,
        ext_expires_in: TOKEN_SECONDS,
        access_token: accessToken,
      },
    },
    effect: true,
    target: { keyId: result.keyId, signInId: result.signInId, resource },
  };
}

/** Our own base URLs stand for the vendor's, so that a connector may derive the audience from its base URL. */
function resourceOf(world: World, text: string): string {
  if (text === VAULT_RESOURCE || Object.values(world.addresses.vaults).includes(text)) return VAULT_RESOURCE;
  return text === world.addresses.graph ? GRAPH_RESOURCE : text;
}

function basicCredentials(incoming: Incoming): { id: string; secret: string } | null {
  const match = /^Basic (.+)$/i.exec(incoming.headers.authorization ?? "");
  if (match?.[1] === undefined) return null;
  const text = Buffer.from(match[1], "base64").toString("utf8");
  const colon = text.indexOf(":");
  // RFC 6749 2.3.1: both parts are form-encoded before they are joined.
  const decode = (part: string): string => {
    try {
      return decodeURIComponent(part.replaceAll("+", " "));
    } catch {
      return part;
    }
  };
  return colon < 0 ? null : { id: decode(text.slice(0, colon)), secret: decode(text.slice(colon + 1)) };
}

function discovery(world: World, incoming: Incoming, tenant: string): Reply {
  if (tenant !== world.tenant.id && tenant !== world.tenant.domain && !["common", "organizations"].includes(tenant)) {
    return errorReply(world, 90002, incoming, { app: "", tenant, parameter: "" });
  }
  const base = `${incoming.origin}/${tenant}`;
  return {
    status: 200,
    body: {
      token_endpoint: `${base}/oauth2/v2.0/token`,
      token_endpoint_auth_methods_supported: ["client_secret_post", "private_key_jwt", "client_secret_basic"],
      jwks_uri: `${base}/discovery/v2.0/keys`,
      response_modes_supported: ["query", "fragment", "form_post"],
      subject_types_supported: ["pairwise"],
      id_token_signing_alg_values_supported: ["RS256"],
      response_types_supported: ["code", "id_token", "code id_token", "id_token token"],
      scopes_supported: ["openid", "profile", "email", "offline_access"],
      issuer: `${incoming.origin}/${world.tenant.id}/v2.0`,
      authorization_endpoint: `${base}/oauth2/v2.0/authorize`,
      tenant_region_scope: "EU",
      cloud_instance_name: "microsoftonline.com",
      cloud_graph_host_name: "graph.windows.net",
      msgraph_host: "graph.microsoft.com",
    },
  };
}

function correlationId(incoming: Incoming): string {
  return incoming.clientRequestId ?? incoming.query.get("client-request-id") ?? incoming.requestId;
}

function errorReply(
  world: World,
  code: TokenErrorCode,
  incoming: Incoming,
  words: { app: string; tenant: string; parameter: string },
): Reply {
  const row = tokenErrors.get(code);
  if (row === undefined) throw new RangeError(`token error: expected a code of the table, got ${code}`);
  const text = row.text
    .replaceAll("{app}", words.app)
    .replaceAll("{tenant}", words.tenant)
    .replaceAll("{parameter}", words.parameter);
  const timestamp = spacedTime(world.clock.nowMs);
  const traceId = randomUUID();
  const correlation = correlationId(incoming);
  return {
    status: row.status,
    body: {
      error: row.error,
      error_description: `AADSTS${code}: ${text}\r\nTrace ID: ${traceId}\r\nCorrelation ID: ${correlation}\r\nTimestamp: ${timestamp}`,
      error_codes: [code],
      timestamp,
      trace_id: traceId,
      correlation_id: correlation,
      error_uri: `https://login.microsoftonline.com/error?code=${code}`,
    },
  };
}

function failure(world: World, request: FailureRequest, incoming: Incoming): Reply {
  const words = { app: "", tenant: world.tenant.id, parameter: "" };
  const code =
    request.status === 429 ? 50196 : request.status === 401 ? 7000215 : request.status < 500 ? 900144 : 90033;
  const reply = errorReply(world, code, incoming, words);
  const headers: Record<string, string> =
    request.retryAfterSeconds === null ? {} : { "retry-after": String(request.retryAfterSeconds) };
  return { ...reply, status: request.status, headers };
}
