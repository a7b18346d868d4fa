import { hiddenCharacter } from "../documents/hostile.ts";
import type { RuleResult } from "../plan/drift.ts";
import { approverChecks } from "./approvers.ts";
import { block, type Check, type Finding } from "./check.ts";
import type { ValidationInput } from "./input.ts";
import { recordChecks } from "./record.ts";
import { riskChecks } from "./risks.ts";
import { targetChecks } from "./target.ts";
import { timingChecks } from "./timing.ts";

/** Every rule there is, in the order in which people read the findings. */
export const checks: readonly Check[] = [
  ...riskChecks,
  ...targetChecks,
  ...recordChecks,
  ...timingChecks,
  ...approverChecks,
];

/**
 * Judges a request: one finding per rule that applies, passes included. A rule that cannot be evaluated blocks.
 * The same input always gives the same findings.
 */
export function validate(input: ValidationInput): Finding[] {
  return checks.flatMap((rule): Finding[] => {
    const verdict = evaluated(rule, input);
    return verdict === null ? [] : [{ code: rule.code, sentence: rule.sentence, ...verdict }];
  });
}

function evaluated(rule: Check, input: ValidationInput) {
  try {
    const verdict = rule.evaluate(input);
    return verdict === null
      ? null
      : { ...verdict, observed: plain(verdict.observed), required: plain(verdict.required) };
  } catch {
    return block("the rule could not be evaluated", "an answer");
  }
}

/** Ids from outside may be anything: evidence takes 600 characters and none that repaints a terminal. */
function plain(text: string): string {
  return hiddenCharacter(text) === null ? text.slice(0, 600) : "text with hidden characters";
}

/** Whether any finding stops the run. */
export function isBlocked(findings: readonly Finding[]): boolean {
  return findings.some((finding) => finding.result === "block");
}

/** Findings as a plan and its evidence hold them. */
export function rulesOf(findings: readonly Finding[]): RuleResult[] {
  return findings.map(({ code, observed, required, result }) => ({ rule: code, observed, required, result }));
}
