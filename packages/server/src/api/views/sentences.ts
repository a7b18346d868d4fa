import { checks } from "@countersign/core";

const sentences: ReadonlyMap<string, string> = new Map(checks.map((check) => [check.code, check.sentence]));

/** The sentence of a finding's code, from the rule that makes it; the code itself when this build has no such rule. */
export function sentenceOf(code: string): string {
  return sentences.get(code) ?? code;
}
