import type { GateReading, Grade } from "@countersign/core";
import { newNonce } from "../context.ts";
import type { RunWork } from "../run-work.ts";

const rank: Readonly<Record<Grade, number>> = { none: 0, weak: 1, strong: 2 };

/**
 * Asks whether the old credential may be retired and records the answer when it differs from the last one.
 * Open only if the source says so, the grade reaches the plan's, and we could show which key the vault held.
 */
export async function readGate(work: RunWork): Promise<boolean> {
  const step = work.plan.steps.find((candidate) => candidate.phase === "retire");
  if (step === undefined) return true;
  const verb = work.verbOf(step);
  const ctx = work.context(step, "do", 1, newNonce());
  const reading: GateReading =
    verb.gate === undefined
      ? { grade: "none", open: false, reasons: ["no-gate"], facts: {} }
      : await verb.gate(ctx, step.params);
  const reasons = [...reading.reasons];
  const enough = rank[reading.grade] >= rank[work.plan.retire.minGrade];
  if (!enough) reasons.push("grade-too-low");
  if (work.plan.old.binding === "unproven") reasons.push("binding-unproven");
  const open = reading.open && enough && work.plan.old.binding !== "unproven";

  const said = JSON.stringify([reading.grade, open, reasons]);
  if (said === work.data.gate) return open;
  await work.note(
    { gate: said },
    [{ type: "gate.checked", data: { evidence: reading.facts, grade: reading.grade, open, reasons } }],
    open ? [] : ["run.overdue"],
  );
  return open;
}
