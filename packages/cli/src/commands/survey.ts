import { readFileSync } from "node:fs";
import { createConnectors } from "@countersign/connectors";
import {
  CountersignError,
  isLoopback,
  type LastUse,
  type ObjectOwners,
  type ReadContext,
  type ScannedObject,
  type Scanner,
  type Survey,
  type SurveyCode,
  type SurveyRow,
  survey,
  surveyCodes,
} from "@countersign/core";
import { systemClock } from "@countersign/engine";
import { readSecret } from "@countersign/server";
import { csvLine, exit, plain, printJson, say, table } from "../output.ts";

/** What it takes to look at a tenant: a reader application, and nothing that Countersign would have to be set up for. */
export interface SurveyOptions {
  readonly tenantId: string;
  readonly clientId: string;
  /** A reference: `file:` or `env:`. */
  readonly clientSecret: string;
  readonly authority: string;
  readonly graph: string;
  readonly ca?: string;
  readonly days: string;
  readonly quietDays: string;
  readonly lifetimeDays: string;
  readonly json?: boolean;
  readonly csv?: boolean;
}

/** Rows of each kind that a person is shown; `--csv` and `--json` have all. */
const shownMax = 10;
const callDeadlineMs = 30_000;

/** Lists a tenant with a reader alone and says what expires, what nobody owns and what nobody uses. Nothing is kept. */
export async function runSurvey(options: SurveyOptions): Promise<number> {
  const limits = {
    expiresWithinDays: days("--days", options.days),
    quietDays: days("--quiet-days", options.quietDays),
    lifetimeDaysMax: days("--lifetime-days", options.lifetimeDays),
  };
  const secret = readSecret(options.clientSecret, process.cwd());
  const loopback = [options.authority, options.graph].every((url) => isLoopback(url));
  const clock = systemClock();
  const client = { clientId: options.clientId, secret: "reader" };
  const connectors = createConnectors(
    {
      profile: loopback ? "test" : "production",
      network: { ca: options.ca === undefined ? [] : [readFileSync(options.ca, "utf8")], proxy: null, loopback },
      callDeadlineMs,
      tenants: [
        {
          name: options.tenantId,
          id: options.tenantId,
          authority: options.authority,
          graph: options.graph,
          reader: client,
          writer: client,
          ownExecutorAppIds: [],
          ownAddresses: [],
        },
      ],
      connections: [],
    },
    { clock, version: "survey", readSecret: () => Promise.resolve(secret) },
  );
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

async function listed(scanner: Scanner, ctx: ReadContext): Promise<ScannedObject[]> {
  const objects = new Map<string, ScannedObject>();
  let unreadable = 0;
  for (const collection of scanner.collections) {
    let link: string | null = null;
    do {
      const page = await scanner.page(ctx, collection, link);
      for (const object of page.objects) objects.set(object.objectId, object);
      unreadable += page.unreadable.length;
      link = page.next;
      say(`${objects.size} applications and service principals listed`);
    } while (link !== null);
  }
  if (unreadable > 0) say(`${unreadable} came in a form that is not documented; nothing is said of them`);
  return [...objects.values()];
}

async function ownersOf(scanner: Scanner, ctx: ReadContext, of: number): Promise<Map<string, ObjectOwners>> {
  const owners = new Map<string, ObjectOwners>();
  let link: string | null = null;
  do {
    const page = await scanner.owners(ctx, "applications", link);
    for (const one of page.found) owners.set(one.objectId, one);
    link = page.next;
    say(`owners of ${owners.size} of ${of} read`);
  } while (link !== null);
  return owners;
}

async function usesOf(scanner: Scanner, ctx: ReadContext): Promise<Map<string, LastUse> | null> {
  const uses = new Map<string, LastUse>();
  let link: string | null = null;
  do {
    const page = await scanner.uses(ctx, link);
    if (page === null) {
      say("the report on last use is not to be had (AuditLog.Read.All, P1 or P2): nothing is called unused");
      return null;
    }
    for (const use of page.found) uses.set(use.id, use);
    link = page.next;
  } while (link !== null);
  return uses;
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
