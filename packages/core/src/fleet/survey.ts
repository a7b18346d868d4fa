/**
 * What a tenant looks like before anything governs it: which credentials expire, which nobody owns, which nobody uses.
 * Pure: everything was listed before, nothing is concluded from what was not there to be read.
 */
import type { LastUse, ObjectOwners, ScannedCredential, ScannedObject } from "../ports.ts";

/** What a survey says of a credential, or of its application. In the order of urgency. */
export const surveyCodes = {
  expired: "It has expired: whoever still holds it fails to sign in.",
  expiring: "It expires soon.",
  ownerless: "Nobody owns the application who could be asked.",
  "owner-disabled": "Everybody who owns the application is disabled.",
  "single-owner": "One person owns the application: it is ownerless on the day that person leaves.",
  unused: "No sign-in with it is on record for a long time.",
  "long-lived": "It lives longer than it should.",
  "several-live": "More secrets than two are live: nobody can say which one is in use.",
} as const;
export type SurveyCode = keyof typeof surveyCodes;

export interface SurveyLimits {
  /** Expires within so many days: `expiring`. */
  readonly expiresWithinDays: number;
  /** No sign-in for so many days: `unused`. */
  readonly quietDays: number;
  /** From start to end more than so many days: `long-lived`. */
  readonly lifetimeDaysMax: number;
}

export interface SurveyInput {
  readonly objects: readonly ScannedObject[];
  /** By object id. Only of applications: a service principal's own owners are another list. */
  readonly owners: ReadonlyMap<string, ObjectOwners>;
  /** By credential id; null: the report is not to be had (licence, permission, other cloud), so nothing is called unused. */
  readonly uses: ReadonlyMap<string, LastUse> | null;
  /** Milliseconds. */
  readonly now: number;
  readonly limits: SurveyLimits;
}

export interface SurveyRow {
  readonly object: Omit<ScannedObject, "credentials">;
  readonly credential: ScannedCredential;
  readonly codes: readonly SurveyCode[];
  readonly owners: ObjectOwners | null;
  readonly lastUsedAt: number | null;
}

export interface Survey {
  readonly applications: number;
  readonly servicePrincipals: number;
  readonly secrets: number;
  readonly certificates: number;
  /** How many credentials each is said of; null: could not be told. */
  readonly counts: Readonly<Record<SurveyCode, number | null>>;
  /** Credentials of which something is said, the most urgent first. */
  readonly rows: readonly SurveyRow[];
}

const dayMs = 86_400_000;
/** Of live secrets; the second is there while a rotation is under way. */
const liveMax = 2;

/** Says what is worth a look in a tenant. */
export function survey(input: SurveyInput): Survey {
  const rows = input.objects.flatMap((object) => {
    const { credentials, ...rest } = object;
    const owners = input.owners.get(object.objectId) ?? null;
    return credentials.map((credential): SurveyRow => {
      const lastUsedAt = input.uses?.get(credential.id)?.lastUsedAt ?? null;
      return { object: rest, credential, owners, lastUsedAt, codes: codesOf(input, object, credential, owners) };
    });
  });
  const of = (kind: ScannedObject["kind"]) => input.objects.filter((object) => object.kind === kind).length;
  const kinds = (kind: ScannedCredential["kind"]) => rows.filter(({ credential }) => credential.kind === kind).length;
  const counts = Object.fromEntries(
    codes.map((code) => [code, rows.filter((row) => row.codes.includes(code)).length]),
  ) as Record<SurveyCode, number>;
  return {
    applications: of("application"),
    servicePrincipals: of("service-principal"),
    secrets: kinds("client-secret"),
    certificates: kinds("certificate"),
    counts: { ...counts, ...(input.uses === null ? { unused: null } : {}) },
    rows: rows.filter((row) => row.codes.length > 0).toSorted(byUrgency),
  };
}

const codes = Object.keys(surveyCodes) as SurveyCode[];

function codesOf(
  { uses, now, limits }: SurveyInput,
  { kind, credentials }: ScannedObject,
  { id, startsAt, expiresAt, kind: credentialKind }: ScannedCredential,
  owners: ObjectOwners | null,
): SurveyCode[] {
  const isLive = (one: Pick<ScannedCredential, "expiresAt">) => one.expiresAt === null || one.expiresAt > now;
  const live = isLive({ expiresAt });
  const liveSecrets = credentials.filter((one) => one.kind === "client-secret" && isLive(one)).length;
  const usedAt = uses?.get(id)?.lastUsedAt ?? startsAt ?? 0;
  const isApplication = kind === "application" && owners !== null;
  const holds: Record<SurveyCode, boolean> = {
    expired: !live,
    expiring: live && expiresAt !== null && expiresAt <= now + limits.expiresWithinDays * dayMs,
    ownerless: isApplication && owners.owners.length === 0,
    "owner-disabled":
      isApplication && owners.owners.length > 0 && owners.owners.every(({ enabled }) => enabled === false),
    "single-owner": isApplication && owners.owners.length === 1,
    // One that was made lately may not have been used yet.
    unused: uses !== null && live && usedAt < now - limits.quietDays * dayMs,
    "long-lived":
      startsAt !== null && expiresAt !== null && expiresAt - startsAt > (limits.lifetimeDaysMax + 1) * dayMs,
    "several-live": credentialKind === "client-secret" && live && liveSecrets > liveMax,
  };
  return codes.filter((code) => holds[code]);
}

/** The most urgent word first; among equals what expires first. */
function byUrgency(a: SurveyRow, b: SurveyRow): number {
  const rank = ({ codes: [first] }: SurveyRow) => (first === undefined ? codes.length : codes.indexOf(first));
  return rank(a) - rank(b) || (a.credential.expiresAt ?? Infinity) - (b.credential.expiresAt ?? Infinity);
}
