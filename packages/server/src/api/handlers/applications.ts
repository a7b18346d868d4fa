import type { Application } from "@countersign/contract";
import { CountersignError, named } from "@countersign/core";
import type { ApiDependencies } from "../dependencies.ts";
import type { Handler } from "../handler.ts";
import type { RunRecord } from "../ports.ts";
import { applicationOf } from "../views/applications.ts";
import { readEntries } from "../views/entries.ts";
import { foundView } from "../views/inventory.ts";
import { facetOf, pageOf } from "../views/page.ts";
import { iso } from "../views/time.ts";
import { allFindings, runsByRow } from "./findings.ts";

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
    owner: (row: Application) => query.owner === undefined || named(row).includes(query.owner),
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
      owner: facetOf(except("owner").flatMap(named)),
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
  const inDirectory = row.procedure === "entra-client-secret" ? row : null;
  const [own, runs, findings, unreviewed, uses] = await Promise.all([
    api.store.credentialsOf([row], true),
    api.store.runs({ row: row.name, limit: 50 }),
    allFindings(api),
    api.store.unreviewed(),
    api.store.usesFound(inDirectory === null ? [] : [inDirectory]),
  ]);
  const [used] = uses.values();
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
    found: inDirectory === null || used === undefined ? [] : foundView(inDirectory, used),
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
