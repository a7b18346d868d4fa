import { REPLICAS } from "../entra/sign-in.ts";
import { createRandom } from "../random.ts";
import { sevenDigitTime } from "../time.ts";
import type { World } from "../world.ts";
import type { Credential, CredentialHolder } from "./model.ts";

const SECRET_LENGTH = 40;

/** What addPassword may be told. Times in virtual milliseconds. */
export interface NewCredential {
  displayName: string | null;
  startMs: number | null;
  endMs: number | null;
  /** appId of the caller; null for a credential that is there from the start and seen everywhere at once. */
  createdBy: string | null;
}

/** Creates a credential on an application or service principal, with its own delays per replica. */
export function addCredential(world: World, holder: CredentialHolder, input: NewCredential): Credential {
  const { clock, knobs } = world;
  const seeded = input.createdBy === null;
  // A stream that is drawn from once is not kept: tenants are seeded with hundreds of thousands of credentials.
  const random = seeded
    ? createRandom(world.seed, `seeded:${holder.id}:${holder.credentials.length}`)
    : world.random(`credential:${holder.id}`);
  const startMs = input.startMs ?? clock.nowMs;
  const endMs = input.endMs ?? addYears(startMs, 2);
  const secretText = random.secret(SECRET_LENGTH);
  const credential: Credential = {
    keyId: random.uuid(),
    displayName: input.displayName,
    hint: secretText.slice(0, 3),
    secretText,
    startMs,
    endMs,
    startText: sevenDigitTime(startMs, random.hex(4).replaceAll(/[a-f]/g, "7")),
    endText: input.endMs === null ? sevenDigitTime(endMs, "0000") : shortTime(endMs),
    createdMs: seeded ? startMs : clock.nowMs,
    createdBy: input.createdBy,
    removedMs: null,
    listedAtMs: seeded
      ? replicas(() => 0)
      : replicas(() => clock.nowMs + random.between(knobs.visibilityLagSeconds) * 1000),
    unlistedAtMs: [],
    usableAtMs: seeded
      ? replicas(() => 0)
      : replicas(() => clock.nowMs + random.between(knobs.replicationSeconds) * 1000),
    unusableAtMs: [],
  };
  holder.credentials.push(credential);
  if (!seeded) holder.lastWriteMs = clock.nowMs;
  return credential;
}

/** Removes a credential; replicas and gateways follow after their own delays. */
export function removeCredential(world: World, holder: CredentialHolder, credential: Credential): void {
  const { clock, knobs } = world;
  const random = world.random(`credential:${holder.id}`);
  credential.removedMs = clock.nowMs;
  credential.unlistedAtMs = replicas(() => clock.nowMs + random.between(knobs.visibilityLagSeconds) * 1000);
  credential.unusableAtMs = replicas(() => clock.nowMs + random.between(knobs.lingerSeconds) * 1000);
  holder.lastWriteMs = clock.nowMs;
}

/** Credentials as one read replica lists them. */
export function listedCredentials(holder: CredentialHolder, replica: number, nowMs: number): Credential[] {
  return holder.credentials.filter((credential) => {
    const listed = (credential.listedAtMs[replica] ?? 0) <= nowMs;
    const gone = credential.removedMs !== null && (credential.unlistedAtMs[replica] ?? 0) <= nowMs;
    return listed && !gone;
  });
}

/** Credentials that truly exist now, whatever any replica says. */
export function presentCredentials(holder: CredentialHolder): Credential[] {
  return holder.credentials.filter((credential) => credential.removedMs === null);
}

/** The replica that answers this read. */
export function readReplica(world: World): number {
  return world.random("replica").integer(0, REPLICAS - 1);
}

function replicas(at: () => number): number[] {
  return Array.from({ length: REPLICAS }, () => Math.round(at()));
}

function addYears(ms: number, years: number): number {
  const date = new Date(ms);
  date.setUTCFullYear(date.getUTCFullYear() + years);
  return date.getTime();
}

/** A time that the caller gave comes back without a fraction when it had none. */
function shortTime(ms: number): string {
  return new Date(ms).toISOString().replace(".000Z", "Z");
}
