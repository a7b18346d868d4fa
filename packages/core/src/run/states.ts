import { isFinal, LEGAL_MOVES, RUN_STATES, type RunState } from "@countersign/evidence";

export type { RunState };

/** Every state a run can be in; said aloud in console, CLI, API and evidence. The evidence format holds the one table. */
export const runStates: typeof RUN_STATES = RUN_STATES;

/** States in which a run has ended; its log chain is closed with `run.closed`. */
export const closedStates: ReadonlySet<RunState> = new Set(RUN_STATES.filter(isFinal));

/** Which moves exist. The database enforces the same table per database user. */
export const moves: typeof LEGAL_MOVES = LEGAL_MOVES;

/** Whether the state machine knows the move. */
export function canMove(from: RunState, to: RunState): boolean {
  return moves[from].includes(to);
}
