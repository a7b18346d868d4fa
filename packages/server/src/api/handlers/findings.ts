import type { Finding } from "@countersign/contract";
import type { ApiDependencies } from "../dependencies.ts";
import type { Handler } from "../handler.ts";
import type { RunRecord } from "../ports.ts";
import { lastOf, readEntries } from "../views/entries.ts";
import { facetOf, pageOf } from "../views/page.ts";
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
