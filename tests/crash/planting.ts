import { invariantIds } from "@countersign/core";
import { runBroken } from "../history/broken.ts";
import { text } from "../history/check.ts";
import { check, type Violation } from "./check.ts";
import { judged, laneHistory } from "./judge.ts";
import { restart, rotate } from "./lane-work.ts";
import { plantedBugs } from "./planted.ts";
import type { CrashPoint } from "./points.ts";
import { searchLane } from "./search-lane.ts";
import { startLane } from "./stage/lane.ts";
import { rowsOf } from "./stage/names.ts";

/** How many planted bugs were seen; one that no check sees is a violation. */
export interface Planting {
  readonly caught: number;
  readonly violations: readonly Violation[];
}

interface PlantingOptions {
  readonly seed: number;
  readonly cache: string;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

const missed = (name: string, by: string, found: readonly string[]): Violation => ({
  point: `planted/${name}`,
  rule: "planted",
  sentence: `expected ${by} to see it, got ${found.join(", ") || "nothing"}`,
});

/** Runs the product with every invariant broken once, undisturbed: the checks of the history must see each. */
export async function breakInvariants({ say, signal }: PlantingOptions): Promise<Planting> {
  if (signal.aborted) return { caught: 0, violations: [] };
  const broken = await runBroken();
  const violations = broken.clean.violations.map((violation) => ({
    point: "planted/nothing",
    rule: "planted",
    sentence: `expected nothing of an application that is not broken, got ${text(violation)}`,
  }));
  let caught = 0;
  for (const invariant of invariantIds) {
    const own = broken.of(invariant);
    const seen = own.find((violation) => violation.invariant === invariant);
    if (seen !== undefined) caught += 1;
    else violations.push(missed(`breach of ${invariant}`, invariant, own.map(text)));
    say(`planted breach of ${invariant}: ${seen === undefined ? "NOT caught" : `caught: ${seen.sentence}`}`);
  }
  return { caught, violations };
}

/** Runs the product with each planted bug that shows when it is killed, or in what it says. */
export async function plantBugs(points: readonly CrashPoint[], options: PlantingOptions): Promise<Planting> {
  const rows = rowsOf("entra-client-secret", plantedBugs.length);
  const lane = await startLane({ seed: options.seed * 100 + 99, rows, cache: options.cache });
  const violations: Violation[] = [];
  let caught = 0;
  try {
    for (const [index, bug] of plantedBugs.entries()) {
      const row = rows[index];
      const point = points.find(({ name }) => name === `entra-client-secret/${bug.point}`) ?? null;
      if (row === undefined || options.signal.aborted) break;
      lane.plant(bug);
      await restart(lane);
      const blows = point === null ? [] : [{ point, how: "kill" as const, verdict: "land-at-once" as const }];
      const [rotated] = await rotate(lane, [{ row, blows, name: point?.name ?? `planted/${bug.name}` }]);
      if (rotated === undefined) break;
      const { seen } = rotated;
      const own = judged(await laneHistory(lane), [seen]).filter(({ point: where }) => where === seen.point);
      const searched = bug.caughtBy === "I7" ? (await searchLane(lane, [row])).violations : [];
      const found = [...check(seen, point !== null), ...own, ...searched];
      const seeing = found.find(({ rule }) => rule === bug.caughtBy);
      const isCaught = seeing !== undefined && (bug.point === null || point !== null);
      if (isCaught) caught += 1;
      else
        violations.push(
          missed(
            bug.name,
            bug.caughtBy,
            found.map(({ rule }) => rule),
          ),
        );
      options.say(`planted bug ${bug.name}: ${isCaught ? `caught: ${seeing.rule}: ${seeing.sentence}` : "NOT caught"}`);
    }
    return { caught, violations };
  } finally {
    await lane.stop();
  }
}
