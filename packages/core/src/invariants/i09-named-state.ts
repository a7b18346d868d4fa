import { LEGAL_MOVES } from "@countersign/evidence";
import { closedStates, type RunState } from "../run/states.ts";
import type { Invariant } from "./history.ts";
import { eachRun, told } from "./reading.ts";

/** No run may be nobody's for longer. */
const unownedMsMax = 5 * 60_000;
/** States in which only a person moves a run. */
const waitsForPeople: ReadonlySet<RunState> = new Set(["awaiting_approval", "held"]);

/** I9: every run is in a state with a name, and somebody's. */
export const namedState: Invariant = {
  id: "I9",
  says: "Every run ends in a named state; none is unowned for 5 minutes.",
  kept: [
    "packages/core/src/run/states.ts",
    "packages/engine/migrations/0003-runs.sql (cs.move)",
    "packages/engine/src/execution/executor.ts, interrupted.ts",
  ],
  checked: [
    "log: the moves are legal, follow each other without a gap from `requested` on, and end in the state of the row; a closed run is closed in the log, an open one is not",
    "row and workers: an open run is held by a worker that beats, waits for a time that has not passed by 5 minutes, or waits for a person",
  ],
  unseen: ["Whether the person for whom a run waits will ever come: that is what reminders and escalation are for."],
  remedy:
    "Is an executor running (`countersign doctor`)? If it is, the run's page says what it waits for. A row whose state differs from its log was changed by somebody with rights in the database: freeze, and verify its bundle.",
  check: eachRun("I9", (run, must, history) => {
    const moves = told(run, "run.moved");
    let state: RunState = "requested";
    for (const { data } of moves) {
      const before = state;
      must(data.from === before, () => `expected a move from ${before}, got one from ${data.from} to ${data.to}`);
      must(LEGAL_MOVES[data.from].includes(data.to), () => `expected a legal move, got ${data.from} to ${data.to}`);
      state = data.to;
    }
    must(state === run.state, () => `expected the row to be ${state} as its log says, got ${run.state}`);
    const isClosed = told(run, "run.closed").length > 0;
    must(
      isClosed === closedStates.has(run.state),
      () =>
        `expected a ${closedStates.has(run.state) ? "closed" : "open"} log of a run that is ${run.state}, got the other`,
    );
    if (closedStates.has(run.state)) return;
    if (run.holder !== null) {
      const { lostForMs, worker } = run.holder;
      must(
        lostForMs <= unownedMsMax,
        () => `expected a worker that beats, got ${worker} silent for ${Math.round(lostForMs / 1_000)} s`,
      );
    } else if (run.notBefore === null) {
      const since = history.at - run.updatedAt;
      must(
        waitsForPeople.has(run.state) || since <= unownedMsMax,
        () => `expected somebody to look at a run that is ${run.state}, got nobody for ${Math.round(since / 1_000)} s`,
      );
    } else {
      const late = history.at - run.notBefore;
      must(
        late <= unownedMsMax,
        () => `expected the run to be taken up when it was due, got it waiting for ${Math.round(late / 1_000)} s`,
      );
    }
  }),
};
