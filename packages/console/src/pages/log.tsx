import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { query, useStatus } from "../api/queries.ts";
import { Button } from "../ui/button.tsx";
import { Card } from "../ui/card.tsx";
import { Loaded } from "../ui/problem.tsx";
import { Time } from "../ui/time.tsx";

const pageSize = 50;

/** The evidence log as it is: entries by index, and the newest signed checkpoint over them. */
export function LogPage() {
  const size = useStatus().data?.log.size ?? 0;
  const [back, setBack] = useState(0);
  const from = Math.max(0, size - pageSize * (back + 1));
  const list = useQuery(query("getLogEntries", { query: { from, limit: pageSize } }));
  const checkpoint = useQuery(query("getCheckpoint", {}));
  return (
    <>
      <h1 className="text-2xl font-semibold">Evidence log</h1>
      <p className="mb-3 text-fg2">
        Append-only. Each entry is a leaf of a Merkle tree; the checkpoint below is signed over all of them. Names and
        reasons are not in it.
      </p>
      <div className="grid gap-4">
        <Card title="Newest checkpoint">
          <Loaded of={checkpoint}>
            {({ note }) => <pre className="overflow-x-auto font-mono text-xs">{note ?? "None yet."}</pre>}
          </Loaded>
        </Card>
        <Card title={`Entries ${from} to ${Math.min(size, from + pageSize) - 1}`} aside={`${size} in all`}>
          <Loaded of={list}>
            {({ entries }) => (
              <ol className="divide-y divide-line2">
                {entries.toReversed().map(({ index, text }) => {
                  const entry = JSON.parse(text) as { at: string; type: string; run: string | null };
                  return (
                    <li key={index}>
                      <details>
                        <summary className="flex items-baseline gap-3 py-1">
                          <span className="w-12 text-right font-mono text-xs text-fg3">{index}</span>
                          <Time at={entry.at} seconds />
                          <span className="font-semibold">{entry.type}</span>
                        </summary>
                        {entry.run !== null && (
                          <p className="py-1">
                            Of run{" "}
                            <Link to="/runs/$id" params={{ id: entry.run }} className="font-mono">
                              {entry.run}
                            </Link>
                          </p>
                        )}
                        <pre
                          tabIndex={0}
                          className="overflow-x-auto rounded bg-bg3 p-2 font-mono text-xs whitespace-pre-wrap"
                        >
                          {JSON.stringify(JSON.parse(text), null, 2)}
                        </pre>
                      </details>
                    </li>
                  );
                })}
              </ol>
            )}
          </Loaded>
          <div className="mt-2 flex gap-2">
            <Button disabled={from === 0} onClick={() => setBack(back + 1)}>
              Older
            </Button>
            <Button disabled={back === 0} onClick={() => setBack(back - 1)}>
              Newer
            </Button>
          </div>
        </Card>
      </div>
    </>
  );
}
