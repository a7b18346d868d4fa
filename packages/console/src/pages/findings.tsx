import type { ListedFinding, Unread } from "@countersign/contract";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { memo } from "react";
import { query } from "../api/queries.ts";
import { humanise, type Tone } from "../text/words.ts";
import { Badge } from "../ui/badge.tsx";
import { Empty } from "../ui/card.tsx";
import { Choice, TextField } from "../ui/field.tsx";
import { Listing } from "../ui/listing.tsx";
import { filterReader, options } from "../ui/pager.tsx";
import { Loaded } from "../ui/problem.tsx";
import { Cell } from "../ui/table.tsx";
import { Time } from "../ui/time.tsx";
import { Acceptance } from "./acceptance.tsx";

const keys = [
  "of",
  "q",
  "code",
  "tenant",
  "environment",
  "listed",
  "state",
  "application",
  "result",
  "cursor",
] as const;
export const readFindingFilter = filterReader(keys);
type FindingFilter = ReturnType<typeof readFindingFilter>;

const listedWords: Readonly<Record<string, string>> = { true: "In the inventory", false: "Not in the inventory" };
const stateWords: Readonly<Record<string, string>> = {
  "": "Counts now",
  accepted: "Accepted until a date",
  asked: "Waits for a second person",
  expired: "Accepted until a date that has passed",
  cleared: "No more so",
};
const resultWords: Readonly<Record<string, string>> = { block: "Blocks", warn: "Warns" };
/** What somebody should see to first. */
const urgent: ReadonlySet<string> = new Set([
  "scan-late",
  "changed-out-of-band",
  "failing",
  "expired",
  "orphan",
  "listed-but-gone",
  "undeclared-use",
  "owner-unreachable",
  "foreign-on-managed",
]);

/** What the ledger shows that somebody should know of; and what validation found on the newest run of each application. */
export function FindingsPage() {
  const filter = useSearch({ from: "/shell/findings" });
  const navigate = useNavigate({ from: "/findings" });
  const list = useQuery(query("listFindings", { query: { limit: 100, ...filter } as never }));
  const set = (change: FindingFilter) =>
    void navigate({ search: (old) => readFindingFilter({ ...old, cursor: undefined, ...change }), replace: true });
  const ofRuns = filter.of === "runs";
  const choice = (key: (typeof keys)[number], label: string, wordOf: (value: string) => string) => (
    <Choice
      label={label}
      value={filter[key] ?? ""}
      onChange={(event) => set({ [key]: event.target.value })}
      options={options(
        list.data?.facets[key]?.filter(({ value }) => value !== ""),
        filter[key],
        wordOf,
      )}
    />
  );
  return (
    <>
      <h1 className="text-2xl font-semibold">Findings</h1>
      <p className="mb-3 text-fg2">
        {ofRuns
          ? "What validation found on each application's newest run, the worst first. A blocked application is never touched."
          : "What the ledger shows that somebody should know of, in the inventory or not, the most urgent first. What was not read is not known, and nothing is said of it."}
      </p>
      <search className="mb-3 grid grid-cols-2 gap-3 md:grid-cols-7">
        <Choice
          label="Found"
          value={filter.of ?? ""}
          onChange={(event) => void navigate({ search: readFindingFilter({ of: event.target.value }), replace: true })}
          options={[
            ["", "In the directory"],
            ["runs", "By validation of runs"],
          ]}
        />
        {choice("code", "Finding", humanise)}
        {ofRuns ? (
          choice("result", "Result", (value) => resultWords[value] ?? value)
        ) : (
          <>
            <TextField
              label="Search name or id"
              type="search"
              value={filter.q ?? ""}
              onChange={(event) => set({ q: event.target.value })}
            />
            {choice("environment", "Environment", (value) => value)}
            {choice("listed", "Inventory", (value) => listedWords[value] ?? value)}
            {choice("tenant", "Tenant", (value) => value)}
            <Choice
              label="State"
              value={filter.state ?? ""}
              onChange={(event) => set({ state: event.target.value })}
              options={stateOptions(list.data?.facets.state ?? [])}
            />
          </>
        )}
      </search>
      <Loaded of={list}>
        {(page) => (
          <>
            <NotRead parts={page.unread} />
            <Listing
              page={page}
              label="Findings"
              head={["Finding", "Of", "Observed", "Required", "First seen", "Last seen"]}
              row={(finding, index) => (
                <Row
                  key={`${finding.objectId}${finding.credential}${finding.code}${finding.run}${index}`}
                  finding={finding}
                />
              )}
              empty={<Nothing isFiltered={Object.keys(filter).some((key) => key !== "of")} />}
              cursor={filter.cursor}
              more={(cursor) => void navigate({ search: (old) => ({ ...old, cursor }) })}
            />
          </>
        )}
      </Loaded>
    </>
  );
}

const unreadParts: Readonly<Record<Unread["part"], string>> = {
  owners: "who owns its applications",
  policies: "how long its policies let a secret live",
  uses: "when a credential was last used",
  failures: "which sign-ins are refused",
  callers: "who signs in with what the inventory lists",
};

/** Where no finding of a kind means nothing: what it rests on was not read. */
function NotRead({ parts }: { readonly parts: readonly Unread[] }) {
  if (parts.length === 0) return null;
  return (
    <ul className="mb-3 rounded-lg border border-line2 bg-bg2 px-4 py-2 text-sm text-fg2">
      {parts.map(({ tenant, part, refused, readAt }) => (
        <li key={`${tenant} ${part}`}>
          Not known of <b>{tenant}</b>: {unreadParts[part]}.{" "}
          {refused
            ? "The directory does not give it: a permission or a licence is missing."
            : "Not read as a whole yet."}
          {readAt !== null && !refused && (
            <>
              {" "}
              Last read <Time at={readAt} />.
            </>
          )}
        </li>
      ))}
    </ul>
  );
}

function Nothing({ isFiltered }: { readonly isFiltered: boolean }) {
  return isFiltered ? (
    <Empty title="No finding fits" command="npx countersign findings">
      Change the filter. What was so once is shown under “No more so”.
    </Empty>
  ) : (
    <Empty title="No findings" command="npx countersign scan">
      As far as the last scan saw. Without a scan nothing is known: start one with “Scan now” on the overview.
    </Empty>
  );
}

/** Every state can be chosen; the list says how many there are of most. */
function stateOptions(facet: readonly { readonly value: string; readonly count: number }[]) {
  return Object.entries(stateWords).map(([value, word]): [string, string] => {
    const counted = facet.find((one) => one.value === (value === "" ? "open" : value));
    return [value, counted === undefined ? word : `${word} (${counted.count})`];
  });
}

function toneOf({ result, code }: ListedFinding): Tone {
  return result === "block" || urgent.has(code) ? "bad" : "warn";
}

const shown = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));

const Row = memo(function Row({ finding }: { readonly finding: ListedFinding }) {
  const { application, name, tenant, objectId, credential, run, firstSeenAt, lastSeenAt, clearedAt } = finding;
  return (
    <tr>
      <Cell>
        <Badge tone={toneOf(finding)}>{humanise(finding.code)}</Badge>
        <div className="text-xs text-fg2">{finding.sentence}</div>
        {finding.id !== null && clearedAt === null && <Acceptance finding={finding} />}
      </Cell>
      <Cell>
        {application !== null ? (
          <Link to="/applications/$name" params={{ name: application }} className="font-semibold">
            {application}
          </Link>
        ) : (
          <span className="font-semibold wrap-anywhere">{name ?? tenant}</span>
        )}
        <div className="text-xs text-fg3">
          {[tenant, finding.environment].filter((part) => part !== null).join(" · ")}{" "}
          {run !== null && (
            <Link to="/runs/$id" params={{ id: run }} className="underline">
              run
            </Link>
          )}
          {objectId !== null && (
            <Link to="/credentials" search={{ q: credential ?? objectId }} className="font-mono underline">
              {credential ?? objectId}
            </Link>
          )}
        </div>
      </Cell>
      <Cell>{shown(finding.observed)}</Cell>
      <Cell>{shown(finding.required)}</Cell>
      <Cell>{firstSeenAt === null ? "–" : <Time at={firstSeenAt} />}</Cell>
      <Cell>
        {lastSeenAt === null ? "–" : <Time at={lastSeenAt} />}
        {clearedAt !== null && (
          <div className="text-xs text-fg3">
            cleared <Time at={clearedAt} />
          </div>
        )}
      </Cell>
    </tr>
  );
});
