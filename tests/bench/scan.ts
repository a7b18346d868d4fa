import { pipeline } from "node:stream/promises";
import type { FleetCode } from "@countersign/core";
import { type FleetFilter, type LedgerFilter, type Store, systemClock } from "@countersign/engine";
import type { Addresses } from "@countersign/simulator";
import type pg from "pg";
import { from as copyFrom } from "pg-copy-streams";
import { openLedger } from "../fleet/ledger.ts";
import { startScannerProcess } from "../fleet/process.ts";
import type { Directory, Said } from "../fleet/scanner.ts";
import type { WorkerOrder } from "../fleet/worker.ts";
import { startTenantProcess } from "./tenant.ts";

export interface ScanReport {
  readonly bench: "scan";
  /** Applications listed. */
  readonly n: number;
  readonly credentials: number;
  /** The first whole listing, into an empty ledger. */
  readonly seconds: number;
  /** The same pages by plain fetch, parse and COPY into a table without an index. */
  readonly floorSeconds: number;
  readonly ratio: number;
  /** Largest resident size of the scanner, a process of its own, until the first listing had ended. */
  readonly rssMb: number;
  /** The second pass after it: owners, policies and last use of all, and what is said of them. */
  readonly detailsSeconds: number;
  /** Calls of that pass. */
  readonly detailsReads: number;
  /** Findings that are open then. */
  readonly findings: number;
  /** Largest resident size until the second pass had ended. */
  readonly detailsRssMb: number;
  /** A second whole listing of the same fleet, and its second pass: nothing is written. */
  readonly againSeconds: number;
  readonly againDetailsSeconds: number;
  /** A look at 100 changes, and its second pass. */
  readonly changesSeconds: number;
  readonly changesDetailsSeconds: number;
  readonly changes: number;
  /** Reading a page of 200 of the ledger, by five kinds of questions. */
  readonly queryMsP95: number;
  /** Reading a page of 200 findings with their counts, by five kinds of questions. */
  readonly findingsMsP95: number;
  /** Empty: what was stored and said equals what the tenant counted while it made the fleet. */
  readonly differences: readonly string[];
}

const changedCount = 100;
const tries = 100;

interface Fleet {
  readonly applications: number;
  readonly secrets: number;
  readonly certificates: number;
  readonly servicePrincipalsWithCredentials: number;
  /** By code: how many findings a fleet of which nothing is listed must give. */
  readonly findings: Readonly<Partial<Record<FleetCode, number>>>;
}

/** Lists a fleet into the ledger, twice, and then what has changed, each with its second pass; beside it the floor. */
export async function benchScan(options: {
  readonly count: number;
  readonly say: (line: string) => void;
}): Promise<ScanReport> {
  const { count, say } = options;
  const ends: (() => Promise<void>)[] = [];
  try {
    const tenant = await startTenantProcess();
    ends.push(() => tenant.close());
    const manage = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
      const init = { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
      return (await (await fetch(`${tenant.urls.management}${path}`, init)).json()) as T;
    };
    say(`making ${count} applications`);
    const fleet = await manage<Fleet>("POST", "/fleet", { applications: count, seed: 7 });
    const directory = await manage<Directory>("GET", "/directory");
    const { now } = await manage<{ now: string }>("GET", "/clock");
    const tenants = { fleet: { urls: tenant.urls, directory } };
    // The tenant's time: what has expired there has expired here.
    const ledger = await openLedger({ tenants, clock: systemClock() });
    ends.push(() => ledger.close());
    const { observer, reader, connection } = ledger;
    // A process of its own, so that its size is a scanner's and nothing else's.
    const heardAt = new Map<Said, number>();
    const scanner = startScannerProcess({ connection, tenants, now: Date.parse(now), killAfter: null }, (one) =>
      heardAt.set(one, performance.now()),
    );
    ends.push(() => scanner.end());
    await scanner.next("ready");

    /** One scan and its second pass: seconds of each, and the scanner's largest resident size so far. */
    async function timed(order: WorkerOrder) {
      const from = scanner.said.length;
      const begun = performance.now();
      const did = await scanner.order(order);
      const of = (event: string) => {
        const one = scanner.said.slice(from).find((line) => line.event === event);
        if (one === undefined) throw new Error(`expected ${event}, got ${JSON.stringify(scanner.said.slice(from))}`);
        return { facts: one.facts, at: heardAt.get(one) ?? 0 };
      };
      const [scan, details] = [of("scan.completed"), of("details.completed")];
      if ((details.facts.unfinished as unknown[]).length > 0)
        throw new Error(`expected a second pass that came through, got ${JSON.stringify(details.facts)}`);
      const scanSeconds = round((scan.at - begun) / 1_000);
      const detailsSeconds = round((details.at - scan.at) / 1_000);
      say(`${scanSeconds} s ${JSON.stringify(scan.facts)}\n${detailsSeconds} s ${JSON.stringify(details.facts)}`);
      const rssMb = { listing: Number(scan.facts.rssMb), all: Number(did.facts.rssMb) };
      return { scanSeconds, detailsSeconds, rssMb, scan: scan.facts, details: details.facts };
    }

    const first = await timed("full");
    const differences = [
      ...(await compare(observer, fleet, directory)),
      ...(await compareFindings(reader, fleet, directory)),
    ];
    const again = await timed("full");
    for (const [what, facts] of [
      ["objectsChanged", again.scan],
      ["credentialsChanged", again.scan],
      ["ownersChanged", again.details],
      ["opened", again.details],
    ] as const)
      if (facts[what] !== 0) differences.push(`second listing: expected ${what} 0, got ${String(facts[what])}`);
    await manage("POST", "/fleet/change", { applications: changedCount });
    const changed = await timed("changes");
    const queryMsP95 = await queries(reader);
    const findingsMsP95 = await findingQueries(reader);
    const floorSeconds = await floor(observer, tenant.urls, directory);
    const open = await reader.fleetFindingCounts({}, 0);
    return {
      bench: "scan",
      n: count,
      credentials: fleet.secrets + fleet.certificates,
      seconds: first.scanSeconds,
      floorSeconds,
      ratio: round(first.scanSeconds / floorSeconds),
      rssMb: first.rssMb.listing,
      detailsSeconds: first.detailsSeconds,
      detailsReads: Number(first.details.reads),
      findings: open.reduce((sum, one) => sum + one.count, 0),
      detailsRssMb: first.rssMb.all,
      againSeconds: again.scanSeconds,
      againDetailsSeconds: again.detailsSeconds,
      changesSeconds: changed.scanSeconds,
      changesDetailsSeconds: changed.detailsSeconds,
      changes: Number(changed.scan.credentialsChanged),
      queryMsP95,
      findingsMsP95,
      differences,
    };
  } finally {
    for (const end of ends.reverse()) await end().catch(() => {});
  }
}

/** What differs between the ledger and what the tenant counted while it made the fleet. */
async function compare(admin: pg.Client, fleet: Fleet, others: Directory): Promise<string[]> {
  const callers = Object.keys(others.callers).length;
  const count = async (text: string): Promise<number> =>
    Number((await admin.query<{ n: string }>(`select count(*) as n from ${text}`)).rows[0]?.n);
  const { applications, secrets, certificates, servicePrincipalsWithCredentials: principals } = fleet;
  const rows: [string, number, number][] = [
    ["applications", await count("cs.directory_object where kind = 'application'"), applications + callers],
    // Our own writer's has no credentials.
    ["service principals", await count("cs.directory_object where kind = 'service-principal'"), principals + 1],
    ["secrets", await count("cs.credential where kind = 'client-secret'"), secrets + callers],
    ["certificates", await count("cs.credential where kind = 'certificate'"), certificates],
    ["gone", await count("cs.credential where gone_at is not null"), 0],
    ["not foreign", await count("cs.credential where state <> 'foreign'"), 0],
  ];
  return rows.flatMap(([what, seen, wanted]) => (seen === wanted ? [] : [`${what}: expected ${wanted}, got ${seen}`]));
}

/** What differs between what is said and what must be said of a fleet of which the inventory lists nothing. */
async function compareFindings(reader: Store, fleet: Fleet, others: Directory): Promise<string[]> {
  const said = new Map<string, number>();
  for (const { code, count } of await reader.fleetFindingCounts({}, 0)) said.set(code, (said.get(code) ?? 0) + count);
  // The suite's own callers: each is an application without an owner, with one secret that nobody used so far.
  const callers = Object.keys(others.callers).length;
  const found: string[] = [];
  for (const [code, wanted] of Object.entries(fleet.findings)) {
    const got = said.get(code) ?? 0;
    if (got < wanted || got > wanted + callers)
      found.push(`${code}: expected ${wanted} to ${wanted + callers}, got ${got}`);
    said.delete(code);
  }
  for (const [code, got] of said) found.push(`${code}: expected none, got ${got}`);
  return found;
}

/** Milliseconds of the 95th percentile over questions that a page of findings asks. */
async function findingQueries(store: Store): Promise<number> {
  const limit = 200;
  const asked: FleetFilter[] = [
    {},
    { code: "ownerless" },
    { code: "unused", tenant: "fleet" },
    { listed: false },
    { search: "Zahlungen-99" },
  ];
  const times: number[] = [];
  for (let n = 0; n < tries; n += 1) {
    const filter = asked[n % asked.length] ?? {};
    const started = performance.now();
    const within = { ...filter, found: await store.findingsFound(filter) };
    await Promise.all([store.fleetFindings(within, { limit, now: 0 }), store.fleetFindingCounts(within, 0)]);
    times.push(performance.now() - started);
  }
  return round(times.toSorted((a, b) => a - b)[94] ?? 0);
}

/** Milliseconds of the 95th percentile over questions that a page of the ledger asks. */
async function queries(store: Store): Promise<number> {
  const now = Date.now();
  const limit = 200;
  const [some] = await store.credentials({ limit: 1 });
  const asked: LedgerFilter[] = [
    {},
    { tenant: "fleet", expiry: "7-days" },
    { tenant: "fleet", state: "foreign" },
    { search: "Zahlungen-99" },
    { search: some?.objectId },
  ];
  const times: number[] = [];
  for (let n = 0; n < tries; n += 1) {
    const started = performance.now();
    const view = { filter: asked[n % asked.length] ?? {}, now, managed: [] };
    await Promise.all([store.ledger(view, { limit }), store.ledgerCounts(view)]);
    times.push(performance.now() - started);
  }
  return round(times.toSorted((a, b) => a - b)[94] ?? 0);
}

/** The same pages without us: fetch, parse, COPY into a table without an index. */
async function floor(admin: pg.Client, urls: Addresses, directory: Directory): Promise<number> {
  const form = new URLSearchParams({
    grant_type: "client_credentials",
    client_id: directory.callers.reader.clientId,
    client_secret: directory.callers.reader.clientSecret,
    scope: `${urls.graph}/.default`,
  });
  const answer = await fetch(`${urls.authority}/${directory.tenant.id}/oauth2/v2.0/token`, {
    method: "POST",
    body: form,
  });
  const { access_token: token } = (await answer.json()) as { access_token: string };
  await admin.query("create table floor (object_id text, name text, id text, starts_at text, expires_at text)");
  const started = performance.now();
  const into = admin.query(copyFrom("copy floor from stdin"));
  const rows = async function* (): AsyncGenerator<string> {
    for (const collection of ["applications", "servicePrincipals"]) {
      let next: string | undefined =
        `${urls.graph}/v1.0/${collection}?$select=id,appId,displayName,passwordCredentials,keyCredentials&$top=999`;
      while (next !== undefined) {
        const page = (await (await fetch(next, { headers: { authorization: `Bearer ${token}` } })).json()) as FloorPage;
        yield page.value
          .flatMap(({ id, displayName, passwordCredentials, keyCredentials }) =>
            [...passwordCredentials, ...keyCredentials].map(
              (one) =>
                `${id}\t${(displayName ?? "").replaceAll(/[\t\n\\]/g, " ")}\t${one.keyId}\t${one.startDateTime}\t${one.endDateTime}\n`,
            ),
          )
          .join("");
        next = page["@odata.nextLink"];
      }
    }
  };
  await pipeline(rows, into);
  return round((performance.now() - started) / 1_000);
}

interface FloorPage {
  readonly value: readonly {
    readonly id: string;
    readonly displayName: string | null;
    readonly passwordCredentials: readonly FloorCredential[];
    readonly keyCredentials: readonly FloorCredential[];
  }[];
  readonly "@odata.nextLink"?: string;
}

interface FloorCredential {
  readonly keyId: string;
  readonly startDateTime: string;
  readonly endDateTime: string;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
