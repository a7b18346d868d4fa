import type { Finding, ListedFinding } from "@countersign/contract";
import { CountersignError, type FleetCode, fleetCodes } from "@countersign/core";
import type { ApiDependencies } from "../dependencies.ts";
import type { Handler } from "../handler.ts";
import type { RunRecord } from "../ports.ts";
import { lastOf, readEntries } from "../views/entries.ts";
import { decodeCursor, encodeCursor, facetOf, facetsOf, pageOf } from "../views/page.ts";
import { sentenceOf } from "../views/sentences.ts";

const runsMax = 1_000;

/** Runs of each row, the newest first. */
export async function runsByRow(api: ApiDependencies): Promise<Map<string, RunRecord[]>> {
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

export const listFindings: Handler<"listFindings"> = async ({ api, query }) => {
  if (query.of === "runs") return ofRuns(api, query);
  const { code, tenant, environment } = query;
  const wanted = {
    code,
    tenant,
    environment,
    listed: query.listed === undefined ? undefined : query.listed === "true",
  };
  const row = api.inventory().rows.find(({ name }) => name === query.application);
  const objectId = row?.procedure === "entra-client-secret" ? row.objectId : "";
  const found = await api.store.fleetFindings({
    filter: {
      search: query.q,
      cleared: query.state === "cleared",
      ...wanted,
      code: fleetCode(code),
      ...(query.application === undefined ? {} : { objectId }),
    },
    after: query.cursor === undefined ? null : decodeCursor(query.cursor),
    limit: query.limit,
  });
  const counted = facetsOf(found.counts, wanted);
  return {
    items: [...found.items],
    nextCursor: found.next === null ? null : encodeCursor(found.next),
    ...counted,
  };
};

function fleetCode(code: string | undefined): FleetCode | undefined {
  if (code === undefined || code in fleetCodes) return code as FleetCode | undefined;
  throw new CountersignError("INPUT_INVALID", `expected a code of docs/findings.md, got ${code}`);
}

/** What validation found, in the shape of the list of all. */
async function ofRuns(
  api: ApiDependencies,
  query: {
    readonly application?: string | undefined;
    readonly result?: string | undefined;
    readonly code?: string | undefined;
    readonly cursor?: string | undefined;
    readonly limit: number;
  },
) {
  const rows = new Map(api.inventory().rows.map((row) => [row.name, row]));
  const all = (await allFindings(api))
    .filter(
      (row) =>
        (query.application === undefined || row.application === query.application) &&
        (query.result === undefined || row.result === query.result) &&
        (query.code === undefined || row.code === query.code),
    )
    .map((finding): ListedFinding => {
      const row = rows.get(finding.application ?? "");
      return {
        ...finding,
        tenant: row?.tenant ?? null,
        environment: row?.environment ?? null,
        name: null,
        objectId: null,
        appId: null,
        credential: null,
        firstSeenAt: finding.at,
        lastSeenAt: finding.at,
        clearedAt: null,
      };
    });
  return {
    ...pageOf(all, (row) => [row.application ?? "", row.code, row.run ?? ""], query),
    facets: { code: facetOf(all.map((row) => row.code)), result: facetOf(all.map((row) => row.result)) },
  };
}
