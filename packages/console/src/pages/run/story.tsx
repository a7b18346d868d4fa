import type { Plan, RunDetail } from "@countersign/contract";
import type { ReactNode } from "react";
import { useNames } from "../../api/queries.ts";
import { humanise, roleWords, states, type Tone } from "../../text/words.ts";
import { Badge } from "../../ui/badge.tsx";
import { Card, Empty, Facts } from "../../ui/card.tsx";
import { cx } from "../../ui/classes.ts";
import { useNow } from "../../ui/now.tsx";
import { Time, Until } from "../../ui/time.tsx";
import { ByHand } from "./by-hand.tsx";
import { CompromiseClock } from "./compromise.tsx";
import { GateCard } from "./gate.tsx";
import { Told } from "./told.tsx";

const waitWords: Readonly<Record<string, string>> = {
  "approval-expires": "Approval ends",
  "not-before": "Starts",
  "overlap-ends": "Overlap ends",
  "look-again": "Looks again",
};

/** What has happened: steps with their attempts on one side, the story line by line on the other. */
export function StoryView({ detail, plan }: { readonly detail: RunDetail; readonly plan: Plan | null }) {
  const now = useNow();
  // Between two looks the row still names the last one; it is not a wait any more.
  const waits = detail.waits.filter((wait) => wait.kind !== "look-again" || Date.parse(wait.until) > now);
  return (
    <div className="grid items-start gap-3 lg:grid-cols-[1.3fr_1fr]">
      <div className="grid gap-3">
        {detail.run.state === "held" && <Held detail={detail} />}
        <CompromiseClock detail={detail} />
        <ByHand detail={detail} />
        <Steps detail={detail} plan={plan} />
      </div>
      <div className="grid gap-3">
        {waits.length > 0 && (
          <Card title="Waits">
            <ul>
              {waits.map((wait) => (
                <li key={wait.kind} className="flex justify-between gap-3">
                  <span>{waitWords[wait.kind]}</span>
                  <span>
                    <strong>
                      <Until at={wait.until} />
                    </strong>{" "}
                    <span className="text-xs text-fg3">
                      <Time at={wait.until} />
                    </span>
                  </span>
                </li>
              ))}
            </ul>
          </Card>
        )}
        {detail.gate !== null && <GateCard gate={detail.gate} />}
        <Told notices={detail.notices} />
        <Timeline detail={detail} />
      </div>
    </div>
  );
}

function Held({ detail }: { readonly detail: RunDetail }) {
  const { because } = detail.run;
  const step = typeof because?.step === "string" ? ` at step ${because.step}` : "";
  return (
    <div role="alert" className="rounded-lg border border-bad-line bg-bad-bg px-4 py-3 text-bad-fg">
      <p className="font-semibold">
        Held{step}: {humanise(because?.code ?? "unknown")}
      </p>
      <p>
        {detail.compromise?.oldDeadAt == null
          ? "Both credentials are valid; nothing moves until a person decides."
          : "The compromised credential is gone, so there is nothing to go back to; nothing moves until a person decides."}{" "}
        {detail.actions.holdDecision.allowed
          ? "Choose above: retry, roll forward or roll back."
          : detail.actions.holdDecision.why}
      </p>
    </div>
  );
}

const stepTones: Readonly<Record<string, { readonly tone: Tone; readonly word: string }>> = {
  waiting: { tone: "neutral", word: "waits" },
  started: { tone: "brand", word: "under way" },
  done: { tone: "good", word: "done" },
  failed: { tone: "bad", word: "failed" },
  unknown: { tone: "warn", word: "unknown: being looked up" },
  undone: { tone: "warn", word: "undone" },
};

function Steps({ detail, plan }: { readonly detail: RunDetail; readonly plan: Plan | null }) {
  if (plan === null || detail.steps.length === 0) {
    return (
      <Empty title="No steps yet" command="npx countersign status">
        The plan is made once the request has been validated.
      </Empty>
    );
  }
  const isClosed = detail.story.some(({ type }) => type === "run.closed");
  return (
    <Card title="Steps" aside="each attempt links to its entries">
      <ol className="divide-y divide-line2">
        {detail.steps.map((step, index) => {
          const known = stepTones[step.state] ?? { tone: "neutral" as const, word: step.state };
          // Nothing of a closed run waits any more.
          const look = isClosed && step.state === "waiting" ? { ...known, word: "not begun" } : known;
          return (
            <li key={step.id} className="py-1.5">
              <div className="flex items-start gap-2">
                <span className="w-5 shrink-0 text-right font-semibold text-fg3 tabular-nums">{index + 1}</span>
                <span className={cx("min-w-0 flex-1", step.state === "waiting" && "text-fg2")}>{step.describe}</span>
                <Badge tone={look.tone}>{look.word}</Badge>
              </div>
              {step.attempts.length > 0 && <Attempts step={step} />}
            </li>
          );
        })}
      </ol>
    </Card>
  );
}

function Attempts({ step }: { readonly step: RunDetail["steps"][number] }) {
  return (
    <ul className="mt-1 ml-7 grid gap-1 text-xs">
      {step.attempts.map((attempt) => (
        <li key={`${attempt.direction}${attempt.attempt}`}>
          <details>
            <summary className="py-1 text-fg2">
              {attempt.direction === "do"
                ? `attempt ${attempt.attempt}: ${attempt.call}`
                : `${attempt.direction} of attempt ${attempt.attempt}`}
              ,{" "}
              {attempt.outcome === null
                ? "no answer yet"
                : attempt.error === null
                  ? attempt.outcome
                  : `${attempt.outcome} (${humanise(attempt.error.code)})`}
              {attempt.verified !== null && `, verified: ${humanise(attempt.verified).toLowerCase()}`},{" "}
              <Time at={attempt.outcomeAt ?? attempt.intentAt} seconds />
            </summary>
            <div className="mt-1 rounded bg-bg3 px-3 py-2">
              <Facts
                items={[
                  [
                    "Entries",
                    `${attempt.intentSeq} (intent)${attempt.outcomeSeq === null ? "" : `, ${attempt.outcomeSeq} (outcome)`}`,
                  ],
                  ...plain({ ...attempt.facts, ...attempt.objectIds }),
                  ...(attempt.requestIds.length > 0 ? ([["Request ids", attempt.requestIds.join(", ")]] as const) : []),
                  ...(attempt.connector === null
                    ? []
                    : ([
                        ["Connector", `${attempt.connector.id} ${attempt.connector.version}, build ${attempt.build}`],
                      ] as const)),
                ]}
              />
            </div>
          </details>
        </li>
      ))}
    </ul>
  );
}

function plain(facts: Readonly<Record<string, unknown>>): (readonly [string, ReactNode])[] {
  return Object.entries(facts).map(
    ([key, value]) =>
      [
        key,
        <code key={key} className="font-mono break-all">
          {typeof value === "string" ? value : JSON.stringify(value)}
        </code>,
      ] as const,
  );
}

const typeWords: Readonly<Record<string, string>> = {
  "run.requested": "Requested",
  "run.validated": "Validated",
  "plan.frozen": "Plan frozen",
  "run.authorised": "Authorisation verified and consumed by the executor",
  "recovery.started": "Another executor took over and reads first",
  "approval.voided": "Approvals void: the world changed",
};

/** What is told of a step, by its direction. */
const outcomeWords: Readonly<Record<string, string>> = { do: "Step", undo: "Undoing", discard: "Discarding" };

/** Who heard of it: an entry stands also for what nobody could be told. */
function toldOf({ what, channel, outcome }: RunDetail["story"][number]): string {
  const kind = humanise(what ?? "").toLowerCase();
  if (channel === "log") return `Nobody told, no channel carries it: ${kind}`;
  if (outcome === "done") return `Told by ${channel}: ${kind}`;
  return `${outcome === "failed" ? "Not told" : "Perhaps told"} by ${channel}: ${kind}`;
}

function Timeline({ detail }: { readonly detail: RunDetail }) {
  const nameOf = useNames();
  const lines = detail.story.filter((line) => line.type !== "step.intent").toReversed();
  const text = (line: RunDetail["story"][number]): ReactNode => {
    if (line.type === "run.moved" && line.to !== null) {
      return (
        <>
          <strong>{states[line.to].word}</strong>
          {line.because !== null && ` (${humanise(line.because.code).toLowerCase()})`}
        </>
      );
    }
    if (line.type === "run.closed") return "Closed: the run's chain is complete";
    if (line.type === "approval.given")
      return `${nameOf(line.person)} ${line.outcome === "reject" ? "rejected" : "approved"}`;
    if (line.type === "notice.sent") return toldOf(line);
    if (line.type === "gate.checked") return `Retire gate looked at: evidence ${line.what ?? "unknown"}`;
    if (line.type === "step.confirmed") {
      const what = line.what === "undo" ? "put back by hand" : "done by hand";
      return `${nameOf(line.person)} ${line.outcome === "withdrawn" ? "took back that" : "confirmed that"} ${line.step} was ${what}`;
    }
    if (line.type === "step.outcome")
      return `${outcomeWords[line.what ?? "do"] ?? "Step"} ${line.step}: ${line.outcome}`;
    return `${typeWords[line.type] ?? roleWords[line.type] ?? humanise(line.type)}${line.person === null ? "" : ` by ${nameOf(line.person)}`}`;
  };
  return (
    <Card title="Story" aside="newest first">
      <ol className="border-l border-line2 pl-3">
        {lines.map((line) => (
          <li key={line.runSeq} className="flex justify-between gap-3 py-0.5">
            <span className="min-w-0">{text(line)}</span>
            <span className="shrink-0 text-xs text-fg3">
              <Time at={line.at} seconds /> <span title="number of the entry in this run's chain">#{line.runSeq}</span>
            </span>
          </li>
        ))}
      </ol>
    </Card>
  );
}
