import { isKnown, type Known, type ValidationInput } from "./input.ts";

export type FindingResult = "pass" | "warn" | "block";

/** What one rule saw and wanted; short texts without secrets and without personal data. */
export interface Verdict {
  readonly result: FindingResult;
  readonly observed: string;
  readonly required: string;
}

/** A verdict with the rule that gave it. `block` stops the run, `warn` is shown to approvers. */
export interface Finding extends Verdict {
  readonly code: string;
  /** What it means, for people. */
  readonly sentence: string;
}

/** One small named rule. `evaluate` gives null where the rule does not apply. */
export interface Check {
  readonly code: string;
  readonly sentence: string;
  readonly evaluate: (input: ValidationInput) => Verdict | null;
}

/** A rule that looks at row, world and policy; it says nothing while one of them is missing (other rules block then). */
export function check(code: string, sentence: string, evaluate: (input: Known) => Verdict | null): Check {
  return { code, sentence, evaluate: (input) => (isKnown(input) ? evaluate(input) : null) };
}

/** A rule about whether to start; not asked again before retirement. */
export function startCheck(code: string, sentence: string, evaluate: (input: Known) => Verdict | null): Check {
  return check(code, sentence, (input) => (input.at === "start" ? evaluate(input) : null));
}

export const pass = (observed: string, required: string): Verdict => ({ result: "pass", observed, required });
export const warn = (observed: string, required: string): Verdict => ({ result: "warn", observed, required });
export const block = (observed: string, required: string): Verdict => ({ result: "block", observed, required });

/** `pass` when nothing is in the list, otherwise `result` with the first ten of it. */
export function none(result: "warn" | "block", found: readonly string[], required: string): Verdict {
  if (found.length === 0) return pass("none", required);
  const more = found.length > 10 ? ` and ${found.length - 10} more` : "";
  return {
    result,
    observed: `${found
      .slice(0, 10)
      .map((text) => text.slice(0, 48))
      .join(", ")}${more}`,
    required,
  };
}
