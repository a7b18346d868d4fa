import { good } from "../samples.ts";
import { type Case, lastPlan } from "./inputs.ts";

/** What approvers must be told of: the rules of validation/risks.ts. */
export const risksCases: readonly Case[] = [
  [
    "a new consumer",
    { ...good, lastPlan: { ...lastPlan, consumers: lastPlan.consumers.slice(0, 1) } },
    "new-consumer",
    "warn",
  ],
  [
    "a consumer with another target",
    {
      ...good,
      lastPlan: {
        ...lastPlan,
        consumers: lastPlan.consumers.map((consumer) => ({
          ...consumer,
          target: { connection: "elsewhere", path: "x" },
        })),
      },
    },
    "changed-target",
    "warn",
  ],
  [
    "a consumer of another kind",
    {
      ...good,
      lastPlan: {
        ...lastPlan,
        consumers: lastPlan.consumers.map((consumer) => ({ ...consumer, kind: "copied" as const })),
      },
    },
    "changed-target",
    "warn",
  ],
  ["prod before, not any more", { ...good, lastPlan: { ...lastPlan, prod: true } }, "environment-downgrade", "warn"],
];
