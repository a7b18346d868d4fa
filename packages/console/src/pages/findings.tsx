import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { query } from "../api/queries.ts";
import { humanise } from "../text/words.ts";
import { Badge } from "../ui/badge.tsx";
import { Empty } from "../ui/card.tsx";
import { Loaded } from "../ui/problem.tsx";
import { Cell, Table } from "../ui/table.tsx";
import { Time } from "../ui/time.tsx";

const shown = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));

export function FindingsPage() {
  const list = useQuery(query("listFindings", { query: { limit: 200 } }));
  return (
    <>
      <h1 className="text-2xl font-semibold">Findings</h1>
      <p className="mb-3 text-fg2">
        What validation found on each application's newest run, the worst first. A blocked application is never touched.
      </p>
      <Loaded of={list}>
        {(page) =>
          page.items.length === 0 ? (
            <Empty title="No findings" command="npx countersign scan">
              Nothing stands in the way of any rotation that was validated so far.
            </Empty>
          ) : (
            <Table label="Findings" head={["", "Application", "Finding", "Observed", "Required", "When"]}>
              {page.items.map((finding) => (
                <tr key={`${finding.application}${finding.code}`}>
                  <Cell>
                    <Badge tone={finding.result === "block" ? "bad" : "warn"}>
                      {finding.result === "block" ? "blocks" : "warns"}
                    </Badge>
                  </Cell>
                  <Cell>
                    {finding.application !== null && (
                      <Link to="/applications/$name" params={{ name: finding.application }} className="font-semibold">
                        {finding.application}
                      </Link>
                    )}
                  </Cell>
                  <Cell>
                    {finding.sentence}
                    <div className="text-xs text-fg3">{humanise(finding.code)}</div>
                  </Cell>
                  <Cell>{shown(finding.observed)}</Cell>
                  <Cell>{shown(finding.required)}</Cell>
                  <Cell>{finding.at === null ? "–" : <Time at={finding.at} />}</Cell>
                </tr>
              ))}
            </Table>
          )
        }
      </Loaded>
    </>
  );
}
