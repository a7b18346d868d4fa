import { useMutation, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { api } from "../api/client.ts";
import { query, useSession, useStatus } from "../api/queries.ts";
import { ExpiryWeeks } from "../charts/expiry-weeks.tsx";
import { procedureWords } from "../text/words.ts";
import { StateBadge } from "../ui/badge.tsx";
import { Button } from "../ui/button.tsx";
import { Card, Empty } from "../ui/card.tsx";
import { Digest } from "../ui/digest.tsx";
import { Loaded, ProblemBox } from "../ui/problem.tsx";
import { Time, Until } from "../ui/time.tsx";
import { FreezeDialog } from "./freeze-dialog.tsx";
import { RunLine } from "./run-line.tsx";

export function OverviewPage() {
  const status = useStatus();
  return (
    <>
      <div className="mb-3 flex items-center justify-between">
        <h1 className="text-2xl font-semibold">Overview</h1>
        <Actions />
      </div>
      <Loaded of={status}>
        {({ counts, lastScanAt, lateScans, failedScans, log }) => (
          <div className="grid gap-4">
            {lateScans.length > 0 && (
              <p role="alert" className="rounded-lg border border-bad-line bg-bad-bg px-4 py-2 text-bad-fg">
                {lateScans.join(", ")} {lateScans.length === 1 ? "has" : "have"} not been listed as a whole for more
                than 26 hours: what is shown may be old, and nothing due is found.{" "}
                <Link to="/findings" search={{ code: "scan-late" }}>
                  Findings
                </Link>
              </p>
            )}
            {failedScans.map(({ at, sentence }) => (
              <p
                key={sentence}
                role="status"
                className="rounded-lg border border-warn-line bg-warn-bg px-4 py-2 text-warn-fg"
              >
                {sentence} <Time at={at} />; it is tried again by itself. <Link to="/outside">Systems outside</Link>
              </p>
            ))}
            <div className="grid grid-cols-2 gap-3 md:grid-cols-4">
              <Figure
                value={counts.waitingForYou}
                text="wait for your approval"
                to="/runs"
                search={{ state: "awaiting_approval" }}
                tone={counts.waitingForYou > 0 ? "warn" : null}
              />
              <Figure
                value={counts.held}
                text="held: a person must decide"
                to="/runs"
                search={{ state: "held" }}
                tone={counts.held > 0 ? "bad" : null}
              />
              <Figure
                value={counts.expired}
                text="applications expired"
                to="/applications"
                search={{ readiness: "expired" }}
                tone={counts.expired > 0 ? "bad" : null}
              />
              <Figure
                value={counts.expiring}
                text="expire within 30 days"
                to="/applications"
                search={{ sort: "expires" }}
                tone={null}
              />
            </div>
            <div className="grid items-start gap-4 xl:grid-cols-2">
              <WaitingForYou />
              <Running />
            </div>
            <Weeks />
            <Expiring />
            <p className="text-xs text-fg3">
              {lastScanAt === null ? (
                "No scan yet."
              ) : (
                <>
                  Last scan <Time at={lastScanAt} />.
                </>
              )}{" "}
              {counts.applications} applications in the inventory. Evidence log: {log.size} entries
              {log.checkpoint !== null && (
                <>
                  , checkpoint at {log.checkpoint.size} with root <Digest of={log.checkpoint.root} />
                </>
              )}
              .
            </p>
          </div>
        )}
      </Loaded>
    </>
  );
}

function Actions() {
  const roles = useSession().data?.person?.roles ?? [];
  const scan = useMutation({ mutationFn: () => api.scan({ body: {} }) });
  const mayScan = roles.some((role) => role !== "auditor");
  const mayFreeze = roles.some((role) => role === "platform" || role === "security");
  return (
    <div className="flex items-center gap-2">
      {scan.isError && <ProblemBox error={scan.error} />}
      {scan.isSuccess && <span role="status">The scan has been asked for.</span>}
      {mayScan && (
        <Button onClick={() => scan.mutate()} disabled={scan.isPending}>
          Scan now
        </Button>
      )}
      {mayFreeze && <FreezeDialog />}
    </div>
  );
}

const figureTones = { warn: "border-warn-line bg-warn-bg text-warn-fg", bad: "border-bad-line bg-bad-bg text-bad-fg" };

function Figure(props: {
  readonly value: number;
  readonly text: string;
  readonly to: "/runs" | "/applications";
  readonly search: object;
  readonly tone: "warn" | "bad" | null;
}) {
  return (
    <Link
      to={props.to}
      search={props.search as never}
      className={`rounded-lg border px-4 py-3 no-underline hover:border-brand ${props.tone === null ? "border-line2 bg-bg1 text-fg1" : figureTones[props.tone]}`}
    >
      <div className="text-3xl font-semibold tabular-nums">{props.value}</div>
      <div>{props.text}</div>
    </Link>
  );
}

function Section({ title, children }: { readonly title: string; readonly children: ReactNode }) {
  return <Card title={title}>{children}</Card>;
}

function WaitingForYou() {
  const runs = useQuery(query("listRuns", { query: { waiting: "me", limit: 10 } }));
  return (
    <Section title="Waiting for you">
      <Loaded of={runs}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title="Nothing waits for your approval" command="npx countersign status">
              When a plan needs your role, it appears here and stays until its deadline.
            </Empty>
          ) : (
            <ul className="divide-y divide-line2">
              {items.map((run) => (
                <RunLine key={run.id} run={run} />
              ))}
            </ul>
          )
        }
      </Loaded>
    </Section>
  );
}

function Running() {
  const runs = useQuery(query("listRuns", { query: { open: "true", limit: 20 } }));
  return (
    <Section title="Under way">
      <Loaded of={runs}>
        {({ items: open }) => {
          const items = open.filter((run) => !run.waitsForYou).slice(0, 8);
          return items.length === 0 ? (
            <Empty title="Nothing else is under way" command={'npx countersign request <application> --reason "why"'}>
              Runs begin with the daily scan, or when somebody asks for one on an application's page.
            </Empty>
          ) : (
            <ul className="divide-y divide-line2">
              {items.map((run) => (
                <RunLine key={run.id} run={run} />
              ))}
            </ul>
          );
        }}
      </Loaded>
    </Section>
  );
}

function Weeks() {
  const found = useQuery(query("getExpiryWeeks", {}));
  return (
    <Section title="What expires, by week">
      <Loaded of={found}>
        {({ weeks }) =>
          weeks.every(({ ready, stuck, unmanaged }) => ready + stuck + unmanaged === 0) ? (
            <Empty title="Nothing expires in the next 13 weeks" command="npx countersign scan">
              As far as the last scan saw. Without a scan nothing is known: start one with “Scan now” above.
            </Empty>
          ) : (
            <>
              <ExpiryWeeks weeks={weeks} />
              <Link to="/credentials">All credentials</Link>
            </>
          )
        }
      </Loaded>
    </Section>
  );
}

function Expiring() {
  const list = useQuery(query("listApplications", { query: { sort: "expires", limit: 8 } }));
  return (
    <Section title="What expires next">
      <Loaded of={list}>
        {({ items }) =>
          items.length > 0 && items.every((row) => row.expiresAt === null) ? (
            <Empty title="No expiry is known yet" command="npx countersign scan">
              The daily scan lists what exists. Start it now with “Scan now” above.
            </Empty>
          ) : items.length === 0 ? (
            <Empty title="The inventory is empty" command="npx countersign inventory accept inventory.yaml">
              Only applications in the accepted inventory are ever touched. Add a row to inventory.yaml and accept it.
            </Empty>
          ) : (
            <ul className="divide-y divide-line2">
              {items
                .filter((row) => row.expiresAt !== null)
                .map((row) => (
                  <li key={row.name} className="flex items-center gap-3 py-1.5">
                    <Link to="/applications/$name" params={{ name: row.name }} className="min-w-40 font-semibold">
                      {row.name}
                    </Link>
                    <span className="text-fg3">
                      {procedureWords[row.procedure] ?? row.procedure} · {row.environment}
                    </span>
                    <span className="flex-1" />
                    {row.openRun !== null && <StateBadge state={row.openRun.state} />}
                    <span className="w-40 text-right">{row.expiresAt !== null && <Until at={row.expiresAt} />}</span>
                  </li>
                ))}
            </ul>
          )
        }
      </Loaded>
    </Section>
  );
}
