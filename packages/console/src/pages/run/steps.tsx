import type { Plan } from "@countersign/contract";
import { duration } from "../../text/duration.ts";
import { Card } from "../../ui/card.tsx";
import { cx } from "../../ui/classes.ts";

const gradeWords: Readonly<Record<string, string>> = {
  strong: "only on strong evidence that nobody uses the old one",
  weak: "on at least weak evidence that nobody uses the old one",
  none: "without evidence of disuse: policy allows it",
};

/** Whether something is gone for good by it; a look has nothing to undo either, and takes nothing away. */
function isLoss({ phase, undo }: Plan["steps"][number]): boolean {
  return phase === "retire" && "none" in undo && !undo.none.startsWith("Nothing to undo");
}

/** The steps in order, each with its undo or the reason why there is none; what cannot be undone stands out. */
export function StepList({ plan }: { readonly plan: Plan }) {
  const { timing, retire } = plan;
  // An emergency cuts at once: no gate, no overlap, nothing is rolled back by itself.
  const isUrgent = plan.emergency !== undefined;
  const numberOf = new Map(plan.steps.map((step, index) => [step.id, index + 1]));
  const phases = [
    ["execute", "At once, in this order"],
    ["overlap", `Overlap of ${duration(timing.overlapSeconds)}: both credentials sign in`],
    [
      "retire",
      isUrgent
        ? "The cut: at once, without evidence that nobody uses the old one"
        : `Retirement: ${gradeWords[retire.minGrade] ?? retire.minGrade}, quiet for ${duration(timing.quietSeconds)}`,
    ],
    ["restore", "After the cut: consumers are shown to be back on the new credential"],
  ] as const;
  return (
    <Card
      title="Exactly what will be done"
      aside={isUrgent ? "nothing is rolled back by itself" : "any failure stops and rolls back"}
    >
      {phases.map(([phase, title]) => {
        const steps = plan.steps.filter((step) => step.phase === phase);
        if (steps.length === 0) return null;
        return (
          <section key={phase} className="mt-1.5 first:mt-0">
            <h3 className="text-xs font-semibold text-fg3">{title}</h3>
            <ol>
              {steps.map((step) => (
                <li key={step.id} className="flex gap-2 py-0.5">
                  <span className="w-5 shrink-0 text-right font-semibold text-fg3 tabular-nums">
                    {numberOf.get(step.id)}
                  </span>
                  <div className="min-w-0 leading-5">
                    <div>{step.describe}</div>
                    {"describe" in step.undo ? (
                      <div className="text-xs text-fg3">↶ {step.undo.describe}</div>
                    ) : (
                      phase !== "overlap" &&
                      phase !== "restore" && (
                        <div className={cx("text-xs", isLoss(step) ? "font-semibold text-bad-fg" : "text-fg3")}>
                          {isLoss(step) ? "No undo: " : ""}
                          {step.undo.none}
                        </div>
                      )
                    )}
                  </div>
                </li>
              ))}
            </ol>
          </section>
        );
      })}
      <p className="mt-2 text-xs text-fg2">
        {isUrgent ? (
          <>
            <strong>Rolling back</strong> is for a person to decide, and only before the cut: it would bring the
            compromised credential back. A failure before the cut holds the run; after it, what is left is tried again.
          </>
        ) : (
          <>
            <strong>Rolling back</strong> is one action until retirement. By itself only while the old credential lives
            at least {duration(timing.rollbackMinRemainingSeconds)} more; otherwise the run holds with both valid and a
            person decides.
          </>
        )}
      </p>
      {plan.irreversible.length > 0 && (
        <section className="mt-2 rounded border border-bad-line bg-bad-bg px-3 py-1.5 text-bad-fg">
          <h3 className="text-xs font-semibold">Cannot be undone</h3>
          {plan.irreversible.map((sentence) => (
            <p key={sentence}>{sentence}</p>
          ))}
        </section>
      )}
    </Card>
  );
}
