import {
  CountersignError,
  type ObjectOwners,
  type Survey,
  type SurveyCode,
  type SurveyRow,
  survey,
  surveyCodes,
} from "@countersign/core";
import { listed, openReader, ownersOf, type ReaderOptions, usesOf } from "../fleet/read-tenant.ts";
import { csvLine, exit, plain, printJson, table } from "../output.ts";

export interface SurveyOptions extends ReaderOptions {
  readonly days: string;
  readonly quietDays: string;
  readonly lifetimeDays: string;
  readonly json?: boolean;
  readonly csv?: boolean;
}

/** Rows of each kind that a person is shown; `--csv` and `--json` have all. */
const shownMax = 10;

/** Lists a tenant with a reader alone and says what expires, what nobody owns and what nobody uses. Nothing is kept. */
export async function runSurvey(options: SurveyOptions): Promise<number> {
  const limits = {
    expiresWithinDays: days("--days", options.days),
    quietDays: days("--quiet-days", options.quietDays),
    lifetimeDaysMax: days("--lifetime-days", options.lifetimeDays),
  };
  const { clock, connectors } = openReader(options);
  try {
    const [scanner] = connectors.scanners;
    if (scanner === undefined) throw new CountersignError("CONFIG_INVALID", "expected a tenant to list, got none");
    const ctx = { clock, signal: new AbortController().signal };
    const objects = await listed(scanner, ctx);
    const owners = await ownersOf(scanner, ctx, objects.length);
    const uses = await usesOf(scanner, ctx);
    const seen = survey({ objects, owners, uses, now: clock.now(), limits });
    if (options.json === true)
      printJson({ tenant: options.tenantId, at: new Date(clock.now()).toISOString(), limits, ...seen });
    else if (options.csv === true) process.stdout.write(csvOf(seen.rows));
    else tell(seen);
    return exit.ok;
  } finally {
    await connectors.close();
  }
}

function days(option: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 36_500) return value;
  throw new CountersignError("INPUT_INVALID", `expected ${option} to be 1 to 36500 days, got ${text.slice(0, 20)}`);
}

/** The report for a person, on stdout: counts, and of each kind the most urgent rows. */
function tell(seen: Survey): void {
  const lines = [
    `${seen.applications} applications and ${seen.servicePrincipals} service principals with ${seen.secrets} secrets and ${seen.certificates} certificates`,
    "",
    table(
      ["finding", "credentials", "meaning"],
      codesOf().map((code) => [code, String(seen.counts[code] ?? "not known"), surveyCodes[code]]),
    ),
  ];
  for (const code of codesOf()) {
    const rows = seen.rows.filter((row) => row.codes.includes(code));
    if (rows.length === 0) continue;
    const more = rows.length > shownMax ? ` (${shownMax} of ${rows.length}; --csv has all)` : "";
    lines.push(
      "",
      `${code}${more}`,
      table(["application", "kind", "expires", "owners", "last use"], rows.slice(0, shownMax).map(cells)),
    );
  }
  process.stdout.write(`${lines.join("\n")}\n`);
}

function codesOf(): SurveyCode[] {
  return Object.keys(surveyCodes) as SurveyCode[];
}

function cells({ object, credential, owners, lastUsedAt }: SurveyRow): string[] {
  return [
    object.name,
    credential.kind,
    dayOf(credential.expiresAt) ?? "never",
    ownerNames(owners),
    dayOf(lastUsedAt) ?? "-",
  ].map(plain);
}

function ownerNames(owners: ObjectOwners | null): string {
  return owners === null ? "not read" : owners.owners.map(({ name, id }) => name ?? id).join(" ");
}

function dayOf(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString().slice(0, 10);
}

const columns = [
  "kind",
  "name",
  "objectId",
  "appId",
  "credential",
  "credentialKind",
  "startsAt",
  "expiresAt",
  "lastUsedAt",
  "owners",
  "findings",
] as const;

function csvOf(rows: readonly SurveyRow[]): string {
  const iso = (at: number | null) => (at === null ? "" : new Date(at).toISOString());
  const lines = rows.map(({ object, credential, owners, lastUsedAt, codes }) => [
    object.kind,
    object.name,
    object.objectId,
    object.appId,
    credential.id,
    credential.kind,
    iso(credential.startsAt),
    iso(credential.expiresAt),
    iso(lastUsedAt),
    ownerNames(owners),
    codes.join(" "),
  ]);
  return [columns, ...lines].map(csvLine).join("");
}
