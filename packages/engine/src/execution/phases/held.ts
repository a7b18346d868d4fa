import type { RunWork } from "../run-work.ts";
import { move, type Next, releaseUntil, rollBackBecause } from "./moves.ts";

/**
 * held: both credentials are valid and nothing moves until a person says so. `look-again` and `resume` go on where the
 * run stopped, and the steps that had failed may be tried once more; `roll-back` undoes.
 */
export async function held(work: RunWork): Promise<Next> {
  const { asked } = work;
  if (asked === null || asked === "hold") return releaseUntil(work, null);
  if (asked === "roll-back") return rollBackBecause(work, { code: "asked-for" });
  const from = work.data.held?.from ?? "executing";
  return move(work, from, {
    because: { code: "asked-for" },
    answered: true,
    data: { held: null, resumedAt: work.now },
  });
}
