import type { Plan, RunDetail } from "@countersign/contract";
import { duration } from "../../text/duration.ts";
import { bindingWords, humanise, kindWords, levelWords, triggerWords } from "../../text/words.ts";
import { Badge } from "../../ui/badge.tsx";
import { Card, Empty, Facts } from "../../ui/card.tsx";
import { ProblemBox } from "../../ui/problem.tsx";
import { Time, Until } from "../../ui/time.tsx";
import { DecisionCard } from "./decision.tsx";
import type { CheckedPlan } from "./plan.ts";
import { StepList } from "./steps.tsx";

/** Everything a yes binds, on one page without scrolling at 1440 x 900: risks first, then what, then the steps. */
export function Approval({ detail, checked }: { readonly detail: RunDetail; readonly checked: CheckedPlan | null }) {
  if (detail.plan === null) {
    return detail.findings.length > 0 ? (
      <Verdict
        rules={detail.findings.map(({ code, result, observed, required }) => ({
          rule: code,
          result,
          observed: String(observed),
          required: String(required),
        }))}
        sentenceOf={(code) => detail.findings.find((finding) => finding.code === code)?.sentence ?? humanise(code)}
      />
    ) : (
      <Empty title="There is no plan yet" command="npx countersign status">
        The executor reads the world, validates the request and plans it; this page follows by itself.
      </Empty>
    );
  }
  if (checked === null) return <p role="status">Recomputing the plan's digest…</p>;
  const { plan } = checked;
  return (
    <>
      {!checked.matches && <ProblemBox error={new Error("digest")} />}
      <Risks plan={plan} detail={detail} />
      <div className="grid items-start gap-3 lg:grid-cols-[minmax(330px,1.05fr)_minmax(380px,1.18fr)_minmax(290px,0.85fr)]">
        <div className="grid gap-3">
          <What detail={detail} plan={plan} />
          <BlastRadius plan={plan} />
        </div>
        <div className="grid gap-3">
          <StepList plan={plan} />
        </div>
        <div className="grid gap-3">
          <DecisionCard detail={detail} checked={checked} />
          <Verdict
            rules={plan.rules}
            sentenceOf={(code) => detail.findings.find((finding) => finding.code === code)?.sentence ?? humanise(code)}
          />
        </div>
      </div>
    </>
  );
}

/** What the rule says, and what it saw: where something is used stands only there. */
function sentenceOfWarning({ rule, observed, required }: Plan["rules"][number], { findings }: RunDetail): string {
  const sentence = findings.find(({ code }) => code === rule)?.sentence;
  return sentence === undefined ? `${observed}, wanted ${required}` : `${sentence} Seen: ${observed}.`;
}

/** Risks and warnings come before everything else, each as a sentence. */
function Risks({ plan, detail }: { readonly plan: Plan; readonly detail: RunDetail }) {
  const warnings = plan.rules
    .filter((rule) => rule.result === "warn" && !plan.risks.some((risk) => risk.code === rule.rule))
    .map((rule) => ({
      code: rule.rule,
      sentence: sentenceOfWarning(rule, detail),
    }));
  const lines = [
    ...plan.risks.map((risk) => ({ ...risk, isRisk: true })),
    ...warnings.map((warning) => ({ ...warning, isRisk: false })),
  ];
  if (lines.length === 0) return null;
  return (
    <section aria-label="Risks" className="mb-3 rounded-lg border border-warn-line bg-warn-bg px-4 py-1.5 text-warn-fg">
      <ul className="grid gap-0.5">
        {lines.map((line) => (
          <li key={line.code + line.sentence}>
            <strong>
              {line.isRisk && "Risk: "}
              {humanise(line.code)}.
            </strong>{" "}
            {line.sentence}
          </li>
        ))}
      </ul>
    </section>
  );
}

const mono = (text: string) => <code className="font-mono text-xs break-all">{text}</code>;

function What({ detail, plan }: { readonly detail: RunDetail; readonly plan: Plan }) {
  const { target, old, stays, timing, baseline } = plan;
  const isNamed = old.binding === "named";
  const binding = bindingWords[old.binding];
  const others = baseline.credentialIds.filter(
    (id) => id !== old.id && id !== stays?.id && !(target.kind === "postgres-database" && target.roles.includes(id)),
  );
  return (
    <Card
      title="What and why now"
      aside={plan.prod ? <Badge tone="bad">production</Badge> : <Badge>not production</Badge>}
    >
      <Facts
        items={[
          ["Application", <strong key="name">{target.name}</strong>],
          ...(target.kind === "entra-application"
            ? ([
                ["appId", mono(target.appId)],
                ["objectId", mono(target.objectId)],
              ] as const)
            : ([["Database", `${target.database}, roles ${target.roles.join(" and ")}`]] as const)),
          [
            "Tenant",
            <span key="tenant">
              {plan.tenant.name} <span className="text-xs text-fg3">{plan.tenant.id}</span>
            </span>,
          ],
          ["Environment", plan.environment],
          [
            "Why now",
            <span key="why">
              {detail.reason ??
                `${triggerWords[plan.trigger] ?? plan.trigger}`.replace(/^./, (first) => first.toUpperCase())}
            </span>,
          ],
          [
            "Expires now",
            old.expiresAt === null ? (
              "never"
            ) : (
              <span key="expires">
                <strong>
                  <Until at={old.expiresAt} />
                </strong>
                , <Time at={old.expiresAt} />
              </span>
            ),
          ],
          [
            "Starts",
            <span key="start">
              once approved, not before <Time at={timing.notBefore} />
            </span>,
          ],
          ["New lifetime", duration(timing.lifetimeSeconds)],
          [
            isNamed ? "To be removed" : "Vault holds",
            <span key="old">
              {mono(old.id)} {binding !== undefined && <Badge tone={binding.tone}>{binding.text}</Badge>}
            </span>,
          ],
          ...(isNamed
            ? ([
                ["Vault holds", stays === undefined ? "not known" : <span key="stays">{mono(stays.id)} stays</span>],
              ] as const)
            : []),
          ["Other keys", others.length === 0 ? "no other live ones" : `${others.length} foreign, not touched`],
        ]}
      />
    </Card>
  );
}

function BlastRadius({ plan }: { readonly plan: Plan }) {
  return (
    <Card
      title={`Blast radius: ${plan.consumers.length} consumer${plan.consumers.length === 1 ? "" : "s"}`}
      aside={`must be ${levelWords[plan.retire.consumerLevel] ?? plan.retire.consumerLevel}`}
    >
      <ul className="grid gap-1">
        {plan.consumers.map((consumer) => (
          <li key={consumer.name}>
            <div className="flex items-baseline justify-between gap-3">
              <strong className="min-w-0 truncate">{consumer.name}</strong>
              <span className="shrink-0 text-xs text-fg2">picks up in {duration(consumer.pickupSeconds)}</span>
            </div>
            <div className="text-xs text-fg3">
              {kindWords[consumer.kind] ?? consumer.kind}: {Object.values(consumer.target).join(" / ")}
            </div>
          </li>
        ))}
      </ul>
    </Card>
  );
}

interface Rule {
  readonly rule: string;
  readonly observed: string;
  readonly required: string;
  readonly result: string;
}

const order: Readonly<Record<string, number>> = { block: 0, warn: 1, pass: 2 };

function Verdict({
  rules,
  sentenceOf,
}: {
  readonly rules: readonly Rule[];
  readonly sentenceOf: (code: string) => string;
}) {
  const sorted = rules.toSorted((a, b) => (order[a.result] ?? 3) - (order[b.result] ?? 3));
  const worst = sorted[0]?.result;
  const passed = rules.filter((rule) => rule.result === "pass").length;
  return (
    <Card
      title="Policy verdict"
      aside={
        <Badge
          tone={worst === "block" ? "bad" : worst === "warn" ? "warn" : "good"}
        >{`${passed} of ${rules.length} checks pass`}</Badge>
      }
    >
      <ul className="max-h-56 overflow-y-auto text-xs" tabIndex={0} aria-label="Policy checks">
        {sorted.map((rule) => (
          <li key={rule.rule} className="flex items-baseline gap-2 py-px">
            <span
              aria-hidden="true"
              className={
                rule.result === "pass" ? "text-good-fg" : rule.result === "warn" ? "text-warn-fg" : "text-bad-fg"
              }
            >
              {rule.result === "pass" ? "✓" : "!"}
            </span>
            <span className="min-w-0 flex-1">
              {rule.result === "pass" ? `${humanise(rule.rule)}: ${rule.observed}` : sentenceOf(rule.rule)}
              <span className="sr-only"> {rule.result}</span>
              {rule.result !== "pass" && (
                <span className="text-fg2">
                  {" "}
                  Seen: {rule.observed}; wanted: {rule.required}.
                </span>
              )}
            </span>
          </li>
        ))}
      </ul>
    </Card>
  );
}
