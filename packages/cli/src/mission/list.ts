import { onDayOne, parts } from "./parts.ts";
import { dangers, elsewhere, others } from "./regressions.ts";

/** One thing that must work, or one way in which others fail. */
export interface Item {
  readonly id: string;
  /** What it is, in a few words. */
  readonly what: string;
  /** What the product does about it. */
  readonly does: string;
  /** What is not there or not shown; without it the tests show the whole. */
  readonly missing?: string;
  /** Tests that show it: path of the file, ` > `, and the name as it stands there. */
  readonly tests: readonly string[];
}

type State = "shown" | "partly" | "not yet";

interface Section {
  readonly title: string;
  readonly items: readonly Item[];
}

/** Everything that is promised, in one place, as data: what is printed does not depend on a checkout with tests. */
export const mission: readonly Section[] = [
  { title: "What must work", items: [...parts, ...onDayOne] },
  { title: "How the rotation of another product fails", items: elsewhere },
  { title: "How others fail", items: others },
  { title: "What would have gone wrong here", items: dangers },
];

/** Nothing is called shown by hand: it follows from the tests and from what is said to be missing. */
export function stateOf({ missing, tests }: Item): State {
  if (tests.length === 0) return "not yet";
  return missing === undefined ? "shown" : "partly";
}

export function allItems(): readonly Item[] {
  return mission.flatMap(({ items }) => items);
}

/** How many of each state. */
export function countOf(items: readonly Item[]): Record<State, number> {
  const counts = { shown: 0, partly: 0, "not yet": 0 };
  for (const item of items) counts[stateOf(item)] += 1;
  return counts;
}
