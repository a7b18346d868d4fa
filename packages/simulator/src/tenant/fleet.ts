import { REPLICAS } from "../entra/sign-in.ts";
import { createRandom, type Random } from "../random.ts";
import { sevenDigitTime } from "../time.ts";
import type { World } from "../world.ts";
import { addCredential } from "./credentials.ts";
import {
  type Application,
  type Credential,
  type KeyCredential,
  type Owner,
  PORTAL,
  type ServicePrincipal,
} from "./model.ts";

const DAY_MS = 86_400_000;
export const FLEET_MAX = 200_000;
const OWNERS_MAX = 25;

/** What a fleet holds, counted while it was made: whoever lists it must come to the same. */
export interface FleetCount {
  applications: number;
  servicePrincipals: number;
  /** Of applications and service principals. */
  secrets: number;
  certificates: number;
  expired: number;
  ownerless: number;
  nameless: number;
  personal: number;
  servicePrincipalsWithCredentials: number;
  /** What whoever looks for it must find in a fleet of which nothing is governed, with the limits of the suites. */
  findings: Record<string, number>;
}

/** 30 days to the end, 365 days of life (and the day that a life is given too much), 90 days without a sign-in. */
const SOON_MS = 30 * DAY_MS;
const LONG_MS = 366 * DAY_MS;
const QUIET_MS = 90 * DAY_MS;

/** Counts in its own way, while the fleet is made, what must be said of one of its objects. */
function countFindings(
  counted: Record<string, number>,
  holder: Application | ServicePrincipal,
  disabled: ReadonlySet<string>,
  nowMs: number,
): void {
  const add = (code: string, is: boolean) => {
    counted[code] = (counted[code] ?? 0) + (is ? 1 : 0);
  };
  const secrets = holder.credentials.map(({ startMs, endMs }) => [startMs, endMs] as const);
  const keys = holder.keyCredentials.map((key) => [Date.parse(key.startText), Date.parse(key.endText)] as const);
  const all = [...secrets, ...keys];
  for (const [from, to] of all) {
    add("expired", to <= nowMs);
    add("expiring", to > nowMs && to - nowMs <= SOON_MS);
    add("long-lived", to - from > LONG_MS);
    // Looked at a moment later than it is made: what is just that old is older then.
    add("unused", to > nowMs && nowMs - from >= QUIET_MS);
  }
  if (all.length === 0) return;
  add("ownerless", holder.owners.length === 0);
  add("single-owner", holder.owners.length === 1);
  add("owner-disabled", holder.owners.length > 0 && holder.owners.every(({ id }) => disabled.has(id)));
  add("several-live", secrets.filter(([, to]) => to > nowMs).length > 1);
  add(
    "unmanaged",
    all.some(([, to]) => to > nowMs),
  );
}

const WORDS = [
  "billing",
  "batch",
  "gateway",
  "crm",
  "Zahlungen",
  "報告",
  "отчёт",
  "Überweisung",
  "نظام",
  "🚀 deploy",
  "a'; --",
  "<b>app</b>",
];

/**
 * Adds many applications as a real tenant has them: without a name, with names in many scripts, open to personal accounts, with 25
 * owners or none, with six secrets or none, expired years ago, disabled, several of the same name. Nobody signs in with them.
 */
export function addFleet(world: World, count: number, seed: number): FleetCount {
  if (!Number.isInteger(count) || count < 1 || count > FLEET_MAX)
    throw new RangeError(`expected 1 to ${FLEET_MAX} applications, got ${count}`);
  const { tenant, clock } = world;
  const random = createRandom(seed, "fleet");
  const counted: FleetCount = {
    applications: count,
    servicePrincipals: count,
    secrets: 0,
    certificates: 0,
    expired: 0,
    ownerless: 0,
    nameless: 0,
    personal: 0,
    servicePrincipalsWithCredentials: 0,
    findings: {},
  };
  const people = Array.from({ length: 200 }, (_, n) => {
    const id = random.uuid();
    const name = `fleet-owner-${n}`;
    tenant.users.push({
      id,
      displayName: name,
      userPrincipalName: `${name}@${tenant.domain}`,
      mail: null,
      accountEnabled: n % 17 !== 0,
    });
    return id;
  });
  const disabled = new Set(tenant.users.filter(({ accountEnabled }) => !accountEnabled).map(({ id }) => id));
  const credentialsOf = (most: number): { credentials: Credential[]; keyCredentials: KeyCredential[] } => {
    const credentials = Array.from({ length: most === 0 ? 0 : most }, () => secret(random, clock.nowMs));
    const keyCredentials = random.chance(0.2) ? [certificate(random, clock.nowMs)] : [];
    counted.secrets += credentials.length;
    counted.certificates += keyCredentials.length;
    counted.expired += credentials.filter(({ endMs }) => endMs <= clock.nowMs).length;
    counted.expired += keyCredentials.filter(({ endText }) => Date.parse(endText) <= clock.nowMs).length;
    return { credentials, keyCredentials };
  };
  for (let n = 0; n < count; n += 1) {
    const nameless = random.chance(0.01);
    const displayName = nameless ? "" : `${random.pick(WORDS)}-${random.integer(0, count)}`;
    const personal = random.chance(0.05);
    const owners: Owner[] = ownersOf(random, people);
    counted.nameless += nameless ? 1 : 0;
    counted.personal += personal ? 1 : 0;
    counted.ownerless += owners.length === 0 ? 1 : 0;
    const createdMs = clock.nowMs - random.integer(1, 3_000) * DAY_MS;
    const application: Application = {
      id: random.uuid(),
      appId: random.uuid(),
      displayName,
      createdMs,
      owners,
      ...credentialsOf(random.chance(0.02) ? 6 : random.pick([0, 1, 1, 1, 2, 2, 3])),
      lastWriteMs: 0,
      tags: [],
      signInAudience: personal ? "AzureADandPersonalMicrosoftAccount" : "AzureADMyOrg",
      notes: null,
      serviceManagementReference: random.chance(0.3) ? `CI${random.integer(1_000, 9_999)}` : null,
      isDisabled: random.chance(0.02),
      redirectUris: [],
    };
    const isLegacy = random.chance(0.03);
    const own = isLegacy ? credentialsOf(1) : { credentials: [], keyCredentials: [] };
    counted.servicePrincipalsWithCredentials += isLegacy ? 1 : 0;
    const principal: ServicePrincipal = {
      id: random.uuid(),
      appId: application.appId,
      displayName,
      createdMs,
      owners: [],
      ...own,
      lastWriteMs: 0,
      tags: [],
      accountEnabled: true,
      roles: [],
    };
    for (const holder of [application, principal]) countFindings(counted.findings, holder, disabled, clock.nowMs);
    tenant.applications.push(application);
    tenant.servicePrincipals.push(principal);
  }
  return counted;
}

function ownersOf(random: Random, people: readonly string[]): Owner[] {
  const count = random.chance(0.3) ? 0 : random.chance(0.01) ? OWNERS_MAX : random.integer(1, 3);
  const first = random.integer(0, people.length - 1);
  return Array.from({ length: count }, (_, n) => ({ kind: "user", id: people[(first + n) % people.length] ?? "" }));
}

function secret(random: Random, nowMs: number): Credential {
  const startMs = nowMs - random.integer(0, 900) * DAY_MS;
  const endMs = startMs + random.pick([90, 180, 365, 730, 36_500]) * DAY_MS;
  const everywhere = Array.from({ length: REPLICAS }, () => 0);
  return {
    keyId: random.uuid(),
    displayName: random.chance(0.1) ? null : random.pick(WORDS),
    hint: random.secret(3),
    // Nobody signs in with it, and a hundred thousand values would only take room.
    secretText: "",
    startMs,
    endMs,
    startText: sevenDigitTime(startMs, "1234"),
    endText: sevenDigitTime(endMs, "0000"),
    createdMs: startMs,
    createdBy: null,
    removedMs: null,
    listedAtMs: everywhere,
    unlistedAtMs: [],
    usableAtMs: everywhere,
    unusableAtMs: [],
  };
}

function certificate(random: Random, nowMs: number): KeyCredential {
  const startMs = nowMs - random.integer(0, 900) * DAY_MS;
  return {
    keyId: random.uuid(),
    displayName: null,
    startText: sevenDigitTime(startMs, "0000"),
    endText: sevenDigitTime(startMs + 365 * DAY_MS, "0000"),
  };
}

/** Gives `count` applications of the tenant one more secret each, as their owners do in a portal. Returns their object ids. */
export function changeFleet(world: World, count: number): string[] {
  const { applications } = world.tenant;
  if (!Number.isInteger(count) || count < 1 || count > applications.length)
    throw new RangeError(`expected 1 to ${applications.length} applications, got ${count}`);
  const random = world.random("fleet-changes");
  const first = random.integer(0, applications.length - 1);
  return Array.from({ length: count }, (_, n) => {
    const application = applications[(first + n * 7) % applications.length];
    if (application === undefined) throw new RangeError("expected an application");
    addCredential(world, application, { displayName: "by hand", startMs: null, endMs: null, createdBy: PORTAL });
    return application.id;
  });
}
