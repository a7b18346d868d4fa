import type { Application, Readiness } from "@countersign/contract";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { query, useNames } from "../api/queries.ts";
import { procedureWords, type Tone } from "../text/words.ts";
import { Badge } from "../ui/badge.tsx";
import { Empty } from "../ui/card.tsx";
import { Choice, TextField } from "../ui/field.tsx";
import { Listing } from "../ui/listing.tsx";
import { filterReader, options } from "../ui/pager.tsx";
import { Loaded } from "../ui/problem.tsx";
import { SavedViews } from "../ui/saved-views.tsx";
import { Cell } from "../ui/table.tsx";
import { Time, Until } from "../ui/time.tsx";

const keys = ["q", "environment", "tenant", "owner", "readiness", "sort", "order", "cursor"] as const;
export const readApplicationFilter = filterReader(keys);

export const readinessWords: Readonly<Record<Readiness, { readonly word: string; readonly tone: Tone }>> = {
  ready: { word: "Nothing to do", tone: "good" },
  due: { word: "Due", tone: "warn" },
  expired: { word: "Expired", tone: "bad" },
  "in-progress": { word: "In progress", tone: "brand" },
  held: { word: "Held", tone: "bad" },
  blocked: { word: "Blocked", tone: "bad" },
  locked: { word: "Locked", tone: "bad" },
  unowned: { word: "Nobody owns it", tone: "bad" },
  unknown: { word: "Not scanned yet", tone: "neutral" },
};

export function ApplicationsPage() {
  const filter = useSearch({ from: "/shell/applications" });
  const navigate = useNavigate({ from: "/applications" });
  const list = useQuery(query("listApplications", { query: { limit: 50, ...filter } as never }));
  const set = (change: ReturnType<typeof readApplicationFilter>) =>
    void navigate({ search: (old) => readApplicationFilter({ ...old, cursor: undefined, ...change }), replace: true });
  const facet = (name: string) => list.data?.facets[name];
  const nameOf = useNames();
  return (
    <>
      <h1 className="mb-3 text-2xl font-semibold">Applications</h1>
      <search className="mb-3 grid grid-cols-2 gap-3 md:grid-cols-5">
        <TextField
          label="Search name or id"
          type="search"
          className="col-span-2 md:col-span-1"
          value={filter.q ?? ""}
          onChange={(event) => set({ q: event.target.value })}
        />
        <Choice
          label="Readiness"
          value={filter.readiness ?? ""}
          onChange={(event) => set({ readiness: event.target.value })}
          options={options(facet("readiness"), filter.readiness, (value) => readinessWords[value as Readiness].word)}
        />
        <Choice
          label="Environment"
          value={filter.environment ?? ""}
          onChange={(event) => set({ environment: event.target.value })}
          options={options(facet("environment"), filter.environment)}
        />
        <Choice
          label="Owner"
          value={filter.owner ?? ""}
          onChange={(event) => set({ owner: event.target.value })}
          options={options(facet("owner"), filter.owner, nameOf)}
        />
        <Choice
          label="Sort"
          value={filter.sort ?? "expires"}
          onChange={(event) => set({ sort: event.target.value })}
          options={[
            ["expires", "Expires first"],
            ["name", "Name"],
          ]}
        />
      </search>
      <SavedViews />
      <Loaded of={list}>
        {(page) => (
          <Listing
            page={page}
            label="Applications"
            head={["Application", "Expires", "Readiness", "Environment", "Owners", "Consumers", "Findings"]}
            row={(row) => <Row key={row.name} row={row} nameOf={nameOf} />}
            empty={
              <Empty title="No application fits" command="npx countersign inventory accept inventory.yaml">
                Change the filter, or add a row to inventory.yaml and accept it: what is not listed is never touched.
              </Empty>
            }
            cursor={filter.cursor}
            more={(cursor) => void navigate({ search: (old) => ({ ...old, cursor }) })}
          />
        )}
      </Loaded>
    </>
  );
}

function Row({ row, nameOf }: { readonly row: Application; readonly nameOf: (id: string | null) => string }) {
  return (
    <tr>
      <Cell>
        <Link to="/applications/$name" params={{ name: row.name }} className="font-semibold">
          {row.name}
        </Link>
        <div className="text-xs text-fg3">
          {procedureWords[row.procedure] ?? row.procedure} · {row.tenant}
        </div>
      </Cell>
      <Cell>
        {row.expiresAt === null ? (
          <span className="text-fg3">never, or not seen</span>
        ) : (
          <>
            <Until at={row.expiresAt} />
            <div className="text-xs text-fg3">
              <Time at={row.expiresAt} />
            </div>
          </>
        )}
      </Cell>
      <Cell>
        <Badge tone={readinessWords[row.readiness].tone}>{readinessWords[row.readiness].word}</Badge>{" "}
        {row.openRun !== null && (
          <Link to="/runs/$id" params={{ id: row.openRun.id }}>
            open run
          </Link>
        )}
      </Cell>
      <Cell>
        {row.environment} {row.prod && <Badge tone="warn">prod</Badge>}
      </Cell>
      <Cell>
        {row.owners.length === 0 ? <span className="text-bad-fg">nobody</span> : row.owners.map(nameOf).join(", ")}
        {row.businessOwners.length > 0 && (
          <div className="text-xs text-fg3">for the business: {row.businessOwners.map(nameOf).join(", ")}</div>
        )}
      </Cell>
      <Cell>{row.consumers}</Cell>
      <Cell>{row.findings > 0 ? row.findings : "–"}</Cell>
    </tr>
  );
}
