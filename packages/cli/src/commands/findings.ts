import type { ListedFinding, Unread } from "@countersign/contract";
import { countLine, facetLines, pageSize, printListing, text } from "../listing.ts";
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
/** What is not said while a part was not read. */
const unreadParts: Readonly<Record<Unread["part"], string>> = {
  owners: "who owns its applications",
  policies: "how long its policies let a secret live",
  uses: "when a credential was last used",
  failures: "which sign-ins are refused",
  callers: "who signs in with what the inventory lists",
};
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
  await printListing(
    {
      ask,
      counts: ({ facets, unread }) => [
        ...facetLines(facets, "code"),
        ...(facets.state ?? []).flatMap(({ value, count }) =>
          value === "accepted" && count > 0
            ? [countLine(count, "accepted until a date and not counted: countersign acceptances")]
            : [],
        ),
        ...unread.map(
          ({ tenant, part, refused }) =>
            `not known of ${tenant}: ${unreadParts[part]} (${refused ? "the directory does not give it" : "not read as a whole"})`,
        ),
      ],
      head: ["number", "finding", "of", "credential", "observed", "since"],
      cells,
      columns: heads,
      values: (finding: ListedFinding) => [
        ...columns.map((key) => finding[key]),
        ...acceptedColumns.map((key) => finding.acceptance?.[key] ?? null),
      ],
    },
    options,
  );
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
