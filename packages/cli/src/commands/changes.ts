import type { AuditChange } from "@countersign/contract";
import { CountersignError } from "@countersign/core";
import { facetLines, pageSize, printListing } from "../listing.ts";
import { print, printJson, timeOf } from "../output.ts";
import { sessionOf } from "../session.ts";

export interface ChangesOptions {
  readonly url: string;
  readonly login?: string;
  readonly application?: string;
  readonly tenant?: string;
  readonly verdict?: string;
  readonly since?: string;
  readonly standing?: boolean;
  readonly json?: boolean;
  readonly csv?: boolean;
}

const columns = [
  "at",
  "tenant",
  "application",
  "name",
  "objectId",
  "kind",
  "credential",
  "act",
  "verdict",
  "because",
  "actorKind",
  "actor",
  "run",
  "step",
  "standing",
  "explained",
  "entry",
  "readAt",
] as const satisfies readonly (keyof AuditChange)[];

const verdicts = ["ours", "break-glass", "out-of-band", "unknown"] as const;

/** Prints the changes of credentials that the directories' own audit logs tell of, with whose doing each was. */
export async function runChanges(options: ChangesOptions): Promise<void> {
  const { client } = await sessionOf(options);
  const { application, tenant, standing } = options;
  const verdict = verdicts.find((one) => one === options.verdict);
  if (options.verdict !== undefined && verdict === undefined)
    throw new CountersignError("INPUT_INVALID", `expected one of ${verdicts.join(", ")}, got ${options.verdict}`);
  const since = options.since === undefined ? undefined : timeOf(options.since);
  const ask = (cursor: string | null) =>
    client.listChanges({
      query: {
        limit: pageSize,
        ...(application === undefined ? {} : { application }),
        ...(tenant === undefined ? {} : { tenant }),
        ...(verdict === undefined ? {} : { verdict }),
        ...(since === undefined ? {} : { since }),
        ...(standing === true ? { standing: "true" as const } : {}),
        ...(cursor === null ? {} : { cursor }),
      },
    });
  await printListing(
    {
      ask,
      counts: ({ facets }) => facetLines(facets, "verdict"),
      head: ["at", "whose doing", "of", "what", "credential", "explained"],
      cells,
      columns,
      values: (change: AuditChange) => columns.map((key) => change[key]),
    },
    options,
  );
}

/** Says what a change was that no run had done. A credential that changed more than once needs its act and entry. */
export async function runExplain(
  credential: string,
  options: Pick<ChangesOptions, "url" | "login" | "json"> & {
    readonly entry?: string;
    readonly act?: string;
    readonly reason: string;
  },
): Promise<void> {
  const { client } = await sessionOf(options);
  const { items } = await client.listChanges({ query: { q: credential, limit: pageSize } });
  const open = items.filter(
    (one) =>
      one.credential === credential.toLowerCase() &&
      one.explained === null &&
      (one.verdict === "out-of-band" || one.verdict === "unknown") &&
      (options.entry === undefined || one.entry === options.entry) &&
      (options.act === undefined || one.act === options.act),
  );
  const [change] = open;
  if (change === undefined || open.length > 1)
    throw new CountersignError(
      change === undefined ? "NOT_FOUND" : "INPUT_INVALID",
      `expected one change of it that waits for an explanation, got ${open.length}${open.map(({ act, entry }) => `; --act ${act} --entry ${entry}`).join("")}`,
    );
  const { tenant, entry, act } = change;
  const answer = await client.explainChange({
    body: { tenant, entry, credential: change.credential, act, reason: options.reason },
  });
  if (options.json === true) printJson(answer);
  else print(`${act} ${credential}: explained`);
}

function cells({ at, verdict, application, name, objectId, kind, act, credential, explained }: AuditChange): string[] {
  return [
    at,
    verdict,
    application ?? name ?? objectId,
    `${kind} ${act}`,
    credential ?? "",
    explained === null ? "" : explained.at.slice(0, 10),
  ];
}
