/** Every state a run can be in; said aloud in console, CLI, API and evidence. */
export const runStates = [
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
] as const;
export type RunState = (typeof runStates)[number];

/** States in which a run has ended; its log chain is closed with `run.closed`. */
export const closedStates: ReadonlySet<RunState> = new Set([
  "blocked",
  "completed",
  "rolled_back",
  "rejected",
  "expired",
  "withdrawn",
  "superseded",
]);

/** Which moves exist. The database enforces the same table per database user; the verifier holds it as data. */
export const moves: Readonly<Record<RunState, readonly RunState[]>> = {
  requested: ["planned", "blocked", "withdrawn"],
  planned: ["awaiting_approval", "withdrawn"],
  awaiting_approval: ["approved", "rejected", "expired", "withdrawn", "superseded"],
  approved: ["scheduled", "executing", "superseded", "withdrawn", "expired", "blocked"],
  scheduled: ["executing", "superseded", "withdrawn", "expired", "blocked"],
  executing: ["overlapping", "rolling_back", "held"],
  overlapping: ["retiring", "rolling_back", "held", "superseded"],
  retiring: ["completed", "overlapping", "held"],
  held: ["executing", "overlapping", "retiring", "rolling_back", "superseded"],
  rolling_back: ["rolled_back", "held"],
  blocked: [],
  completed: [],
  rolled_back: [],
  rejected: [],
  expired: [],
  withdrawn: [],
  superseded: [],
};

/** Whether the state machine knows the move. */
export function canMove(from: RunState, to: RunState): boolean {
  return moves[from].includes(to);
}
