/** The invariants I1 to I12 (ARCHITECTURE.md) as functions of a history. One set of rules: production and every suite use it. */
import type { History, Invariant, Violation } from "./history.ts";
import { signsIn } from "./i01-signs-in.ts";
import { oneAtATime } from "./i02-one-at-a-time.ts";
import { accountedFor } from "./i03-accounted-for.ts";
import { authorised } from "./i04-authorised.ts";
import { retiredLast } from "./i05-retired-last.ts";
import { intentFirst } from "./i06-intent-first.ts";
import { noValues } from "./i07-no-values.ts";
import { backToGood } from "./i08-back-to-good.ts";
import { namedState } from "./i09-named-state.ts";
import { noAdvice } from "./i10-no-advice.ts";
import { rightTarget } from "./i11-right-target.ts";
import { inScopeOnly } from "./i12-in-scope.ts";

export const invariants: readonly Invariant[] = [
  signsIn,
  oneAtATime,
  accountedFor,
  authorised,
  retiredLast,
  intentFirst,
  noValues,
  backToGood,
  namedState,
  noAdvice,
  rightTarget,
  inScopeOnly,
];

/** Everything in the history that breaks an invariant, in their order. */
export function violationsOf(history: History): Violation[] {
  return invariants.flatMap(({ check }) => check(history));
}
