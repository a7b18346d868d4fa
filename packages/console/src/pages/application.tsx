import type { Answer, Application } from "@countersign/contract";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { api } from "../api/client.ts";
import { query, useNames } from "../api/queries.ts";
import { OverlapTimeline } from "../charts/overlap-timeline.tsx";
import { duration } from "../text/duration.ts";
import { humanise, kindWords, ledgerWords, procedureWords } from "../text/words.ts";
import { Badge, StateBadge } from "../ui/badge.tsx";
import { Button } from "../ui/button.tsx";
import { Card, Command, Empty, Facts } from "../ui/card.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { Choice, TextArea } from "../ui/field.tsx";
import { Loaded, ProblemBox } from "../ui/problem.tsx";
import { Cell, Table } from "../ui/table.tsx";
import { Time, Until } from "../ui/time.tsx";
import { readinessWords } from "./applications.tsx";
import { FoundUses } from "./found-uses.tsx";
import { ReasonDialog } from "./reason-dialog.tsx";

type Detail = Answer<"getApplication">;

export function ApplicationPage() {
  const { name } = useParams({ from: "/shell/applications/$name" });
  const detail = useQuery(query("getApplication", { params: { name } }));
  return <Loaded of={detail}>{(data) => <ApplicationView detail={data} />}</Loaded>;
}

function ApplicationView({ detail }: { readonly detail: Detail }) {
  const { application: row, credentials } = detail;
  const nameOf = useNames();
  return (
    <>
      <div className="mb-3 flex items-start justify-between gap-4">
        <div>
          <h1 className="text-2xl font-semibold">{row.name}</h1>
          <p className="text-fg2">
            {procedureWords[row.procedure] ?? row.procedure} · {row.tenant} · {row.environment}{" "}
            <Badge tone={readinessWords[row.readiness].tone}>{readinessWords[row.readiness].word}</Badge>
          </p>
        </div>
        <div className="flex items-center gap-3">
          {row.openRun === null && <ReplaceDialog row={row.name} credentials={credentials} />}
          <ReportDialog row={row.name} credentials={credentials} />
          {row.openRun === null ? (
            <RequestDialog row={row.name} />
          ) : (
            <Link to="/runs/$id" params={{ id: row.openRun.id }} className="font-semibold">
              Go to the open run
            </Link>
          )}
        </div>
      </div>
      {row.locked !== null && (
        <div role="alert" className="mb-3 rounded-lg border border-bad-line bg-bad-bg px-4 py-3 text-bad-fg">
          <strong>Locked.</strong> {nameOf(row.locked.person)} started a run alone (break-glass) at{" "}
          <Time at={row.locked.at} />, and no review has accepted it. Nothing begins by itself until one has, due{" "}
          <Until at={row.locked.reviewUntil} />.{" "}
          <Link to="/runs/$id" params={{ id: row.locked.run }} className="font-semibold">
            Review it
          </Link>
        </div>
      )}
      <div className="grid items-start gap-4 xl:grid-cols-[minmax(0,1fr)_360px]">
        <div className="grid gap-4">
          <Card title="Credentials over time" aside="values are never shown: no page, no API">
            {credentials.length === 0 ? (
              <Empty title="No credential seen yet" command="npx countersign scan">
                The scan lists what exists in the tenant.
              </Empty>
            ) : (
              <>
                <OverlapTimeline credentials={credentials} switches={detail.switches} />
                <CredentialTable credentials={credentials} owners={row.credentialOwners} />
              </>
            )}
          </Card>
          <Card title="Consumers" aside="who breaks if the old credential goes too early">
            <Table label="Consumers" head={["Consumer", "How it gets the value", "Pick-up", "Signs in every"]}>
              {detail.consumers.map((consumer) => (
                <tr key={consumer.name}>
                  <Cell>{consumer.name}</Cell>
                  <Cell>{kindWords[consumer.kind] ?? consumer.kind}</Cell>
                  <Cell>within {duration(consumer.pickupSeconds)}</Cell>
                  <Cell>{duration(consumer.cadenceSeconds)}</Cell>
                </tr>
              ))}
            </Table>
            {detail.found.length > 0 && (
              <div className="mt-3">
                <h3 className="font-semibold text-warn-fg">Seen in use, and declared by nobody</h3>
                <p>
                  A rotation would not reach these. Declare each, corrected where the line guesses, and accept the
                  inventory:
                </p>
                <FoundUses found={detail.found} />
              </div>
            )}
          </Card>
        </div>
        <div className="grid gap-4">
          <Card title="Who and where">
            <Facts
              items={[
                ["Owners", row.owners.length === 0 ? "nobody" : row.owners.map(nameOf).join(", ")],
                [
                  "For the business",
                  row.businessOwners.length === 0 ? "nobody is named" : row.businessOwners.map(nameOf).join(", "),
                ],
                ...Object.entries(row.target).map(
                  ([key, value]) =>
                    [
                      key,
                      <code key={key} className="font-mono text-xs">
                        {String(value)}
                      </code>,
                    ] as const,
                ),
                ["Record", `${row.record.name} in ${row.record.connection}`],
              ]}
            />
          </Card>
          <Card title="Findings">
            {detail.findings.length === 0 ? (
              <p className="text-fg2">The last validation found nothing that stands in the way.</p>
            ) : (
              <ul className="grid gap-1.5">
                {detail.findings.map((finding) => (
                  <li key={finding.code}>
                    <Badge tone={finding.result === "block" ? "bad" : "warn"}>{finding.result}</Badge>{" "}
                    {finding.sentence}
                    <span className="text-xs text-fg3"> ({humanise(finding.code)})</span>
                  </li>
                ))}
              </ul>
            )}
          </Card>
          <Card title="Runs">
            {detail.runs.length === 0 ? (
              <p className="text-fg2">No run yet.</p>
            ) : (
              <ul className="grid gap-1">
                {detail.runs.map((run) => (
                  <li key={run.id} className="flex items-center justify-between">
                    <Link to="/runs/$id" params={{ id: run.id }}>
                      <Time at={run.requestedAt} />
                    </Link>
                    <StateBadge state={run.state} />
                  </li>
                ))}
              </ul>
            )}
          </Card>
        </div>
      </div>
    </>
  );
}

function CredentialTable({
  credentials,
  owners,
}: {
  readonly credentials: Detail["credentials"];
  readonly owners: Application["credentialOwners"];
}) {
  const nameOf = useNames();
  return (
    <div className="mt-3">
      <Table label="Credentials" head={["Id", "Ledger", "Starts", "Expires", ""]}>
        {credentials.map((credential) => (
          <tr key={credential.id}>
            <Cell>
              <span className="font-mono text-xs">{credential.id}</span>
              {owners[credential.id] !== undefined && (
                <div className="text-xs text-fg3">owned by {owners[credential.id]?.map(nameOf).join(", ")}</div>
              )}
            </Cell>
            <Cell>
              <Badge tone={ledgerWords[credential.state].tone}>{ledgerWords[credential.state].word}</Badge>
            </Cell>
            <Cell>{credential.startsAt === null ? "–" : <Time at={credential.startsAt} />}</Cell>
            <Cell>{credential.expiresAt === null ? "never" : <Time at={credential.expiresAt} />}</Cell>
            <Cell>{credential.expiresAt !== null && <Until at={credential.expiresAt} />}</Cell>
          </tr>
        ))}
      </Table>
    </div>
  );
}

/** Reports that somebody else may hold a credential: which one, and why that is believed. */
function ReportDialog({ row, credentials }: { readonly row: string; readonly credentials: Detail["credentials"] }) {
  const live = credentials.filter(({ kind, state }) => kind === "client-secret" && state !== "retired");
  const [credential, setCredential] = useState(live[0]?.id ?? "");
  const navigate = useNavigate();
  if (live.length === 0) return null;
  return (
    <ReasonDialog
      button="Report a compromise"
      look="danger"
      title={`Report a compromised secret of ${row}`}
      text={
        <div className="grid gap-3">
          <p>
            For a secret that somebody else may hold. Nothing is changed by reporting, but an open run of this
            application holds at once. After approval the secret is replaced and removed{" "}
            <strong>without overlap</strong>: consumers that have not picked up the new one fail until they do.
          </p>
          <Choice
            label="Which secret"
            value={credential}
            onChange={(event) => setCredential(event.target.value)}
            options={live.map(({ id }) => [id, id] as const)}
          />
        </div>
      }
      confirm="Report"
      act={async (reason) => {
        const { run } = await api.requestRun({ body: { row, reason, trigger: "compromise", credential } });
        await navigate({ to: "/runs/$id", params: { id: run } });
      }}
    />
  );
}

/** Asks for the replacement of a secret that somebody else made: which one, and why. */
function ReplaceDialog({ row, credentials }: { readonly row: string; readonly credentials: Detail["credentials"] }) {
  const foreign = credentials.filter(({ kind, state }) => kind === "client-secret" && state === "foreign");
  const [replace, setReplace] = useState(foreign[0]?.id ?? "");
  const navigate = useNavigate();
  if (foreign.length === 0) return null;
  return (
    <ReasonDialog
      button="Replace a secret made by hand"
      title={`Replace a secret of ${row} that was made by hand`}
      text={
        <div className="grid gap-3">
          <p>
            For a secret that no run has made and whose value may be in no store. A new one is made and stored, an owner
            moves whatever lives on this one, and then it goes, and no other. Security is always asked.
          </p>
          <Choice
            label="Which secret"
            value={replace}
            onChange={(event) => setReplace(event.target.value)}
            options={foreign.map(({ id }) => [id, id] as const)}
          />
          <Command text={`npx countersign request ${row} --replace ${replace} --reason "why"`} />
        </div>
      }
      confirm="Request"
      act={async (reason) => {
        const { run } = await api.requestRun({ body: { row, reason, replace } });
        await navigate({ to: "/runs/$id", params: { id: run } });
      }}
    />
  );
}

function RequestDialog({ row }: { readonly row: string }) {
  const [open, setOpen] = useState(false);
  const [reason, setReason] = useState("");
  const navigate = useNavigate();
  const request = useMutation({
    mutationFn: () => api.requestRun({ body: { row, reason } }),
    onSuccess: ({ run }) => navigate({ to: "/runs/$id", params: { id: run } }),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    request.mutate();
  };
  return (
    <>
      <Button look="primary" onClick={() => setOpen(true)}>
        Request a rotation
      </Button>
      <Dialog open={open} onClose={() => setOpen(false)} title={`Request a rotation of ${row}`}>
        <form onSubmit={submit} className="grid gap-3">
          <p className="text-fg2">
            Nothing changes by asking: the request is validated and planned, then two other people must approve. You
            will not be able to approve it yourself.
          </p>
          <TextArea
            label="Reason"
            required
            minLength={3}
            maxLength={2000}
            value={reason}
            onChange={(event) => setReason(event.target.value)}
          />
          <Command text={`npx countersign request ${row} --reason "${reason.replaceAll('"', "'") || "why"}"`} />
          {request.isError && <ProblemBox error={request.error} />}
          <div className="flex justify-end gap-2">
            <Button onClick={() => setOpen(false)}>Cancel</Button>
            <Button type="submit" look="primary" disabled={request.isPending || reason.trim().length < 3}>
              Request
            </Button>
          </div>
        </form>
      </Dialog>
    </>
  );
}
