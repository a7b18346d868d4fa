/**
 * What a tenant looks like before anything governs it: which credentials expire, which nobody owns, which nobody uses.
 * Pure: everything was listed before, nothing is concluded from what was not there to be read.
 */
import type { LastUse, ObjectOwners, ScannedCredential, ScannedObject } from "../ports/index.ts";
import { type FleetCode, fleetCodes, fleetFindings } from "./findings.ts";

/** What a survey can say: it knows no inventory, no runs and no ledger. */
const codes = [
  "expired",
  "expiring",
  "ownerless",
  "owner-disabled",
  "single-owner",
  "unused",
  "long-lived",
  "several-live",
] as const satisfies readonly FleetCode[];
export type SurveyCode = (typeof codes)[number];

/** What each means, in the order of urgency. */
export const surveyCodes = Object.fromEntries(codes.map((code) => [code, fleetCodes[code]])) as Record<
  SurveyCode,
  string
>;

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

const daySeconds = 86_400;
/** Of live secrets; the second is there while a rotation is under way. */
const liveMax = 2;

/** Says what is worth a look in a tenant. */
export function survey(input: SurveyInput): Survey {
  const rows = input.objects.flatMap((object) => {
    const { credentials, ...rest } = object;
    const owners = input.owners.get(object.objectId) ?? null;
    const said = codesOf(input, object, owners);
    return credentials.map((credential): SurveyRow => {
      const lastUsedAt = input.uses?.get(credential.id)?.lastUsedAt ?? null;
      return { object: rest, credential, owners, lastUsedAt, codes: said(credential) };
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

/** Findings of the fleet, each said of every credential that it concerns. */
function codesOf(input: SurveyInput, object: ScannedObject, owners: ObjectOwners | null) {
  const { uses, now, limits } = input;
  const use = (id: string) => (uses === null ? null : { readAt: now, lastUsedAt: uses.get(id)?.lastUsedAt ?? null });
  const credentials = object.credentials.flatMap(({ kind, ...rest }) =>
    kind === "role" ? [] : [{ ...rest, kind, state: "foreign" as const, use: use(rest.id) }],
  );
  const found = fleetFindings(
    {
      ...object,
      gone: false,
      credentials,
      owners: object.kind === "application" ? (owners?.owners ?? null) : null,
      changes: [],
      failures: [],
      undeclared: [],
      tenantLifetimeSecondsMax: null,
    },
    {
      row: null,
      expiringSeconds: limits.expiresWithinDays * daySeconds,
      lifetimeSecondsMax: limits.lifetimeDaysMax * daySeconds,
      quietSeconds: limits.quietDays * daySeconds,
      failingSeconds: 0,
      failingMin: Infinity,
      liveSecretsMax: liveMax,
      hasOpenRun: false,
    },
    now,
  );
  const isLiveSecret = ({ kind, expiresAt }: ScannedCredential) =>
    kind === "client-secret" && (expiresAt === null || expiresAt > now);
  return (credential: ScannedCredential): SurveyCode[] =>
    codes.filter((code) =>
      found.some(
        (one) =>
          one.code === code &&
          (one.credential === credential.id ||
            (one.credential === null && (code !== "several-live" || isLiveSecret(credential)))),
      ),
    );
}

/** The most urgent word first; among equals what expires first. */
function byUrgency(a: SurveyRow, b: SurveyRow): number {
  const rank = ({ codes: [first] }: SurveyRow) => (first === undefined ? codes.length : codes.indexOf(first));
  return rank(a) - rank(b) || (a.credential.expiresAt ?? Infinity) - (b.credential.expiresAt ?? Infinity);
}
