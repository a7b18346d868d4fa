import { join } from "node:path";
import { type History, violationsOf } from "@countersign/core";
import { historyOf } from "../history/check.ts";
import type { Violation } from "./check.ts";
import type { Observation } from "./observe.ts";
import type { Lane } from "./stage/lane.ts";

/** Journal and log of these runs (null: of all), joined with what happened outside after an entry of the effect log. */
export function laneHistory(lane: Lane, runs: readonly string[] | null = null, after = 0): Promise<History> {
  return historyOf({
    database: lane.server.login,
    management: lane.simulator.management,
    config: join(lane.folder, "countersign.yaml"),
    after,
    ...(runs === null ? {} : { runs }),
  });
}

/** Judges runs by every invariant; each is called by the trial that it was seen in. */
export function judged(history: History, seen: readonly Observation[]): Violation[] {
  const points = new Map(
    seen.flatMap(({ journal, point }) => (journal === null ? [] : [[journal.run, point] as const])),
  );
  return violationsOf(history).map(({ invariant, run, sentence }) => ({
    point: (run === null ? undefined : points.get(run)) ?? run ?? "no run",
    rule: invariant,
    sentence,
  }));
}
