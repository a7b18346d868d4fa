import type { Application, Credential, Finding } from "@countersign/contract";
import { CountersignError } from "@countersign/core";
import type { LedgerCount } from "@countersign/engine";
import type { ApiDependencies } from "../dependencies.ts";
import type { Handler } from "../handler.ts";
import type { RunRecord } from "../ports.ts";
import { applicationOf } from "../views/applications.ts";
import { lastOf, readEntries } from "../views/entries.ts";
import { decodeCursor, encodeCursor, facetOf, pageOf } from "../views/page.ts";
import { sentenceOf } from "../views/sentences.ts";
import { iso } from "../views/time.ts";

const runsMax = 1_000;

/** Runs of each row, the newest first. */
async function runsByRow(api: ApiDependencies): Promise<Map<string, RunRecord[]>> {
  const byRow = new Map<string, RunRecord[]>();
  for (const run of await api.store.runs({ limit: runsMax })) byRow.set(run.row, [...(byRow.get(run.row) ?? []), run]);
  return byRow;
}

/** What the newest validation of each row found, the worst first. */
export async function allFindings(api: ApiDependencies): Promise<Finding[]> {
  const found: Finding[] = [];
  for (const [row, [newest]] of await runsByRow(api)) {
    if (newest === undefined) continue;
    const validated = lastOf(readEntries(await api.store.runEntries(newest.id, 0, 10)), "run.validated");
    for (const { code, result, observed, required } of validated?.data.findings ?? []) {
      if (result === "pass") continue;
      found.push({
        code,
        result,
        sentence: sentenceOf(code),
        observed,
        required,
        application: row,
        run: newest.id,
        at: validated?.at ?? null,
      });
    }
  }
  for (const row of api.inventory().rows) {
    if (row.owners.length > 0 || found.some((finding) => finding.application === row.name)) continue;
    const code = "no-owner";
    found.push({
      code,
      result: "block",
      sentence: sentenceOf(code),
      observed: 0,
      required: 1,
      application: row.name,
      run: null,
      at: null,
    });
  }
  return found.sort((a, b) => (a.result === b.result ? 0 : a.result === "block" ? -1 : 1));
}

/** Every application of the inventory as the list shows it. */
export async function allApplications(api: ApiDependencies): Promise<Application[]> {
  const [credentials, runs, findings, unreviewed] = await Promise.all([
    api.store.credentialsOf(api.inventory().rows, false),
    runsByRow(api),
    allFindings(api),
    api.store.unreviewed(),
  ]);
  const { rows, isProd } = api.inventory();
  const context = { isProd, now: api.now(), unreviewed };
  const byRow = Map.groupBy(credentials, (credential) => credential.application);
  const findingsByRow = Map.groupBy(findings, (finding) => finding.application);
  return rows.map((row) =>
    applicationOf(row, byRow.get(row.name) ?? [], runs.get(row.name) ?? [], findingsByRow.get(row.name) ?? [], context),
  );
}

export const listApplications: Handler<"listApplications"> = async ({ api, query }) => {
  const text = query.q?.toLowerCase();
  const fits = {
    q: (row: Application) =>
      text === undefined || `${row.name} ${Object.values(row.target).join(" ")}`.toLowerCase().includes(text),
    environment: (row: Application) => query.environment === undefined || row.environment === query.environment,
    tenant: (row: Application) => query.tenant === undefined || row.tenant === query.tenant,
    owner: (row: Application) => query.owner === undefined || row.owners.includes(query.owner),
    readiness: (row: Application) => query.readiness === undefined || row.readiness === query.readiness,
  };
  const all = await allApplications(api);
  const except = (name: keyof typeof fits | null) =>
    all.filter((row) => Object.entries(fits).every(([key, fit]) => key === name || fit(row)));
  const direction = query.order === "asc" ? 1 : -1;
  const expires = (row: Application) => row.expiresAt ?? "9999";
  const keyOf = (row: Application) => (query.sort === "name" ? [row.name] : [expires(row), row.name]);
  const rows = except(null).sort((a, b) => direction * compare(keyOf(a), keyOf(b)));
  return {
    ...pageOf(rows, keyOf, query),
    facets: {
      environment: facetOf(except("environment").map((row) => row.environment)),
      tenant: facetOf(except("tenant").map((row) => row.tenant)),
      readiness: facetOf(except("readiness").map((row) => row.readiness)),
      owner: facetOf(except("owner").flatMap((row) => row.owners)),
    },
  };
};

function compare(a: readonly string[], b: readonly string[]): number {
  for (const [index, value] of a.entries()) {
    const other = b[index] ?? "";
    if (value !== other) return value < other ? -1 : 1;
  }
  return 0;
}

export const getApplication: Handler<"getApplication"> = async ({ api, params }) => {
  const row = api.inventory().rows.find((candidate) => candidate.name === params.name);
  if (row === undefined)
    throw new CountersignError("NOT_FOUND", `expected an application of the inventory, got ${params.name}`);
  const [own, runs, findings, unreviewed] = await Promise.all([
    api.store.credentialsOf([row], true),
    api.store.runs({ row: row.name, limit: 50 }),
    allFindings(api),
    api.store.unreviewed(),
  ]);
  const about = findings.filter((finding) => finding.application === row.name);
  const { isProd } = api.inventory();
  return {
    application: applicationOf(row, own, runs, about, { isProd, now: api.now(), unreviewed }),
    consumers: row.consumers.map(({ name, kind, environment, pickupSeconds, cadenceSeconds, callers }) => ({
      name,
      kind,
      environment,
      pickupSeconds,
      cadenceSeconds,
      callers: [...callers],
    })),
    credentials: [...own],
    switches: (await Promise.all(runs.slice(0, 5).map((run) => switchesOf(api, run)))).flat(),
    runs: runs.map((run) => ({ id: run.id, state: run.state, requestedAt: iso(run.requestedAt) })),
    findings: about,
  };
};

/** When each consumer was shown to use the new credential: done steps of the phase `overlap`. */
async function switchesOf(api: ApiDependencies, run: RunRecord) {
  const entries = readEntries(await api.store.runEntries(run.id, 0, 2_000));
  return entries
    .filter(
      ({ type, data }) =>
        type === "step.outcome" &&
        data.outcome === "done" &&
        data.direction === "do" &&
        String(data.step).startsWith("confirm:"),
    )
    .map(({ at, data }) => ({ consumer: String(data.step).slice("confirm:".length), at, run: run.id }));
}

export const listCredentials: Handler<"listCredentials"> = async ({ api, query }) => {
  if (query.application !== undefined) return credentialsOfRow(api, query.application, query);
  const { state, kind, tenant, expiry } = query;
  const wanted = {
    state,
    kind,
    tenant,
    expiry,
    managed: query.managed === undefined ? undefined : query.managed === "true",
  };
  const found = await api.store.ledger({
    filter: { search: query.q, ...wanted },
    now: api.now(),
    after: query.cursor === undefined ? null : decodeCursor(query.cursor),
    limit: query.limit,
  });
  type Word = keyof typeof wanted;
  const fits = (count: LedgerCount, except: Word | null) =>
    (Object.keys(wanted) as Word[]).every(
      (word) => word === except || wanted[word] === undefined || wanted[word] === count[word],
    );
  const sum = (counts: readonly LedgerCount[]) => counts.reduce((total, { count }) => total + count, 0);
  const facet = (word: Word) =>
    [
      ...Map.groupBy(
        found.counts.filter((count) => fits(count, word)),
        (count) => String(count[word]),
      ),
    ]
      .map(([value, counts]) => ({ value, count: sum(counts) }))
      .sort((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1));
  return {
    items: [...found.items],
    nextCursor: found.next === null ? null : encodeCursor(found.next),
    total: sum(found.counts.filter((count) => fits(count, null))),
    facets: Object.fromEntries((Object.keys(wanted) as Word[]).map((word) => [word, facet(word)])),
  };
};

/** Those of one application are few, and the inventory says which they are. */
async function credentialsOfRow(
  api: ApiDependencies,
  name: string,
  query: {
    readonly state?: Credential["state"] | undefined;
    readonly cursor?: string | undefined;
    readonly limit: number;
  },
) {
  const rows = api.inventory().rows.filter((row) => row.name === name);
  const all = (await api.store.credentialsOf(rows, query.state === "retired")).filter(
    (row) => query.state === undefined || row.state === query.state,
  );
  return {
    ...pageOf(all, (row) => [row.expiresAt ?? "9999", row.tenant, row.id], query),
    facets: { state: facetOf(all.map((row) => row.state)) },
  };
}

const weeksShown = 13;
const weekMs = 7 * 86_400_000;

export const getExpiryWeeks: Handler<"getExpiryWeeks"> = async ({ api }) => {
  const now = api.now();
  const [found, applications] = await Promise.all([api.store.expiryWeeks(now, weeksShown), allApplications(api)]);
  const stuck = new Set(
    applications.filter(({ readiness }) => ["blocked", "held", "unowned"].includes(readiness)).map(({ name }) => name),
  );
  const weeks = Array.from({ length: weeksShown }, (_, week) => ({
    from: iso(now + week * weekMs),
    ready: 0,
    stuck: 0,
    unmanaged: 0,
  }));
  for (const { week, row, count } of found) {
    const line = weeks[Math.min(week, weeksShown - 1)];
    if (line !== undefined) line[row === null ? "unmanaged" : stuck.has(row) ? "stuck" : "ready"] += count;
  }
  return { weeks };
};

export const listFindings: Handler<"listFindings"> = async ({ api, query }) => {
  const all = (await allFindings(api)).filter(
    (row) =>
      (query.application === undefined || row.application === query.application) &&
      (query.result === undefined || row.result === query.result) &&
      (query.code === undefined || row.code === query.code),
  );
  return {
    ...pageOf(all, (row) => [row.application ?? "", row.code, row.run ?? ""], query),
    facets: { code: facetOf(all.map((row) => row.code)), result: facetOf(all.map((row) => row.result)) },
  };
};
