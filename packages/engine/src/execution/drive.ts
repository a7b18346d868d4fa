import {
  type Connectors,
  CountersignError,
  closedStates,
  describe,
  type FrozenPlan,
  thawPlan,
  type Verb,
} from "@countersign/core";
import type { Hold, RunRow, Store } from "../store/index.ts";
import type { StepServices } from "./context.ts";
import type { Guard } from "./guard.ts";
import type { At } from "./interrupted.ts";
import { awaitApproval } from "./phases/await-approval.ts";
import { execute } from "./phases/execute.ts";
import { giveWay, restlessElders } from "./phases/give-way.ts";
import { held } from "./phases/held.ts";
import { hold, type Next } from "./phases/moves.ts";
import { overlap } from "./phases/overlap.ts";
import type { Planner } from "./phases/plan.ts";
import { retire } from "./phases/retire.ts";
import { rollBack } from "./phases/roll-back.ts";
import { stopUnconfirmed } from "./phases/second-person.ts";
import { start } from "./phases/start.ts";
import { RunWork } from "./run-work.ts";

/** What moving a run through its phases takes. */
export interface DriveOptions {
  readonly store: Store;
  readonly connectors: Connectors;
  readonly guard: Guard;
  readonly planner: Planner;
  readonly log: (event: string, facts?: Readonly<Record<string, unknown>>) => void;
}

/** How often an emergency looks whether the run before it has come to rest (domain time). */
const eldersMs = 2_000;

/** Moves claimed runs of one worker from phase to phase, each until it waits, holds or has ended. */
export function createDrive(options: DriveOptions, services: StepServices, worker: string, stopping: AbortSignal) {
  const { store, guard, planner, log } = options;
  const { clock } = services;

  function verbOf(id: string): Verb<unknown> {
    const verb = options.connectors.verbs.get(id);
    if (verb === undefined) throw new CountersignError("VERB_UNKNOWN", `expected verb ${id} in this build, got none`);
    return verb as unknown as Verb<unknown>;
  }

  /** An emergency is planned once the run that it takes over has come to rest. Whether it has to wait for that. */
  async function waitForElders(run: RunRow, hold: Hold): Promise<boolean> {
    const elders = await restlessElders(store, run);
    if (elders.length === 0) return false;
    const now = clock.now();
    for (const elder of elders) await store.wake(elder.id, now);
    await store.release(hold, now + eldersMs, now);
    return true;
  }

  /** The run's plan, or null when what is stored is not what its digest says. */
  async function planOf(run: RunRow): Promise<FrozenPlan | null> {
    const bytes = run.planDigest === null ? null : await store.plan(run.planDigest);
    if (run.planDigest === null || bytes === null) return null;
    try {
      return thawPlan(bytes, run.planDigest);
    } catch (error) {
      if (!(error instanceof CountersignError)) throw error;
      log("plan.refused", { run: run.id, error: describe(error) });
      return null;
    }
  }

  /** Without the plan that people approved nothing can go on: before the first effect the run ends, later it holds. */
  async function refuse(run: RunRow, held: Hold): Promise<void> {
    const to = run.state === "approved" || run.state === "scheduled" ? "blocked" : "held";
    const because = { code: "AUTHORISATION_INVALID" };
    const at = clock.now();
    if (isOpenWithoutEffects(run.state)) return store.release(held, null, at);
    await store.transition({ ...held, from: run.state, to, at, because, notBefore: null, release: true });
  }

  function phase(work: RunWork): Promise<Next> {
    switch (work.state) {
      case "planned":
      case "awaiting_approval":
        return awaitApproval(work);
      case "approved":
      case "scheduled":
        return start(work, guard);
      case "executing":
        return execute(work);
      case "overlapping":
        return overlap(work, guard);
      case "retiring":
        return retire(work, guard);
      case "rolling_back":
        return rollBack(work, guard);
      case "held":
        return held(work, guard);
      default:
        throw new CountersignError("STATE_CONFLICT", `expected a state with work to do, got ${work.state}`);
    }
  }

  /** Keeps `at.hold` current for whoever has to let go of the run. Throws LEASE_LOST when this worker stops. */
  return async function drive(claimed: RunRow, at: At): Promise<void> {
    let run = claimed;
    if (run.state === "requested") {
      if (run.trigger === "compromise" && (await waitForElders(run, at.hold))) return;
      const planned = await planner.plan(run, at.hold, services);
      if (planned === null) return;
      run = planned;
      at.hold = { ...at.hold, fence: run.fence };
    }
    const frozen = await planOf(run);
    if (frozen === null) return refuse(run, at.hold);
    const work = await RunWork.open({ store, services, frozen, verbOf, run, worker });
    at.work = work;
    let proven = false;
    while (!closedStates.has(work.state)) {
      if (stopping.aborted)
        throw new CountersignError("LEASE_LOST", "expected a worker that goes on, got one that stops");
      // `start` proves the authorisation itself; a run that is found in a state with effects is proven before the first.
      if (work.state === "approved" || work.state === "scheduled") proven = true;
      else if (!proven && hasEffects(work)) {
        proven = true;
        const problem = await guard.underWay(work);
        if (problem !== null) {
          await hold(work, problem);
          at.hold = work.hold;
          continue;
        }
      }
      const way = await giveWay(work, guard);
      if (way === "released") return;
      if (way === "again" || (await stopUnconfirmed(work)) !== null) {
        at.hold = work.hold;
        continue;
      }
      if ((await phase(work)) === "released") return;
      at.hold = work.hold;
      await work.hear();
    }
  };
}

/** A run that people may still decide on, or that waits for one: nothing to end or to hold. */
function isOpenWithoutEffects(state: RunRow["state"]): boolean {
  return state === "requested" || state === "planned" || state === "awaiting_approval" || state === "held";
}

/** Whether this run's state may change something outside. */
function hasEffects(work: RunWork): boolean {
  const { state, data } = work;
  if (state === "overlapping") return data.abandoned.length > 0;
  return state === "executing" || state === "retiring" || state === "rolling_back";
}
