import { type RunState, runStates } from "@countersign/contract";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { query, useNames } from "../api/queries.ts";
import { procedureWords, states } from "../text/words.ts";
import { Badge, StateBadge } from "../ui/badge.tsx";
import { Empty } from "../ui/card.tsx";
import { Choice, TextField } from "../ui/field.tsx";
import { Listing } from "../ui/listing.tsx";
import { Loaded } from "../ui/problem.tsx";
import { SavedViews } from "../ui/saved-views.tsx";
import { Cell } from "../ui/table.tsx";
import { Time, Until } from "../ui/time.tsx";

export function RunsPage() {
  const filter = useSearch({ from: "/shell/runs" });
  const navigate = useNavigate({ from: "/runs" });
  const nameOf = useNames();
  const list = useQuery(query("listRuns", { query: { limit: 50, ...filter } as never }));
  const set = (change: { state?: string; row?: string }) =>
    void navigate({
      search: ({ cursor: _, ...old }) =>
        Object.fromEntries(Object.entries({ ...old, ...change }).filter(([, value]) => value !== "")),
      replace: true,
    });
  return (
    <>
      <h1 className="mb-3 text-2xl font-semibold">Runs</h1>
      <search className="mb-3 grid grid-cols-2 gap-3 md:grid-cols-4">
        <Choice
          label="State"
          value={filter.state ?? ""}
          onChange={(event) => set({ state: event.target.value })}
          options={[["", "All"], ...runStates.map((state: RunState) => [state, states[state].word] as const)]}
        />
        <TextField
          label="Application (exact name)"
          value={filter.row ?? ""}
          onChange={(event) => set({ row: event.target.value })}
        />
      </search>
      <SavedViews />
      <Loaded of={list}>
        {(page) => (
          <Listing
            page={page}
            label="Runs"
            head={["Application", "State", "Asked", "By", "Last change", "Next"]}
            row={(run) => (
              <tr key={run.id}>
                <Cell>
                  <Link to="/runs/$id" params={{ id: run.id }} className="font-semibold">
                    {run.application}
                  </Link>
                  <div className="text-xs text-fg3">
                    {procedureWords[run.procedure] ?? run.procedure} · {run.environment}
                  </div>
                </Cell>
                <Cell>
                  <StateBadge state={run.state} /> {run.waitsForYou && <Badge tone="brand">waits for you</Badge>}
                </Cell>
                <Cell>
                  <Time at={run.requestedAt} />
                </Cell>
                <Cell>{nameOf(run.requester)}</Cell>
                <Cell>
                  <Until at={run.changedAt} />
                </Cell>
                <Cell>{run.notBefore === null ? "–" : <Until at={run.notBefore} />}</Cell>
              </tr>
            )}
            empty={
              <Empty title="No run fits" command={'npx countersign request <application> --reason "why"'}>
                Runs begin with the daily scan, or when somebody asks for one on an application's page.
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
