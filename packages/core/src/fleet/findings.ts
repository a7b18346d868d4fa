/**
 * What the ledger shows that somebody should know of, of managed applications and of all others. Pure functions of one row
 * of the ledger: what was not read is not known, and nothing is concluded from it.
 */
import { type AuditReason, auditReasons } from "../audit/judge.ts";
import type { AuditChange, ObjectOwners, ScannedCredential, ScannedObject, SignInFailure } from "../ports/index.ts";

/** Everything that is said of a credential, of what holds it, or of a tenant: the closed list, the most urgent first. */
export const fleetCodes = {
  "scan-late": "The tenant has not been listed as a whole for too long: what is said of it may be old.",
  "changed-out-of-band": "It was changed, and no run had said that it would be: nobody has explained it yet.",
  failing: "Sign-ins with it are refused: somebody holds a wrong or an expired secret.",
  expired: "It has expired: whoever still holds it fails to sign in.",
  orphan: "We made it, its run has ended, and nobody holds its value.",
  expiring: "It expires soon.",
  "listed-but-gone": "The inventory lists it, and the directory has it no more.",
  "foreign-on-managed": "Somebody else made it for an application whose credential we rotate.",
  "undeclared-use": "It is used where the inventory declares nobody: a rotation would not reach that place.",
  "mark-unknown": "It carries our mark, and no run of ours is known to have made it.",
  ownerless: "Nobody owns the application who could be asked.",
  "owner-disabled": "Everybody who owns the application is disabled.",
  "owner-unreachable": "Mail to somebody whom the inventory names for it is refused: that person may have left.",
  "single-owner": "One person owns the application: it is ownerless on the day that person leaves.",
  unused: "No sign-in with it is on record for a long time.",
  "long-lived": "It lives longer than it should.",
  "several-live": "More secrets are live than can be explained: nobody can say which one is in use.",
  unmanaged: "The inventory does not list it: nothing will rotate its credentials.",
} as const;
export type FleetCode = keyof typeof fleetCodes;

/** All codes, the most urgent first. */
export const fleetCodesByUrgency = Object.keys(fleetCodes) as FleetCode[];

/** A credential as the ledger has it. Times in milliseconds. */
export interface FleetCredential extends Pick<ScannedCredential, "id" | "startsAt" | "expiresAt"> {
  readonly kind: "client-secret" | "certificate";
  readonly state: "ours-active" | "ours-retiring" | "ours-unpublished" | "foreign" | "orphan" | "unknown";
  /** Its last use as a report had it that was read at `readAt`, null where that shows none; null: no report was read. */
  readonly use: { readonly readAt: number; readonly lastUsedAt: number | null } | null;
}

/** A directory object with what it holds. */
export interface FleetObject extends Pick<ScannedObject, "kind" | "objectId"> {
  /** The directory has it no more. */
  readonly gone: boolean;
  readonly credentials: readonly FleetCredential[];
  /** Changes that no run had done, that nobody has explained, and whose credential may still be there; the oldest first. */
  readonly changes: readonly StandingChange[];
  /** Refused sign-ins of it as its directory's log had them; empty: none was seen, or none was read. */
  readonly failures: readonly Omit<SignInFailure, "appId">[];
  /** Where it was seen in use without a row that declares it; empty: nowhere, not listed, or nothing was read. */
  readonly undeclared: readonly string[];
  /** Null: not read, which is not the same as none. */
  readonly owners: readonly Pick<ObjectOwners["owners"][number], "enabled">[] | null;
  /** What the tenant's own app management policy lets a secret live, seconds; null: nothing is set, or not read. */
  readonly tenantLifetimeSecondsMax: number | null;
}

/** A change that the directory's own log tells of. */
export interface StandingChange extends Pick<AuditChange, "act" | "at"> {
  readonly credential: string;
  readonly because: AuditReason;
}

/** Done in our name: of these it is said wherever they are, also where the inventory lists nothing. */
const inOurName: ReadonlySet<AuditReason> = new Set([
  "own-application-without-intent",
  "marker-without-intent",
  "marker-elsewhere",
  "marker-by-another",
]);

/** What holds for one object. */
export interface FleetTerms {
  /** The inventory's row; null: it is not listed. */
  readonly row: {
    /** How many people answer for it. */
    readonly owners: number;
    /** Whom of those it names no mail reaches. */
    readonly unreachable: readonly string[];
  } | null;
  readonly expiringSeconds: number;
  readonly lifetimeSecondsMax: number;
  readonly quietSeconds: number;
  /** Refused sign-ins count for so long, and from so many on. */
  readonly failingSeconds: number;
  readonly failingMin: number;
  /** More live secrets than these need an explanation; a run that is open is one. */
  readonly liveSecretsMax: number;
  readonly hasOpenRun: boolean;
}

/** What is said, of a credential or of what holds it. Both texts stay the same for as long as the matter does. */
export interface FleetFinding {
  readonly code: FleetCode;
  /** Null: of the object as a whole. */
  readonly credential: string | null;
  readonly observed: string;
  readonly required: string;
}

const daySeconds = 86_400;

/** Says what there is to say of an object and of each of its credentials, the most urgent first. */
export function fleetFindings(object: FleetObject, terms: FleetTerms, now: number): FleetFinding[] {
  const found = object.gone
    ? terms.row === null
      ? []
      : [{ code: "listed-but-gone", credential: null, observed: "gone", required: "in the directory" } as const]
    : [
        ...object.credentials.flatMap((credential) => ofCredential(object, credential, terms, now)),
        ...ofObject(object, terms, now),
        ...ofFailures(object, terms, now),
      ];
  return [...found, ...ofChanges(object.changes, terms)].toSorted((a, b) => urgency(a.code) - urgency(b.code));
}

/**
 * The next instant at which time alone changes what {@link fleetFindings} says of an object, milliseconds; null: none does. It may
 * have passed already, where the last report is older than what it would have to show.
 */
export function fleetTurnsAt(object: FleetObject, terms: FleetTerms, now: number): number | null {
  if (object.gone) return null;
  const turns = object.credentials.flatMap(({ startsAt, expiresAt, use }) => {
    const ends = expiresAt === null ? [] : [expiresAt - terms.expiringSeconds * 1_000, expiresAt];
    const coming = ends.filter((at) => at > now);
    if (use === null) return coming;
    const quiet = (use.lastUsedAt ?? startsAt ?? 0) + terms.quietSeconds * 1_000 + 1;
    return quiet > use.readAt ? [...coming, quiet] : coming;
  });
  turns.push(...object.failures.map(({ lastAt }) => lastAt + terms.failingSeconds * 1_000).filter((at) => at > now));
  return turns.length === 0 ? null : Math.min(...turns);
}

const urgency = (code: FleetCode) => fleetCodesByUrgency.indexOf(code);

/** Without an end that the directory told, a credential counts as live. */
function isLive({ expiresAt }: Pick<FleetCredential, "expiresAt">, now: number): boolean {
  return expiresAt === null || expiresAt > now;
}

function ofCredential(
  object: FleetObject,
  credential: FleetCredential,
  terms: FleetTerms,
  now: number,
): FleetFinding[] {
  const { id, kind, state, startsAt, expiresAt, use } = credential;
  const live = isLive(credential, now);
  const said: FleetFinding[] = [];
  const say = (code: FleetCode, observed: string, required: string) =>
    said.push({ code, credential: id, observed, required });
  if (expiresAt !== null && !live) say("expired", `ended ${iso(expiresAt)}`, "live, or removed");
  if (expiresAt !== null && live && expiresAt <= now + terms.expiringSeconds * 1_000)
    say("expiring", `ends ${iso(expiresAt)}`, `replaced ${days(terms.expiringSeconds)} before`);
  if (state === "orphan") say("orphan", "its run has ended", "removed");
  if (state === "unknown") say("mark-unknown", "our mark", "the mark of a run of ours");
  const isRotated = terms.row !== null && object.credentials.some((one) => one.state === "ours-active");
  if (isRotated && live && kind === "client-secret" && state === "foreign")
    say("foreign-on-managed", "made by somebody else", "made by our runs only");
  const lifetimeMax = Math.min(terms.lifetimeSecondsMax, object.tenantLifetimeSecondsMax ?? Infinity);
  // A lifetime is asked for in days, and given to the second or to the end of a day.
  if (startsAt !== null && expiresAt !== null && expiresAt - startsAt > (lifetimeMax + daySeconds) * 1_000)
    say("long-lived", days((expiresAt - startsAt) / 1_000), `at most ${days(lifetimeMax)}`);
  if (use !== null && live) {
    // One that was made lately may not have been used yet.
    const since = use.lastUsedAt ?? startsAt ?? 0;
    if (since < use.readAt - terms.quietSeconds * 1_000)
      say(
        "unused",
        use.lastUsedAt === null ? "no sign-in on record" : `last sign-in ${iso(use.lastUsedAt)}`,
        `a sign-in within ${days(terms.quietSeconds)}`,
      );
  }
  return said;
}

function ofObject(object: FleetObject, terms: FleetTerms, now: number): FleetFinding[] {
  const { credentials, owners } = object;
  const said: FleetFinding[] = [];
  const say = (code: FleetCode, observed: string, required: string) =>
    said.push({ code, credential: null, observed, required });
  if (credentials.length > 0) {
    // Who answers for a listed application stands in the inventory; the directory's owners extend themselves.
    const count = terms.row?.owners ?? owners?.length ?? null;
    if (count === 0) say("ownerless", "no owner", "two owners");
    if (count === 1) say("single-owner", "one owner", "two owners");
    if (terms.row !== null && terms.row.unreachable.length > 0)
      say("owner-unreachable", listOf(terms.row.unreachable, peopleMax), "an address that takes mail");
    if (terms.row === null && (owners ?? []).length > 0 && owners?.every(({ enabled }) => enabled === false))
      say("owner-disabled", `${owners.length} owners, all disabled`, "an owner who is there");
  }
  const liveSecrets = credentials.filter((one) => one.kind === "client-secret" && isLive(one, now)).length;
  if (liveSecrets > terms.liveSecretsMax && !terms.hasOpenRun)
    say("several-live", `${liveSecrets} live secrets, no run`, `at most ${terms.liveSecretsMax}`);
  if (terms.row !== null && object.undeclared.length > 0)
    say("undeclared-use", listOf(object.undeclared, placesMax), "declared as a consumer, or ended");
  if (terms.row === null && credentials.some((one) => isLive(one, now)))
    say("unmanaged", "not in the inventory", "listed, or without credentials");
  return said;
}

/** A new secret is refused until every replica knows it, and a run of ours tries it meanwhile: no longer than this. */
const settlingMs = 10 * 60_000;
const refusals: Readonly<Record<number, string>> = { 7_000_215: "a wrong secret", 7_000_222: "an expired secret" };
/** So many people are named, and how many more there are. */
const peopleMax = 5;
/** So many places are named, and how many more there are. */
const placesMax = 3;
/** With more addresses, naming them says nothing. */
const addressesMax = 3;

/** One for each credential that sign-ins fail with; of the object where the log does not tell, or names none of its own. */
function ofFailures({ credentials, failures }: FleetObject, terms: FleetTerms, now: number): FleetFinding[] {
  const counting = failures.filter(
    ({ count, firstAt, lastAt }) =>
      count >= terms.failingMin && lastAt - firstAt >= settlingMs && lastAt > now - terms.failingSeconds * 1_000,
  );
  const ids = new Map(credentials.map(({ id }) => [id.toLowerCase(), id]));
  const byCredential = Map.groupBy(counting, ({ credential }) => ids.get(credential?.toLowerCase() ?? "") ?? null);
  return [...byCredential].map(([credential, of]) => {
    const errors = [...new Set(of.map(({ error }) => error))].sort((a, b) => a - b);
    const addresses = [...new Set(of.flatMap((one) => one.addresses))].sort();
    const from =
      addresses.length === 0
        ? ""
        : `, from ${addresses.length > addressesMax ? "many addresses" : addresses.join(", ")}`;
    const what = errors.map((error) => `AADSTS${error}, ${refusals[error] ?? "refused"}`).join("; ");
    return {
      code: "failing",
      credential,
      observed: `${what}, since ${iso(Math.min(...of.map(({ firstAt }) => firstAt)))}${from}`,
      required: `no refused sign-in for ${terms.failingSeconds / 3_600} h`,
    };
  });
}

/**
 * One for each credential, of its newest change. Where the inventory lists nothing no run does anything, so that every change
 * there is somebody else's: only what was done in our name is said of those.
 */
function ofChanges(changes: readonly StandingChange[], { row }: Pick<FleetTerms, "row">): FleetFinding[] {
  const newest = new Map(
    changes.filter(({ because }) => row !== null || inOurName.has(because)).map((one) => [one.credential, one]),
  );
  return [...newest.values()].map(({ credential, act, at, because }) => ({
    code: "changed-out-of-band",
    credential,
    observed: `${act} ${iso(at)}: ${auditReasons[because]}`,
    required: "done by a run, or explained",
  }));
}

/** How long without a whole listing is too long, seconds: a day, and time for the listing itself. */
export const scanLateSeconds = 26 * 3_600;

/** Whether a tenant has gone without a whole listing for too long; `since`: when the last one began, or watching did. */
export function scanLate(lastFullAt: number | null, since: number, now: number): FleetFinding | null {
  const from = lastFullAt ?? since;
  if (now - from <= scanLateSeconds * 1_000) return null;
  const observed = lastFullAt === null ? "no whole listing yet" : `last whole listing ${iso(lastFullAt)}`;
  return { code: "scan-late", credential: null, observed, required: `one within ${scanLateSeconds / 3_600} h` };
}

function listOf(texts: readonly string[], max: number): string {
  const more = texts.length - max;
  return `${texts.slice(0, max).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

/** To the second; what is out of range of a date is said as a number. */
function iso(at: number): string {
  return Math.abs(at) <= 8_640_000_000_000_000 ? new Date(at).toISOString().replace(/\.\d+Z$/, "Z") : String(at);
}

function days(seconds: number): string {
  const whole = Math.round(seconds / daySeconds);
  return whole === 1 ? "1 day" : `${whole} days`;
}
