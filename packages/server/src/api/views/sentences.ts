import { checks, fleetCodes } from "@countersign/core";

const sentences: ReadonlyMap<string, string> = new Map([
  // A code that both know means the same; the rule that stops a run says it more exactly.
  ...Object.entries(fleetCodes),
  ...checks.map((check) => [check.code, check.sentence] as const),
]);

/** The sentence of a finding's code, from the rule that makes it; the code itself when this build has no such rule. */
export function sentenceOf(code: string): string {
  return sentences.get(code) ?? code;
}
