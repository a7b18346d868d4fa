/** Every state a run can be in. */
export const RUN_STATES = [
  "requested",
  "blocked",
  "planned",
  "awaiting_approval",
  "approved",
  "scheduled",
  "executing",
  "overlapping",
  "retiring",
  "completed",
  "held",
  "rolling_back",
  "rolled_back",
  "rejected",
  "expired",
  "withdrawn",
  "superseded",
  "left_as_is",
] as const;

/** One of {@link RUN_STATES}. */
export type RunState = (typeof RUN_STATES)[number];

/**
 * The legal moves: from each state, the states a run may go to. A run begins in `requested`; a state without moves
 * is final, and only a final state may be closed. The verifier refuses any other move, so this table is part of the
 * evidence format.
 */
export const LEGAL_MOVES: { readonly [S in RunState]: readonly RunState[] } = {
  requested: ["planned", "blocked", "withdrawn"],
  planned: ["awaiting_approval", "withdrawn"],
  awaiting_approval: ["approved", "rejected", "expired", "withdrawn", "superseded"],
  approved: ["scheduled", "executing", "superseded", "withdrawn", "expired", "blocked"],
  scheduled: ["executing", "superseded", "withdrawn", "expired", "blocked"],
  executing: ["overlapping", "rolling_back", "held"],
  // A run that overlaps may be taken over by an emergency run, which inherits its obligations.
  overlapping: ["retiring", "rolling_back", "held", "superseded"],
  // Back to overlapping: the gate shut again before the old credential was removed.
  retiring: ["completed", "overlapping", "held"],
  // Held by an emergency run that is about to take it over, among others. Left as it is: two people signed what remains.
  held: ["executing", "overlapping", "retiring", "rolling_back", "superseded", "left_as_is"],
  rolling_back: ["rolled_back", "held"],
  blocked: [],
  completed: [],
  rolled_back: [],
  rejected: [],
  expired: [],
  withdrawn: [],
  superseded: [],
  left_as_is: [],
};

/** True for a state that no move leaves. */
export function isFinal(state: RunState): boolean {
  return LEGAL_MOVES[state].length === 0;
}
