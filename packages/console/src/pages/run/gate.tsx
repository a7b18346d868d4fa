import type { RunDetail } from "@countersign/contract";
import type { ReactNode } from "react";
import { duration } from "../../text/duration.ts";
import { humanise } from "../../text/words.ts";
import { Badge } from "../../ui/badge.tsx";
import { Card, Facts } from "../../ui/card.tsx";
import { Time } from "../../ui/time.tsx";

type Gate = NonNullable<RunDetail["gate"]>;

const gradeWords: Readonly<Record<string, string>> = {
  strong: "strong: the log covers this secret, and nobody used it for long enough",
  weak: "weak: nothing speaks against it, but not every use would be seen",
  none: "none",
};

/** Why the gate is shut, or why its evidence is no better. */
const reasonWords: Readonly<Record<string, string>> = {
  "record-not-ours": "The record no longer holds what this run stored there",
  "old-key-used": "The old secret was used after the new one was stored",
  "old-role-in-use": "Somebody is connected with the old role",
  "quiet-too-short": "The old one has not been quiet for long enough",
  "caller-not-on-new-key": "Not every declared caller has come with the new one",
  "audience-not-single-tenant": "The application is for several tenants: sign-ins of others are not in this log",
  "redirect-uris": "The application has redirect addresses: uses of its secret there may not be in the log",
  "report-unavailable": "The sign-in log cannot be had",
  "report-has-not-seen-key": "The log has never recorded a use of this secret",
  "report-cut": "The log was too long to be read whole",
  "sign-ins-without-key": "Some sign-ins do not say which secret they used",
  "quiet-shorter-than-gap-and-lag":
    "It was quiet before for as long: the longest pause seen, and the log's delay, have not passed yet",
  "sessions-are-snapshots": "Sessions are looked at now and then: one between two looks is not seen",
  "new-role-not-seen": "Nobody was seen with the new role",
};

const seconds = (value: unknown): ReactNode => (typeof value === "number" ? duration(value) : null);
const text = (value: unknown): ReactNode => (typeof value === "string" ? humanise(value) : null);
const count = (value: unknown): ReactNode => (typeof value === "number" ? value : null);
const list = (value: unknown): ReactNode =>
  Array.isArray(value) ? (value.length === 0 ? "none" : value.join(", ")) : null;

/** What each fact is called, and how its value reads; null: not a value of that kind. */
const factWords: Readonly<Record<string, readonly [string, (value: unknown) => ReactNode]>> = {
  lastUse: ["Last use of the old one", (value) => (typeof value === "string" ? <Time at={value} /> : "none seen")],
  usesSeen: ["Uses of it in the log", count],
  quietSeconds: ["Quiet for", seconds],
  quietRequired: ["Quiet required", seconds],
  longestGapSeconds: ["Longest pause between uses", seconds],
  logLagSeconds: ["The log's delay", seconds],
  source: ["Read from", text],
  stragglers: ["Not on the new one yet", list],
  unattributed: ["Sign-ins that name no secret", count],
  samples: ["Sessions seen with the old role, by look", list],
  newSessions: ["Most sessions seen with the new role", count],
};

/** What the last look at the retire gate saw. A fact or reason that has no words here is shown as it stands. */
export function GateCard({ gate }: { readonly gate: Gate }) {
  return (
    <Card title="Retire gate" aside={<Time at={gate.at} />}>
      <p>
        <Badge tone={gate.open ? "good" : "warn"}>{gate.open ? "open" : "shut"}</Badge> Evidence that nobody uses the
        old credential: <strong>{gradeWords[gate.grade] ?? gate.grade}</strong>.
      </p>
      {gate.reasons.length > 0 && (
        <ul className="mt-1 list-disc pl-5">
          {gate.reasons.map((reason) => (
            <li key={reason}>{reasonWords[reason] ?? humanise(reason)}</li>
          ))}
        </ul>
      )}
      <div className="mt-1 text-xs">
        <Facts items={Object.entries(gate.evidence).map(factLine)} />
      </div>
    </Card>
  );
}

function factLine([key, value]: [string, unknown]): readonly [string, ReactNode] {
  const [word, say] = factWords[key] ?? [humanise(key), () => null];
  return [word, say(value) ?? <code className="font-mono break-all">{JSON.stringify(value)}</code>];
}
