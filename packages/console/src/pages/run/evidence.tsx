import { pathOf, type RunDetail } from "@countersign/contract";
import { Card, Command, Facts } from "../../ui/card.tsx";
import { Digest } from "../../ui/digest.tsx";
import { Time } from "../../ui/time.tsx";

/** The bundle, how to check it without us, and what no bundle can prove. */
export function EvidenceView({ detail }: { readonly detail: RunDetail }) {
  const { run } = detail;
  const approvedAt = detail.story.find((line) => line.type === "run.moved" && line.to === "approved")?.at;
  const firstEffectAt = detail.story.find((line) => line.type === "step.intent")?.at;
  const inOrder = approvedAt !== undefined && firstEffectAt !== undefined && approvedAt <= firstEffectAt;
  return (
    <div className="grid items-start gap-3 lg:grid-cols-2">
      <Card title="Evidence bundle">
        <p className="mb-3 text-fg2">
          Everything about this run in one file: its {detail.entries} entries with their place in the signed log, the
          plan, the approvals as signed. It exists from the first minute, also for a run that failed, was rejected or
          expired.
        </p>
        <a
          href={pathOf("getBundle", { id: run.id })}
          download={`${run.id}.zip`}
          className="inline-flex min-h-9 items-center rounded bg-brand px-4 font-semibold text-on-brand no-underline hover:bg-brand-hover"
        >
          Download bundle
        </a>
        <h3 className="mt-4 mb-1 font-semibold">Verify it yourself, offline</h3>
        <Command text={`npx countersign verify ${run.id}.zip --trust trust.json`} />
        <p className="mt-2 text-fg2">
          The trust file says whom to believe; take it from the executor's host or from who gave it to you, never from
          the bundle. Exit code 0 means proven, 1 refused, 3 no trust given.
        </p>
      </Card>
      <Card title="What an auditor asks first">
        <Facts
          items={[
            [
              "Run",
              <code key="run" className="font-mono text-xs">
                {run.id}
              </code>,
            ],
            ["Plan digest", run.planDigest === null ? "no plan" : <Digest key="plan" of={run.planDigest} />],
            ["Approved", approvedAt === undefined ? "not approved" : <Time key="approved" at={approvedAt} seconds />],
            ["First effect", firstEffectAt === undefined ? "none" : <Time key="effect" at={firstEffectAt} seconds />],
            [
              "Approved before the first effect",
              approvedAt === undefined || firstEffectAt === undefined ? "–" : inOrder ? "yes" : "NO",
            ],
            ["Entries in the log", String(detail.entries)],
          ]}
        />
        <h3 className="mt-4 mb-1 font-semibold">What this cannot prove</h3>
        <ul className="list-disc pl-5 text-fg2">
          <li>
            At level “session” the server attests who was signed in; whoever holds its session key could forge an
            approval.
          </li>
          <li>
            A log whose operator shows different people different histories is caught only by comparing checkpoints kept
            elsewhere.
          </li>
          <li>What a consumer does with the credential outside the systems that were read.</li>
        </ul>
      </Card>
    </div>
  );
}
