import { consumerTarget } from "../consumer-kinds/index.ts";
import { isProdValue } from "../inventory/check.ts";
import { sameFacts } from "../plan/drift.ts";
import type { Plan } from "../plan/plan.ts";
import { type Check, check, pass, warn } from "./check.ts";
import type { Known } from "./input.ts";

type Facts = Pick<Known, "row" | "policy" | "lastPlan" | "config">;

const newConsumers = ({ row, lastPlan }: Facts) =>
  lastPlan === null
    ? []
    : row.consumers
        .filter((consumer) => !lastPlan.consumers.some((before) => before.name === consumer.name))
        .map((consumer) => consumer.name);

const changedTargets = ({ row, lastPlan }: Facts) =>
  row.consumers
    .filter((consumer) => {
      const before = lastPlan?.consumers.find((candidate) => candidate.name === consumer.name);
      return (
        before !== undefined &&
        (before.kind !== consumer.kind || !sameFacts(before.target, consumerTarget(consumer, row.record)))
      );
    })
    .map((consumer) => consumer.name);

const downgraded = ({ row, policy, lastPlan, config }: Facts) =>
  lastPlan?.prod === true && !isProdValue(row, config.connections, policy.prod);

/**
 * What differs from the last completed run in a way that could send a value somewhere new (I12). Shown first; policy's
 * requirements `when: {risk: high}` are asked for. Before the first run there is nothing to compare with: the accepted
 * inventory is the baseline then.
 */
export function risksOf(input: Facts): Plan["risks"] {
  return [
    ...newConsumers(input).map((name) => ({
      code: "new-consumer",
      sentence: `Consumer ${name} was no part of the last completed run.`,
    })),
    ...changedTargets(input).map((name) => ({
      code: "changed-target",
      sentence: `Consumer ${name} is written to another place than in the last completed run.`,
    })),
    ...(downgraded(input)
      ? [
          {
            code: "environment-downgrade",
            sentence: "The application was prod in the last completed run and is not any more.",
          },
        ]
      : []),
  ];
}

const compared = (found: readonly string[], { lastPlan }: Facts) =>
  found.length > 0
    ? warn(
        found
          .slice(0, 10)
          .map((name) => name.slice(0, 48))
          .join(", "),
        "as in the last completed run",
      )
    : pass(lastPlan === null ? "no earlier run" : "none", "as in the last completed run");

/** The risks as rules, so that evidence shows that they were looked for. */
export const riskChecks: readonly Check[] = [
  check("new-consumer", "A consumer that was no part of the last completed run gets the value.", (input) =>
    compared(newConsumers(input), input),
  ),
  check("changed-target", "A consumer is written to another place than in the last completed run.", (input) =>
    compared(changedTargets(input), input),
  ),
  check("environment-downgrade", "The application was prod in the last completed run and is not any more.", (input) =>
    compared(downgraded(input) ? [`prod to ${input.row.environment}`] : [], input),
  ),
];
