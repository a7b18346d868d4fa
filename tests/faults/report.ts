import type { Violation } from "./judge.ts";
import type { Seen } from "./look.ts";

type Counts = Readonly<Record<string, number>>;

export interface FaultReport {
  /** Cells that were derived from undisturbed runs, how many of them were asked for, and how many were tried. */
  readonly derived: number;
  readonly wanted: number;
  /** Further calls that are the same verb in the same state as a derived cell's, and are tried by it. */
  readonly folded: number;
  readonly cells: number;
  /** Cells whose call was not made so often in their run, not in a second try either: nothing went wrong there, which is a violation. */
  readonly notReached: number;
  readonly violations: readonly Violation[];
  /** How many runs came to rest in each state while the fault lasted. */
  readonly ends: Counts;
  readonly endsByKind: Readonly<Record<string, Counts>>;
  readonly endsByStory: Readonly<Record<string, Counts>>;
  /** Where held runs ended after the fault was mended and a person took them up again. */
  readonly heldEnds: Counts;
  /** Runs that did not complete and of which nobody was told, or that have no ticket. */
  readonly withoutNotice: number;
  readonly withoutTicket: number;
  readonly seconds: number;
}

/** What is known so far. */
export class Tally {
  cells = 0;
  readonly violations: Violation[] = [];
  #told = 0;
  readonly #ends: Record<string, number> = {};
  readonly #byKind: Record<string, Record<string, number>> = {};
  readonly #byStory: Record<string, Record<string, number>> = {};
  readonly #heldEnds: Record<string, number> = {};

  /** A run has come to rest; for the second time if it was held and has been taken up again. */
  add(
    cell: { readonly kind: string; readonly story: { readonly name: string } },
    { state, mended }: Pick<Seen, "state" | "mended">,
    violations: readonly Violation[],
  ): void {
    this.violations.push(...violations);
    if (mended) return count(this.#heldEnds, state);
    this.cells += 1;
    count(this.#ends, state);
    count((this.#byKind[cell.kind] ??= {}), state);
    count((this.#byStory[cell.story.name] ??= {}), state);
  }

  /** Violations since the last time somebody asked. */
  fresh(): readonly Violation[] {
    const fresh = this.violations.slice(this.#told);
    this.#told = this.violations.length;
    return fresh;
  }

  done(of: Pick<FaultReport, "derived" | "folded" | "wanted" | "seconds">): FaultReport {
    const broken = (rule: string) => this.violations.filter((violation) => violation.rule === rule).length;
    return {
      ...of,
      cells: this.cells,
      notReached: broken("reached"),
      violations: this.violations,
      ends: this.#ends,
      endsByKind: this.#byKind,
      endsByStory: this.#byStory,
      heldEnds: this.#heldEnds,
      withoutNotice: broken("notice"),
      withoutTicket: broken("ticket"),
    };
  }
}

function count(counts: Record<string, number>, state: string): void {
  counts[state] = (counts[state] ?? 0) + 1;
}
