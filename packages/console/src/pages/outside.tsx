import type { Answer, ChannelView, Reach } from "@countersign/contract";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { api, messageOf } from "../api/client.ts";
import { query, queryClient } from "../api/queries.ts";
import { humanise, type Tone } from "../text/words.ts";
import { Badge } from "../ui/badge.tsx";
import { Button } from "../ui/button.tsx";
import { Empty } from "../ui/card.tsx";
import { Loaded } from "../ui/problem.tsx";
import { Cell, Table } from "../ui/table.tsx";
import { Time } from "../ui/time.tsx";

type Outside = Answer<"getOutside">;

const refreshMs = 15_000;

/** How every system outside fares: directories, connections, webhooks, and the channels over which people are told. */
export function OutsidePage() {
  const outside = useQuery({ ...query("getOutside", {}), refetchInterval: refreshMs });
  const channels = useQuery({ ...query("listChannels", {}), refetchInterval: refreshMs });
  return (
    <div className="grid gap-5">
      <div>
        <h1 className="text-2xl font-semibold">Systems outside</h1>
        <p className="text-fg2">
          How each answered the last time that it was called. Nothing is called for this page, and no secret is read.
        </p>
      </div>
      <Loaded of={outside}>
        {(seen) => (
          <>
            <Directories of={seen} />
            <Connections of={seen} />
            <Webhooks of={seen} />
          </>
        )}
      </Loaded>
      <Section title="Channels">
        <Loaded of={channels}>{({ items }) => <Channels items={items} />}</Loaded>
      </Section>
    </div>
  );
}

function Section({ title, children }: { readonly title: string; readonly children: ReactNode }) {
  return (
    <section>
      <h2 className="mb-1.5 text-lg font-semibold">{title}</h2>
      {children}
    </section>
  );
}

function Directories({ of: { directories } }: { readonly of: Outside }) {
  return (
    <Section title="Directories">
      {directories.length === 0 ? (
        <Empty title="No tenant">The configuration names no tenant: only databases are rotated here.</Empty>
      ) : (
        <Table
          label="Directories"
          head={["Tenant", "Sign-in and directory", "Last whole listing", "Last look at changes", "Last second pass"]}
        >
          {directories.map(({ name, id, reaches, lastFull, lastDelta, lastPass }) => (
            <tr key={name}>
              <Cell>
                <span className="font-semibold">{name}</span>
                <div className="font-mono text-xs text-fg3">{id}</div>
              </Cell>
              <Cell>
                {reaches.map((reach) => (
                  <Reached key={reach.address} of={reach} />
                ))}
              </Cell>
              <Cell>
                <Scanned of={lastFull} />
              </Cell>
              <Cell>
                <Scanned of={lastDelta} />
              </Cell>
              <Cell>
                <Scanned of={lastPass} />
              </Cell>
            </tr>
          ))}
        </Table>
      )}
    </Section>
  );
}

function Connections({ of: { connections } }: { readonly of: Outside }) {
  return (
    <Section title="Connections">
      {connections.length === 0 ? (
        <Empty title="No connection">
          A value is only ever written into a connection of countersign.yaml; there is none, so nothing can be rotated.
        </Empty>
      ) : (
        <Table label="Connections" head={["Connection", "Kind", "Environment", "How it answers"]}>
          {connections.map(({ name, kind, environment, prod, reach }) => (
            <tr key={name}>
              <Cell>
                <span className="font-semibold">{name}</span>
              </Cell>
              <Cell>{humanise(kind)}</Cell>
              <Cell>
                {environment}
                {prod && <span className="text-xs text-fg3"> (production)</span>}
              </Cell>
              <Cell>{reach === null ? "On this machine: nothing is called" : <Reached of={reach} />}</Cell>
            </tr>
          ))}
        </Table>
      )}
    </Section>
  );
}

const reachTones: Readonly<Record<Reach["state"], Tone>> = { answers: "good", failing: "bad", unused: "neutral" };

function Reached({ of: reach }: { readonly of: Reach }) {
  const { address, state, answeredAt, failingSince, failedAt, code } = reach;
  return (
    <div className="py-0.5">
      <Badge tone={reachTones[state]}>{state === "unused" ? "not called yet" : state}</Badge>{" "}
      <span className="font-mono text-xs">{address}</span>
      <div className="text-xs text-fg3">
        {state === "failing" && failingSince !== null && (
          <>
            since <Time at={failingSince} />: {code}.{" "}
          </>
        )}
        {answeredAt !== null && (
          <>
            Answered <Time at={answeredAt} />.{" "}
          </>
        )}
        {state === "answers" && failedAt !== null && (
          <>
            Last failure <Time at={failedAt} />: {code}.
          </>
        )}
      </div>
    </div>
  );
}

function Scanned({ of: scan }: { readonly of: Outside["directories"][number]["lastFull"] }) {
  if (scan === null) return <span className="text-fg3">none yet</span>;
  const tone: Tone = scan.state === "failed" ? "bad" : scan.state === "running" ? "brand" : "good";
  return (
    <>
      <Badge tone={tone}>{scan.state}</Badge> <Time at={scan.finishedAt ?? scan.startedAt} />
      {scan.code !== null && <div className="text-xs text-fg3">{scan.code}</div>}
      {scan.applications !== null && <div className="text-xs text-fg3">{scan.applications} applications</div>}
    </>
  );
}

function Webhooks({ of: { webhooks, events } }: { readonly of: Outside }) {
  return (
    <Section title="Webhooks">
      {webhooks.length === 0 ? (
        <Empty title="No webhook" command="npx countersign webhooks --help">
          Events from outside can ask for a rotation; they never start one. The configuration names none.
        </Empty>
      ) : (
        <div className="grid gap-3">
          <Table label="Webhooks" head={["Webhook", "Kind", "Keys", "Most per minute", "Last event", "Seven days"]}>
            {webhooks.map(({ name, kind, keys, perMinuteMax, lastAt, outcomes }) => (
              <tr key={name}>
                <Cell>
                  <span className="font-semibold">{name}</span>
                </Cell>
                <Cell>{humanise(kind)}</Cell>
                <Cell>{keys}</Cell>
                <Cell>{perMinuteMax}</Cell>
                <Cell>{lastAt === null ? <span className="text-fg3">none yet</span> : <Time at={lastAt} />}</Cell>
                <Cell>
                  {Object.entries(outcomes)
                    .map(([outcome, count]) => `${count} ${outcome}`)
                    .join(", ") || <span className="text-fg3">nothing</span>}
                </Cell>
              </tr>
            ))}
          </Table>
          {events.length > 0 && (
            <Table label="Newest events" head={["When", "Webhook", "Event", "What became of it"]}>
              {events.map(({ hook, type, at, outcome, run }, index) => (
                <tr key={index}>
                  <Cell>
                    <Time at={at} />
                  </Cell>
                  <Cell>{hook}</Cell>
                  <Cell mono>{type}</Cell>
                  <Cell>
                    {run === null ? (
                      outcome
                    ) : (
                      <Link to="/runs/$id" params={{ id: run }} search={{}}>
                        {outcome}
                      </Link>
                    )}
                  </Cell>
                </tr>
              ))}
            </Table>
          )}
        </div>
      )}
    </Section>
  );
}

const channelTones: Readonly<Record<ChannelView["state"], Tone>> = {
  ok: "good",
  failing: "warn",
  dead: "bad",
  unused: "neutral",
};

function Channels({ items }: { readonly items: readonly ChannelView[] }) {
  const test = useMutation({
    mutationFn: (name: string) => api.testChannel({ params: { name }, body: {} }),
    onSettled: () => queryClient.invalidateQueries({ queryKey: ["listChannels"] }),
  });
  if (items.length === 0)
    return (
      <Empty title="Nobody is told">
        No channel is configured: what happens stands in the log only. Name one under `notify` in countersign.yaml.
      </Empty>
    );
  return (
    <>
      <Table label="Channels" head={["Channel", "Kind", "State", "Last sent", "Last failure", ""]}>
        {items.map(({ name, kind, state, failures, lastSentAt, lastFailedAt, lastCode, lastStatus }) => (
          <tr key={name}>
            <Cell>
              <span className="font-semibold">{name}</span>
            </Cell>
            <Cell>{humanise(kind)}</Cell>
            <Cell>
              <Badge tone={channelTones[state]}>{state}</Badge>
              {failures > 0 && <span className="ml-1.5 text-xs text-fg3">{failures} failures in a row</span>}
            </Cell>
            <Cell>{lastSentAt === null ? "–" : <Time at={lastSentAt} />}</Cell>
            <Cell>
              {lastFailedAt === null ? (
                "–"
              ) : (
                <>
                  <Time at={lastFailedAt} />
                  <div className="text-xs text-fg3">
                    {lastCode}
                    {lastStatus === null ? "" : ` (${lastStatus})`}
                  </div>
                </>
              )}
            </Cell>
            <Cell>
              <Button disabled={test.isPending} onClick={() => test.mutate(name)}>
                Send a test to {name}
              </Button>
            </Cell>
          </tr>
        ))}
      </Table>
      <p role="status" className="mt-1 text-xs text-fg2">
        {test.isError ? messageOf(test.error) : test.isSuccess ? `A test is on its way over ${test.variables}.` : ""}
      </p>
    </>
  );
}
