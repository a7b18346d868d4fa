import { applicationByAppId, principalByAppId } from "../tenant/lookup.ts";
import type { Application, Credential, ServicePrincipal } from "../tenant/model.ts";
import type { World } from "../world.ts";
import type { TokenErrorCode } from "./errors.ts";

/** How many token gateways and directory replicas there are; each sees a change after its own delay. */
export const REPLICAS = 3;

/** A try to sign in as an application. */
export interface SignInAttempt {
  clientId: string;
  secret: string;
  resource: string;
  ipAddress: string;
  correlationId: string;
  workload: string | null;
}

export type SignInResult =
  | { ok: true; application: Application; servicePrincipal: ServicePrincipal; keyId: string; signInId: string }
  | { ok: false; code: TokenErrorCode; keyId: string | null };

/**
 * Checks a secret as one gateway sees it and writes the sign-in log. HTTP callers and hosted workloads both come
 * through here; no random fault does.
 */
export function signIn(world: World, attempt: SignInAttempt): SignInResult {
  const result = check(world, attempt);
  const id = world.random("sign-in").uuid();
  const { nowMs } = world.clock;
  if (result.ok || result.code !== 700016) {
    world.tenant.signIns.push({
      id,
      atMs: nowMs,
      visibleMs: nowMs + world.random("sign-in-lag").between(world.knobs.signInLogLagSeconds) * 1000,
      appId: attempt.clientId,
      keyId: result.keyId,
      ipAddress: attempt.ipAddress,
      resource: attempt.resource,
      errorCode: result.ok ? 0 : result.code,
      correlationId: attempt.correlationId,
      workload: attempt.workload,
    });
  }
  return result.ok ? { ...result, signInId: id } : result;
}

function check(world: World, attempt: SignInAttempt): SignInResult {
  const { tenant, clock } = world;
  const application = applicationByAppId(tenant, attempt.clientId);
  const servicePrincipal = principalByAppId(tenant, attempt.clientId);
  if (application === undefined || servicePrincipal === undefined) return { ok: false, code: 700016, keyId: null };
  if (application.isDisabled || !servicePrincipal.accountEnabled) return { ok: false, code: 7000112, keyId: null };
  const gateway = world.random("gateway").integer(0, REPLICAS - 1);
  const matching = [...application.credentials, ...servicePrincipal.credentials].filter(
    (credential) => credential.secretText === attempt.secret && acceptedBy(credential, gateway, clock.nowMs),
  );
  const live = matching.find((credential) => credential.endMs > clock.nowMs);
  if (live !== undefined) return { ok: true, application, servicePrincipal, keyId: live.keyId, signInId: "" };
  const expired = matching[0];
  return expired === undefined
    ? { ok: false, code: 7000215, keyId: null }
    : { ok: false, code: 7000222, keyId: expired.keyId };
}

function acceptedBy(credential: Credential, gateway: number, nowMs: number): boolean {
  const usable = (credential.usableAtMs[gateway] ?? 0) <= nowMs && credential.startMs <= nowMs;
  const gone = credential.removedMs !== null && (credential.unusableAtMs[gateway] ?? 0) <= nowMs;
  return usable && !gone;
}
