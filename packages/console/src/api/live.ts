import { ChangeEvent, pathOf, type Status } from "@countersign/contract";
import { useEffect, useState } from "react";
import { query, queryClient } from "./queries.ts";

/** What each list shows of runs; stale as soon as any run changes. */
const lists = new Set([
  "listRuns",
  "listApplications",
  "getApplication",
  "listFindings",
  "listChanges",
  "listCredentials",
  "getInventory",
  "getExpiryWeeks",
  "getStatus",
  "getCheckpoint",
  "getLogEntries",
]);

let refreshedAt = Number.NEGATIVE_INFINITY;

/** Time went by and nothing was logged: what comes next may be another moment now. */
function refreshWaits(): void {
  if (performance.now() - refreshedAt < 3_000) return;
  refreshedAt = performance.now();
  void queryClient.invalidateQueries({
    predicate: ({ queryKey: [name] }) => name === "getStatus" || name === "getRun",
  });
}

function apply(event: ChangeEvent): void {
  queryClient.setQueryData(
    query("getStatus", {}).queryKey,
    (status: Status | undefined) => status && { ...status, now: event.now },
  );
  if (!event.all && event.runs.length === 0) {
    refreshWaits();
    return;
  }
  void queryClient.invalidateQueries({
    predicate: ({ queryKey: [name, call] }) => {
      if (event.all || lists.has(String(name))) return true;
      const id = (call as { params?: { id?: string } } | undefined)?.params?.id;
      return id !== undefined && event.runs.includes(id);
    },
  });
}

/** Keeps every query fresh by the one event stream; says whether the stream is up. */
export function useLive(): boolean {
  const [up, setUp] = useState(true);
  useEffect(() => {
    const source = new EventSource(pathOf("events"));
    let first = true;
    source.onopen = () => {
      first = true;
      setUp(true);
    };
    source.onerror = () => setUp(false);
    source.onmessage = (message) => {
      const event = ChangeEvent.parse(JSON.parse(String(message.data)));
      // The first event after connecting says how far the log is: what was fetched before may be behind it.
      const known = queryClient.getQueryData(query("getStatus", {}).queryKey)?.log.size;
      apply(first && known !== event.size ? { ...event, all: true } : event);
      first = false;
    };
    return () => source.close();
  }, []);
  return up;
}
