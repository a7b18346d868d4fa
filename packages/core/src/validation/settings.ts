import { isProdValue } from "../inventory/check.ts";
import type { InventoryRow } from "../inventory/row.ts";
import type { Settings } from "../procedure/procedure.ts";
import { breakGlassOf, eligiblePeople, neededRequirements } from "./approvers.ts";
import { isEmergency, type Known, namedCredential } from "./input.ts";

/** Shortest overlap the consumers allow: the slowest pick-up and a tenth on top (caches and clocks are never exact). */
export function overlapFloorSeconds(row: InventoryRow): number {
  const slowest = Math.max(0, ...row.consumers.map((consumer) => consumer.pickupSeconds));
  return slowest + Math.ceil(slowest / 10);
}

/** The overlap a plan gets: what policy asks or what consumers need, whichever is longer, and never over policy's maximum. */
export function overlapSeconds({ row, policy }: Pick<Known, "row" | "policy">): number {
  return Math.min(policy.overlapMaxSeconds, Math.max(policy.overlapMinSeconds, overlapFloorSeconds(row)));
}

/** The life of the new credential: policy's maximum, or the tenant's where that is shorter. */
export function lifetimeSeconds({ policy, world }: Pick<Known, "policy" | "world">): number {
  return Math.min(policy.lifetimeMaxSeconds, world.limits.lifetimeSecondsMax ?? policy.lifetimeMaxSeconds);
}

/** What a plan is made with, once validation found no reason against it. */
export function settingsOf(input: Known): Settings {
  const { row, policy, config } = input;
  const prod = isProdValue(row, config.connections, policy.prod);
  const urgent = isEmergency(input);
  const { approvals, emergency, remediation } = policy;
  const isNamed = namedCredential(input) !== null;
  const asked = urgent ? emergency : isNamed ? remediation : approvals;
  const { minGrade, consumerLevel } = policy.retire;
  // What a named credential is replaced for can wait for security: nobody starts that alone.
  const breakGlass = isNamed ? null : breakGlassOf(input, prod);
  return {
    prod,
    overlapSeconds: urgent ? 0 : overlapSeconds(input),
    lifetimeSeconds: lifetimeSeconds(input),
    proofTimes: policy.proof.times,
    proofSpacingSeconds: policy.proof.spacingSeconds,
    proofDeadlineSeconds: policy.proof.deadlineSeconds,
    rollbackMinRemainingSeconds: policy.rollbackMinRemainingSeconds,
    // A consumer that signs in once a month is not gone because it was silent for a day.
    quietSeconds: Math.max(policy.retire.quietSeconds, ...row.consumers.map((consumer) => consumer.cadenceSeconds)),
    // Nobody knows what lives on a named credential: without any evidence of its last use it never goes.
    retire: { minGrade: isNamed && minGrade === "none" ? "weak" : minGrade, consumerLevel },
    approvals: {
      expiresAfterSeconds: asked.expiresAfterSeconds,
      minLevel: policy.approvals.minLevel,
      require: neededRequirements(input).map((requirement) => ({
        role: requirement.role,
        count: requirement.count,
        people: eligiblePeople(requirement, input),
      })),
      separation: [...policy.approvals.separation],
    },
    ...(urgent
      ? {
          emergency: {
            containWithinSeconds: policy.emergency.containWithinSeconds,
            restoreWithinSeconds: policy.emergency.restoreWithinSeconds,
          },
        }
      : {}),
    ...(breakGlass === null ? {} : { breakGlass }),
  };
}
