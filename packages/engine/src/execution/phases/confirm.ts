import type { PlanStep } from "@countersign/core";
import type { RunWork } from "../run-work.ts";

/** Looks at one consumer. Null: confirmed and journaled; a number: look again after so many ms. */
export async function confirm(work: RunWork, step: PlanStep): Promise<number | null | "refuted"> {
  const verb = work.verbOf(step);
  const past = work.attempts(step.id, "do").at(-1);
  // A crash between intent and outcome leaves an attempt open: this look is its outcome (I6), not a further attempt.
  const open = past?.outcome === null ? past : undefined;
  const attempt = open?.attempt ?? (past?.attempt ?? 0) + 1;
  const nothing = { objectIds: {}, facts: {}, requestIds: [] };
  const ctx = work.context(step, "do", attempt, past?.nonce ?? "");
  if (verb.verify === undefined) return null;
  const seen = await verb.verify(ctx, step.params, nothing);
  if (seen.kind === "not-yet") return seen.lookAgainMs;
  // Only what was found is journaled, not each look: a look changes nothing outside.
  const row = open ?? (await work.intend(step, "do", attempt, {}));
  if (seen.kind === "refuted") {
    await work.conclude(row, step, { outcome: "failed", facts: seen.facts, error: { code: seen.code } });
    return "refuted";
  }
  await work.conclude(row, step, { outcome: "done", facts: seen.facts, verified: seen.level });
  return null;
}
