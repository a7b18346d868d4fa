import { EvidenceError } from "../errors.ts";

/** Every check of a bundle, in the order it is made. A failing check ends the verification. */
export const CHECK_CODES = [
  "files",
  "checkpoint",
  "entries",
  "inclusion",
  "run-chain",
  "genesis",
  "time-order",
  "state-moves",
  "policy",
  "inventory",
  "plan",
  "approvals",
  "attachments",
  "context",
  "anchors",
  "file-set",
  "authorisation",
  "quorum",
  "steps",
  "break-glass",
  "left-as-is",
  "step-order",
  "confirmations",
  "overlap",
  "retire-gate",
  "removed-credential",
  "result",
  "run-record",
  "readme",
] as const;

/** Every check of the bundle of a population, in the order it is made. */
export const POPULATION_CHECK_CODES = [
  "files",
  "checkpoint",
  "genesis",
  "population",
  "range",
  "exported",
  "runs",
  "changes",
  "gaps",
  "sample",
  "file-set",
  "readme",
] as const;

/** One of {@link CHECK_CODES} or {@link POPULATION_CHECK_CODES}. */
export type CheckCode = (typeof CHECK_CODES)[number] | (typeof POPULATION_CHECK_CODES)[number];

/** One check and what came of it, in a sentence. */
export interface Check {
  readonly code: CheckCode;
  /** `note`: passed because there was nothing to check, and the sentence says so. */
  readonly result: "pass" | "fail" | "note";
  readonly sentence: string;
}

/** Something true about the run that no check can make good: read it with the verdict. */
export interface ReportFact {
  readonly code: string;
  readonly sentence: string;
}

/** What verifying a bundle came to. */
export interface Report {
  /** proven: exit 0. refused: exit 1. no-trust: exit 3, nothing was checked against keys you trust. */
  readonly verdict: "proven" | "refused" | "no-trust";
  readonly run: string | null;
  readonly state: string | null;
  /** Whether the run had ended when the bundle was made. */
  readonly open: boolean | null;
  readonly clock: "system" | "virtual" | null;
  readonly profile: "demo" | "test" | "production" | null;
  readonly separation: "none" | "roles" | null;
  readonly checks: readonly Check[];
  readonly facts: readonly ReportFact[];
}

/** Thrown inside a check to refuse the bundle. */
export class Refused extends EvidenceError {
  constructor(sentence: string) {
    super("refused", sentence);
  }
}

/** Refuses the bundle unless `condition` holds. */
export function prove(condition: boolean, sentence: string): asserts condition {
  if (!condition) throw new Refused(sentence);
}

/** Collects checks as they are made. */
export class CheckList {
  readonly checks: Check[] = [];

  /**
   * Makes one check. `says` gives the sentence of a check that holds; a {@link nothing} in its place marks a check that
   * had nothing to look at. A refusal becomes the check's sentence and ends the verification.
   */
  make<T>(code: CheckCode, says: string | ((proven: T) => string | Nothing), check: () => T): T {
    try {
      const proven = check();
      const said = typeof says === "string" ? says : says(proven);
      this.checks.push(
        typeof said === "string"
          ? { code, result: "pass", sentence: said }
          : { code, result: "note", sentence: said.because },
      );
      return proven;
    } catch (error) {
      // Whatever goes wrong while reading hostile bytes is a refusal, never a crash and never a pass.
      const known = error instanceof EvidenceError;
      const said = known ? error.message : "expected a bundle that can be checked, got one that cannot";
      this.checks.push({ code, result: "fail", sentence: said });
      throw known ? error : new Refused(said);
    }
  }
}

/** Why a check had nothing to look at. */
export interface Nothing {
  readonly because: string;
}

/** Says that a check had nothing to look at. */
export function nothing(because: string): Nothing {
  return { because };
}
