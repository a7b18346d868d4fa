import { CountersignError, isCode } from "@countersign/core";
import { isLoopbackHost } from "../kit/addresses.ts";
import type { Leave } from "../kit/leave.ts";
import type { Vault } from "./vault.ts";

/** What a vault says of itself to a caller without a token (Key Vault docs, authentication requests and responses). */
export interface Challenge {
  readonly tenantId: string;
  /** Host of the resource that tokens must be for. */
  readonly resource: string;
}

/** Reads `WWW-Authenticate: Bearer authorization="https://login…/<tenant>", resource="https://vault…"`; null for another form. */
export function parseChallenge(header: string | undefined): Challenge | null {
  if (header === undefined || !/^bearer\s/i.test(header)) return null;
  const part = (name: string) => new RegExp(`${name}="([^"]{1,500})"`, "i").exec(header)?.[1];
  const authorization = part("authorization") ?? part("authorization_uri");
  const resource = part("resource") ?? part("scope")?.replace(/\/\.default$/, "");
  if (authorization === undefined || resource === undefined || !URL.canParse(authorization) || !URL.canParse(resource))
    return null;
  const tenantId = new URL(authorization).pathname.split("/")[1];
  return tenantId === undefined || tenantId === "" ? null : { tenantId, resource: new URL(resource).hostname };
}

/**
 * Asks the vault without a token which tenant it belongs to, and checks the answer: the tenant must be the configured
 * one and the resource's host a parent of the vault's host. Otherwise somebody else's server stands behind the name.
 */
export async function challenge(leave: Leave, vault: Vault, name: string): Promise<Challenge> {
  const answer = await vault.http.call(leave, {
    name: "vault.challenge",
    method: "GET",
    url: vault.endpoint.url(`/secrets/${name}`, vault.query),
    retry: "safe",
    effect: false,
    expect: [401],
    answer: null,
    readError: () => ({ code: null, transient: false }),
    budget: vault.budget,
  });
  const said = parseChallenge(answer.headers["www-authenticate"]);
  if (said === null)
    throw new CountersignError(
      "OUTSIDE_MALFORMED",
      "expected a vault to answer a call without a token with its challenge, got none",
    );
  if (said.tenantId.toLowerCase() !== vault.tenantId.toLowerCase()) {
    throw new CountersignError(
      "IDENTITY_MISMATCH",
      "expected the vault to belong to the configured tenant, got another one",
      {
        expected: vault.tenantId,
        found: said.tenantId.slice(0, 64),
      },
    );
  }
  const { hostname } = vault.endpoint.base;
  const excused = vault.loopback && isLoopbackHost(hostname);
  if (!excused && !hostname.toLowerCase().endsWith(`.${said.resource.toLowerCase()}`)) {
    throw new CountersignError(
      "HOST_REFUSED",
      "expected the vault's host to lie below its challenge resource, got another host",
      {
        host: hostname,
        resource: said.resource,
      },
    );
  }
  return said;
}

/** Whether an error says that the entry or version is not there. */
export function isAbsent(error: unknown): boolean {
  return isCode(error, "OUTSIDE_NOT_FOUND");
}
