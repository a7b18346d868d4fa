import type { RunSummary } from "@countersign/contract";
import { Link } from "@tanstack/react-router";
import { procedureWords } from "../text/words.ts";
import { StateBadge } from "../ui/badge.tsx";
import { Until } from "../ui/time.tsx";

/** One run in a short list. */
export function RunLine({ run }: { readonly run: RunSummary }) {
  return (
    <li className="flex items-center gap-3 py-2">
      <div className="min-w-0 flex-1">
        <Link to="/runs/$id" params={{ id: run.id }} className="font-semibold">
          {run.application}
        </Link>
        <div className="text-xs text-fg3">
          {procedureWords[run.procedure] ?? run.procedure} · {run.environment} · asked <Until at={run.requestedAt} />
        </div>
      </div>
      <StateBadge state={run.state} />
      {run.waitsForYou && (
        <Link
          to="/runs/$id"
          params={{ id: run.id }}
          className="inline-flex min-h-8 items-center rounded bg-brand px-3 font-semibold text-on-brand no-underline hover:bg-brand-hover"
        >
          Review
        </Link>
      )}
    </li>
  );
}
