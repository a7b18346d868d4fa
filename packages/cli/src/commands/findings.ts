import type { ListedFinding } from "@countersign/contract";
import { csvLine, plain, printJson, say, table } from "../output.ts";
import { sessionOf } from "../session.ts";

export interface FindingsOptions {
  readonly url: string;
  readonly login?: string;
  readonly code?: string;
  readonly tenant?: string;
  readonly search?: string;
  readonly cleared?: boolean;
  readonly json?: boolean;
  readonly csv?: boolean;
}

const pageSize = 200;
/** Rows that a person is shown; `--csv` and `--json` have all. */
const shownMax = 50;
/** A fleet has some findings for each application; more than this is no answer but a fault of the server. */
const pagesMax = 100_000;

const columns = [
  "id",
  "code",
  "tenant",
  "environment",
  "application",
  "name",
  "objectId",
  "appId",
  "credential",
  "observed",
  "required",
  "firstSeenAt",
  "lastSeenAt",
  "clearedAt",
] as const satisfies readonly (keyof ListedFinding)[];
/** What of an acceptance stands in a row of CSV. */
const acceptedColumns = ["state", "until", "askedBy", "confirmedBy"] as const;
const heads = [...columns, ...acceptedColumns.map((key) => `acceptance.${key}`)];

/** Prints what the ledger shows that somebody should know of. */
export async function runFindings(options: FindingsOptions): Promise<void> {
  const { client } = await sessionOf(options);
  const { code, tenant, search: q } = options;
  const state = options.cleared === true ? "cleared" : "open";
  const ask = (cursor: string | null) =>
    client.listFindings({
      query: {
        state,
        limit: pageSize,
        ...(code === undefined ? {} : { code }),
        ...(tenant === undefined ? {} : { tenant }),
        ...(q === undefined ? {} : { q }),
        ...(cursor === null ? {} : { cursor }),
      },
    });
  let page = await ask(null);
  if (options.json !== true && options.csv !== true) {
    for (const { value, count } of page.facets.code ?? []) say(`${String(count).padStart(8)}  ${value}`);
    for (const { value, count } of page.facets.state ?? [])
      if (value === "accepted" && count > 0)
        say(`${String(count).padStart(8)}  accepted until a date and not counted: countersign acceptances`);
    const rows = page.items.slice(0, shownMax).map((finding) => cells(finding).map(plain));
    if (rows.length > 0) say(table(["number", "finding", "of", "credential", "observed", "since"], rows));
    if (page.total > rows.length) say(`${rows.length} of ${page.total}; --csv has all`);
    return;
  }
  const items: ListedFinding[] = [];
  if (options.csv === true) process.stdout.write(csvLine(heads));
  for (let pages = 1; ; pages += 1) {
    if (options.csv === true) for (const finding of page.items) process.stdout.write(csvLine(rowOf(finding)));
    else items.push(...page.items);
    if (page.nextCursor === null || pages >= pagesMax) break;
    page = await ask(page.nextCursor);
  }
  if (options.json === true) printJson({ total: page.total, facets: page.facets, items });
}

const text = (value: unknown) => (value === null ? "" : typeof value === "string" ? value : JSON.stringify(value));

function rowOf(finding: ListedFinding): string[] {
  const { acceptance } = finding;
  return [
    ...columns.map((key) => text(finding[key])),
    ...acceptedColumns.map((key) => text(acceptance === null ? null : acceptance[key])),
  ];
}

function cells({ id, code, application, name, tenant, credential, observed, firstSeenAt }: ListedFinding): string[] {
  return [
    text(id),
    code,
    application ?? name ?? tenant ?? "",
    credential ?? "",
    text(observed),
    (firstSeenAt ?? "").slice(0, 10),
  ];
}
