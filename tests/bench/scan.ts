import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createConnectors } from "@countersign/connectors";
import { SecretValue } from "@countersign/core";
import {
  type CredentialFilter,
  createScanner,
  databaseKey,
  embeddedAdmin,
  migrate,
  openStore,
  prepareUsers,
  type Store,
  startEmbedded,
  systemClock,
} from "@countersign/engine";
import type { Addresses } from "@countersign/simulator";
import pg from "pg";
import { from as copyFrom } from "pg-copy-streams";
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
  /** Largest resident size of this process, which is the scanner, until the first listing had ended. */
  readonly rssMb: number;
  /** A second whole listing of the same fleet. */
  readonly againSeconds: number;
  /** A look at 100 changes. */
  readonly changesSeconds: number;
  readonly changes: number;
  /** Reading a page of 200 of the ledger, by five kinds of questions. */
  readonly queryMsP95: number;
  /** Empty: what was stored equals what the tenant counted while it made the fleet. */
  readonly differences: readonly string[];
}

const liveness = { leaseMs: 10_000, beatMs: 1_000, freshMs: 5_000, callDeadlineMs: 30_000, settleMs: 30_000 };
const changedCount = 100;

interface Fleet {
  readonly applications: number;
  readonly secrets: number;
  readonly certificates: number;
  readonly servicePrincipalsWithCredentials: number;
}

interface Directory {
  readonly tenant: { readonly id: string };
  readonly callers: Readonly<Record<"reader", { readonly clientId: string; readonly clientSecret: string }>>;
}

/** Lists a fleet into the ledger, twice, and then what has changed; beside it the floor. */
export async function benchScan(options: {
  readonly count: number;
  readonly say: (line: string) => void;
}): Promise<ScanReport> {
  const { count, say } = options;
  const folder = mkdtempSync(join(tmpdir(), "cs-bench-"));
  chmodSync(folder, 0o711);
  const ends: (() => Promise<void>)[] = [async () => rmSync(folder, { recursive: true, force: true })];
  try {
    const tenant = await startTenantProcess();
    ends.push(() => tenant.close());
    const manage = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
      const init = { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
      return (await (await fetch(`${tenant.urls.management}${path}`, init)).json()) as T;
    };
    say(`making ${count} applications`);
    const fleet = await manage<Fleet>("POST", "/fleet", { applications: count, seed: 7 });
    const before = await manage<Directory>("GET", "/directory");
    const server = await startEmbedded({ stateFolder: join(folder, "server"), sharedFolder: join(folder, "shared") });
    ends.push(() => server.stop("immediate"));
    const admin = await embeddedAdmin(server);
    const connections = await prepareUsers(admin, await databaseKey(folder));
    await migrate(connections.cs_migrator);
    const { host, port, database } = admin.address;
    const observer = new pg.Client({ host, port, database, user: admin.user, password: admin.password });
    await observer.connect();
    ends.push(() => observer.end());
    const store = openStore({ role: "cs_scanner", connection: connections.cs_scanner, statementTimeoutMs: 120_000 });
    const reader = openStore({ role: "cs_api", connection: connections.cs_api });
    ends.push(
      () => store.close(),
      () => reader.close(),
    );
    const { clientId, clientSecret } = before.callers.reader;
    const connectors = createConnectors(
      {
        profile: "test",
        network: { ca: [], proxy: null, loopback: true },
        callDeadlineMs: liveness.callDeadlineMs,
        tenants: [
          {
            name: "fleet",
            id: before.tenant.id,
            authority: tenant.urls.authority,
            graph: tenant.urls.graph,
            reader: { clientId, secret: "reader" },
            writer: { clientId, secret: "reader" },
            ownExecutorAppIds: [],
            ownAddresses: [],
          },
        ],
        connections: [],
      },
      { clock: systemClock(), version: "bench", readSecret: () => Promise.resolve(SecretValue.of(clientSecret)) },
    );
    ends.push(() => connectors.close());
    const said: { readonly event: string; readonly facts: Readonly<Record<string, unknown>> }[] = [];
    const scanner = createScanner({
      store,
      clock: systemClock(),
      tenants: connectors.scanners,
      rules: {
        cron: "0 0 1 1 *",
        zone: "UTC",
        changesEverySeconds: 0,
        rows: () => [],
        dueSeconds: () => null,
        termsOf: () => ({ expiringSeconds: 30 * 86_400, lifetimeSecondsMax: 365 * 86_400, quietSeconds: 90 * 86_400 }),
      },
      liveness,
      log: (event, facts = {}) => said.push({ event, facts }),
    });
    await scanner.start();
    ends.push(() => scanner.stop());
    const timed = async (act: () => Promise<void>): Promise<number> => {
      const started = performance.now();
      await act();
      const last = said.at(-1);
      if (last?.event !== "scan.completed")
        throw new Error(`expected a scan that came through, got ${JSON.stringify(last)}`);
      say(`${((performance.now() - started) / 1_000).toFixed(2)} s ${JSON.stringify(last.facts)}`);
      return round((performance.now() - started) / 1_000);
    };
    const seconds = await timed(() => scanner.scanNow());
    const rssMb = Math.round(process.resourceUsage().maxRSS / 1_024);
    const differences = await compare(observer, fleet, before);
    const againSeconds = await timed(() => scanner.scanNow());
    await manage("POST", "/fleet/change", { applications: changedCount });
    const changesSeconds = await timed(() => scanner.scanChanges());
    const changes = Number(said.at(-1)?.facts.credentialsChanged);
    const queryMsP95 = await queries(reader);
    const floorSeconds = await floor(observer, tenant.urls, before, clientSecret);
    return {
      bench: "scan",
      n: count,
      credentials: fleet.secrets + fleet.certificates,
      seconds,
      floorSeconds,
      ratio: round(seconds / floorSeconds),
      rssMb,
      againSeconds,
      changesSeconds,
      changes,
      queryMsP95,
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
    ["service principals", await count("cs.directory_object where kind = 'service-principal'"), principals],
    ["secrets", await count("cs.credential where kind = 'client-secret'"), secrets + callers],
    ["certificates", await count("cs.credential where kind = 'certificate'"), certificates],
    ["gone", await count("cs.credential where gone_at is not null"), 0],
    ["not foreign", await count("cs.credential where state <> 'foreign'"), 0],
  ];
  return rows.flatMap(([what, seen, wanted]) => (seen === wanted ? [] : [`${what}: expected ${wanted}, got ${seen}`]));
}

/** Milliseconds of the 95th percentile over questions that a page of the ledger asks. */
async function queries(store: Store): Promise<number> {
  const now = Date.now();
  const limit = 200;
  const [some] = await store.credentials({ limit: 1 });
  const asked: CredentialFilter[] = [
    { limit },
    { tenant: "fleet", limit, expiresBefore: now + 14 * 86_400_000 },
    { tenant: "fleet", limit, states: ["foreign"] },
    { limit, search: "Zahlungen-99" },
    { limit, ...(some === undefined ? {} : { objectId: some.objectId }) },
  ];
  const times: number[] = [];
  for (let n = 0; n < 100; n += 1) {
    const started = performance.now();
    await store.credentials(asked[n % asked.length] ?? { limit });
    times.push(performance.now() - started);
  }
  return round(times.toSorted((a, b) => a - b)[94] ?? 0);
}

/** The same pages without us: fetch, parse, COPY into a table without an index. */
async function floor(admin: pg.Client, urls: Addresses, directory: Directory, secret: string): Promise<number> {
  const form = new URLSearchParams({
    grant_type: "client_credentials",
    client_id: directory.callers.reader.clientId,
    client_secret: secret,
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
