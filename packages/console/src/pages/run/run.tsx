import type { RunDetail } from "@countersign/contract";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { query, useNames } from "../../api/queries.ts";
import { procedureWords, states, triggerWords } from "../../text/words.ts";
import { Badge, StateBadge } from "../../ui/badge.tsx";
import { cx } from "../../ui/classes.ts";
import { Loaded } from "../../ui/problem.tsx";
import { Until } from "../../ui/time.tsx";
import { RunActions } from "./actions.tsx";
import { Approval } from "./approval.tsx";
import { BreakGlassCard } from "./break-glass.tsx";
import { CloseCard } from "./close.tsx";
import { EntriesView } from "./entries.tsx";
import { EvidenceView } from "./evidence.tsx";
import { useCheckedPlan } from "./plan.ts";
import { StoryView } from "./story.tsx";

const views = [
  ["plan", "Plan and approval"],
  ["story", "What happened"],
  ["evidence", "Evidence"],
  ["entries", "Raw entries"],
] as const;

/** One run, one address: plan and approval before it starts, the story from then on. */
export function RunPage() {
  const { id } = useParams({ from: "/shell/runs/$id" });
  const detail = useQuery(query("getRun", { params: { id } }));
  return <Loaded of={detail}>{(data) => <RunView key={data.run.id} detail={data} />}</Loaded>;
}

function RunView({ detail }: { readonly detail: RunDetail }) {
  const { run } = detail;
  const search = useSearch({ from: "/shell/runs/$id" });
  const navigate = useNavigate({ from: "/runs/$id" });
  const checked = useCheckedPlan(detail.plan);
  const view = search.view ?? (run.state === "awaiting_approval" ? "plan" : "story");
  return (
    <>
      <Header detail={detail} />
      <BreakGlassCard detail={detail} checked={checked} />
      <CloseCard detail={detail} checked={checked} />
      <div role="tablist" aria-label="Views of this run" className="mb-3 flex gap-1 border-b border-line2">
        {views.map(([key, text]) => (
          <button
            key={key}
            type="button"
            role="tab"
            id={`tab-${key}`}
            aria-selected={view === key}
            aria-controls="view"
            className={cx(
              "min-h-8 border-b-2 px-3",
              view === key ? "border-brand font-semibold text-fg1" : "border-transparent text-fg2 hover:border-line1",
            )}
            onClick={() => void navigate({ search: { view: key }, replace: true })}
          >
            {text}
          </button>
        ))}
      </div>
      <div role="tabpanel" id="view" aria-labelledby={`tab-${view}`}>
        {view === "plan" && <Approval detail={detail} checked={checked} />}
        {view === "story" && <StoryView detail={detail} plan={checked?.plan ?? null} />}
        {view === "evidence" && <EvidenceView detail={detail} />}
        {view === "entries" && <EntriesView run={run.id} />}
      </div>
    </>
  );
}

function Header({ detail }: { readonly detail: RunDetail }) {
  const { run, replaces, replacedBy } = detail;
  const nameOf = useNames();
  return (
    <div className="mb-2 flex items-start justify-between gap-4">
      <div className="min-w-0">
        <h1 className="flex flex-wrap items-center gap-2 text-xl font-semibold">
          {run.trigger === "compromise" ? "EMERGENCY: revoke" : "Rotate"} the{" "}
          {procedureWords[run.procedure] ?? run.procedure} of{" "}
          <Link to="/applications/$name" params={{ name: run.application }}>
            {run.application}
          </Link>
          <StateBadge state={run.state} />
        </h1>
        <p className="text-fg2">
          {states[run.state].sentence} Asked by {nameOf(run.requester)} <Until at={run.requestedAt} />, because{" "}
          {triggerWords[run.trigger] ?? run.trigger}.
          {replaces !== null && (
            <>
              {" "}
              Replaces{" "}
              <Link to="/runs/$id" params={{ id: replaces }}>
                an earlier run
              </Link>
              .
            </>
          )}
          {replacedBy !== null && (
            <>
              {" "}
              <Badge tone="warn">
                Replaced by{" "}
                <Link to="/runs/$id" params={{ id: replacedBy }}>
                  a new run
                </Link>
              </Badge>
            </>
          )}
        </p>
      </div>
      <RunActions detail={detail} />
    </div>
  );
}
