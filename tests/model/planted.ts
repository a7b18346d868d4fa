import type { PlantedBug } from "../crash/stage/product.ts";

/** A bug, and the rules of which one must see it. */
export interface Planted extends PlantedBug {
  readonly seenBy: readonly string[];
}

const execution = "packages/engine/src/execution";

/** Breaks of one promise each, small enough to be made by mistake. */
export const plantedBugs: readonly Planted[] = [
  {
    name: "one-signature-is-enough",
    changes: [
      {
        file: "packages/core/src/approval/quorum.ts",
        find: "met: !rejected && missing.length === 0,",
        replace: "met: !rejected && missing.length <= 1,",
      },
    ],
    seenBy: ["move"],
  },
  {
    name: "freeze-not-heeded",
    changes: [
      {
        file: `${execution}/judging-guard.ts`,
        find: 'if (await frozen(work.plan.tenant.name)) return { kind: "wait"',
        replace: 'if (now < 0) return { kind: "wait"',
      },
      {
        file: `${execution}/phases/execute.ts`,
        find: "const heeds = { tenant: tenant.name,",
        replace: "const heeds = { tenant: null,",
      },
    ],
    seenBy: ["freeze"],
  },
  {
    name: "interrupted-taken-for-failed",
    changes: [
      {
        file: `${execution}/phases/execute.ts`,
        find: "  await startOverIfValueLost(work, steps);",
        replace: `  if (!work.services.held.has(work.id) && steps.some((step) => work.outcomeOf(step.id) !== undefined))
    return rollBackBecause(work, { code: "OUTSIDE_UNKNOWN" });`,
      },
    ],
    seenBy: ["move"],
  },
  {
    name: "taken-back-at-once",
    changes: [
      {
        file: `${execution}/phases/roll-back.ts`,
        find: "if (backAt !== null && work.now < backAt) return releaseUntil(work, backAt);",
        replace: "",
      },
    ],
    seenBy: ["I8", "I1"],
  },
];
