import { isFinal, LEGAL_MOVES, RUN_STATES } from "@countersign/evidence";
import { describe, expect, it } from "vitest";
import { canMove, closedStates, moves, type RunState, runStates } from "../../src/index.ts";

/** Every state that can be reached from `from`, itself included. */
function reachable(from: RunState): Set<RunState> {
  const seen = new Set<RunState>([from]);
  for (const state of seen) for (const next of moves[state]) seen.add(next);
  return seen;
}

describe("the state machine", () => {
  it("is the table that the offline verifier holds", () => {
    expect([...runStates]).toEqual([...RUN_STATES]);
    expect(moves).toEqual(LEGAL_MOVES);
    expect(runStates.filter((state) => closedStates.has(state))).toEqual(runStates.filter(isFinal));
  });

  it("reaches every state from requested", () => {
    expect([...reachable("requested")].sort()).toEqual([...runStates].sort());
  });

  it("leaves no closed state, and can leave every other one", () => {
    for (const state of runStates) expect(moves[state].length === 0, state).toBe(closedStates.has(state));
  });

  it("lets every open state come to an end (I9)", () => {
    for (const state of runStates)
      expect(
        [...reachable(state)].some((s) => closedStates.has(s)),
        state,
      ).toBe(true);
  });

  it("knows no move to itself and none twice", () => {
    for (const state of runStates) {
      expect(moves[state]).not.toContain(state);
      expect(new Set(moves[state]).size, state).toBe(moves[state].length);
    }
  });

  it("executes only what was approved", () => {
    const before = runStates.filter((state) => canMove(state, "executing"));
    expect(before).toEqual(["approved", "scheduled", "held"]);
    expect(runStates.filter((state) => canMove(state, "approved"))).toEqual(["awaiting_approval"]);
    // Who holds was executing before: no way leads to hold without an approval.
    const toHold = runStates.filter((state) => canMove(state, "held"));
    expect(toHold).toEqual(["executing", "overlapping", "retiring", "rolling_back"]);
  });

  it("retires only after an overlap, and rolls nothing back once retirement began", () => {
    expect(runStates.filter((state) => canMove(state, "retiring"))).toEqual(["overlapping", "held"]);
    expect(canMove("executing", "retiring")).toBe(false);
    expect(canMove("retiring", "rolling_back")).toBe(false);
  });

  it("cannot withdraw, expire, reject or block what has touched the outside", () => {
    for (const state of ["executing", "overlapping", "retiring", "rolling_back", "held"] as const) {
      for (const quiet of ["withdrawn", "expired", "rejected", "blocked"] as const) {
        expect(canMove(state, quiet), `${state} -> ${quiet}`).toBe(false);
      }
    }
  });
});
