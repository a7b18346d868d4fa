import { useQuery } from "@tanstack/react-query";
import { query } from "../../api/queries.ts";
import { Card } from "../../ui/card.tsx";
import { Loaded } from "../../ui/problem.tsx";

/** The run's entries exactly as they stand in the log. */
export function EntriesView({ run }: { readonly run: string }) {
  const list = useQuery(query("getRunEntries", { params: { id: run }, query: { limit: 1000 } }));
  return (
    <Card title="Entries as they stand in the log" aside="canonical JSON; the leaf hash is over exactly these bytes">
      <Loaded of={list}>
        {({ entries }) => (
          <ol className="grid gap-1">
            {entries.map((entry) => (
              <li key={entry.index} className="flex gap-3">
                <span className="w-12 shrink-0 text-right font-mono text-xs text-fg3">{entry.index}</span>
                <code className="min-w-0 font-mono text-xs break-all">{entry.text}</code>
              </li>
            ))}
          </ol>
        )}
      </Loaded>
    </Card>
  );
}
