import type { RunState } from "@countersign/core";
import type { RunWork } from "../run-work.ts";
import { hold, type Next, rollBackBecause } from "./moves.ts";

/** One person started this run alone, and no second one has confirmed it in time. */
export const unconfirmed = "break-glass-unconfirmed";

/** States in which the second person is waited for. */
const waits: ReadonlySet<RunState> = new Set(["executing", "overlapping", "retiring"]);

/**
 * Ends what one person started alone when nobody has confirmed it in time, as policy says: holds or rolls back. Null: it
 * may go on. An emergency only holds: going back would put the compromised credential back.
 */
export async function stopUnconfirmed(work: RunWork): Promise<Next | null> {
  const { confirmUntil } = work;
  if (confirmUntil === null || work.now < confirmUntil || !waits.has(work.state)) return null;
  const goesBack = work.plan.breakGlass?.unconfirmed === "roll-back" && work.plan.emergency === undefined;
  return goesBack && !work.cutBegun ? rollBackBecause(work, { code: unconfirmed }) : hold(work, { code: unconfirmed });
}
