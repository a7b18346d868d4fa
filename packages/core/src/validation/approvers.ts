import { isProdValue } from "../inventory/check.ts";
import type { Plan } from "../plan/plan.ts";
import type { ResolvedRequirement } from "../policy/resolve.ts";
import { approvalLevels } from "../policy/schema.ts";
import { block, type Check, check, pass } from "./check.ts";
import { isEmergency, type Known, namedCredential } from "./input.ts";
import { risksOf } from "./risks.ts";

type Facts = Pick<Known, "row" | "policy" | "people" | "request" | "lastPlan" | "config">;

/** What of the requirements holds for this plan: those for risk only when there is one. */
export function neededRequirements(input: Facts): ResolvedRequirement[] {
  // What is known of an emergency is a risk by itself: all that policy asks of one is asked.
  if (isEmergency(input)) return [...input.policy.emergency.require];
  // What lives on a named credential is known to nobody, which is a risk as well.
  if (namedCredential(input) !== null) return [...input.policy.remediation.require];
  const risk = risksOf(input).length > 0;
  return input.policy.approvals.require.filter((requirement) => risk || !requirement.onlyAtRisk);
}

/** Enrolled people who may give this approval: with the role, of every source policy names, able to reach its level. */
export function eligiblePeople(requirement: ResolvedRequirement, { row, policy, people, request }: Facts): string[] {
  const level = approvalLevels.indexOf(policy.approvals.minLevel);
  const noSelf = policy.approvals.separation.includes("requester-cannot-approve");
  return people
    .filter((person) => person.roles.includes(requirement.role) && approvalLevels.indexOf(person.level) >= level)
    .filter((person) => !(noSelf && person.person === request.requester))
    .filter((person) =>
      requirement.from.every((from) =>
        from.startsWith("role:")
          ? person.roles.includes(from.slice("role:".length))
          : (from === "owner-of-app" ? row.owners : (row.businessOwners ?? [])).includes(person.person),
      ),
    )
    .map((person) => person.person)
    .sort();
}

/**
 * Who may start this plan alone and who may confirm and review that; null where policy lets nobody, where nobody could
 * confirm, and in prod below the level of a signature of their own.
 */
export function breakGlassOf({ policy, people }: Facts, prod: boolean): NonNullable<Plan["breakGlass"]> | null {
  const { breakGlass, approvals } = policy;
  if (breakGlass === null || (prod && approvals.minLevel === "session")) return null;
  const level = approvalLevels.indexOf(approvals.minLevel);
  const named = (roles: readonly string[]) =>
    roles
      .map((role) => ({
        role,
        people: people
          .filter((person) => person.roles.includes(role) && approvalLevels.indexOf(person.level) >= level)
          .map((person) => person.person)
          .sort(),
      }))
      .filter((item) => item.people.length > 0);
  const [grant, confirm] = [named(breakGlass.roles), named(breakGlass.confirm)];
  // With one granter who is also the only one to confirm there is no second person.
  const everybody = new Set([...grant, ...confirm].flatMap((item) => item.people));
  if (grant.length === 0 || confirm.length === 0 || everybody.size < 2) return null;
  const { expiresAfterSeconds, confirmWithinSeconds, reviewWithinSeconds, unconfirmed } = breakGlass;
  const { minLevel } = approvals;
  return { grant, confirm, minLevel, expiresAfterSeconds, confirmWithinSeconds, reviewWithinSeconds, unconfirmed };
}

/**
 * The roles for which no distinct person is left when everybody approves in one role only: a greatest matching of
 * approvals to people, so that a person with two roles is put where they are needed.
 */
export function unmetRoles(input: Facts): string[] {
  const seats = neededRequirements(input).flatMap((requirement) =>
    Array.from({ length: requirement.count }, () => ({
      role: requirement.role,
      people: eligiblePeople(requirement, input),
    })),
  );
  const seatOf = new Map<string, number>();
  const place = (seat: number, tried: Set<string>): boolean => {
    for (const person of seats[seat]?.people ?? []) {
      if (tried.has(person)) continue;
      tried.add(person);
      const held = seatOf.get(person);
      if (held === undefined || place(held, tried)) {
        seatOf.set(person, seat);
        return true;
      }
    }
    return false;
  };
  return seats.filter((_, index) => !place(index, new Set())).map((seat) => seat.role);
}

/** Can the plan be approved at all, and at a level that counts? (M11, D7) */
export const approverChecks: readonly Check[] = [
  check(
    "approvers-too-few",
    "The quorum cannot be met by distinct enrolled people other than the requester.",
    (input) => {
      const unmet = unmetRoles(input);
      const required = neededRequirements(input)
        .map((requirement) => `${requirement.count} x ${requirement.role}`)
        .join(", ");
      return unmet.length === 0
        ? pass("enough people", required)
        : block(`nobody left for ${unmet.join(", ")}`, required);
    },
  ),
  check("emergency-one-person", "In prod two people decide on an emergency as well.", (input) => {
    if (!isEmergency(input)) return null;
    const prod = isProdValue(input.row, input.config.connections, input.policy.prod);
    const people = neededRequirements(input).reduce((sum, requirement) => sum + requirement.count, 0);
    const required = prod ? "2 or more in prod" : "1 or more";
    return prod && people < 2 ? block(String(people), required) : pass(String(people), required);
  }),
  check(
    "session-level-refused-in-prod",
    "An approval that only our own server attests does not count in prod.",
    ({ policy, config, row }) => {
      const prod = isProdValue(row, config.connections, policy.prod);
      const required = prod ? "idp or passkey" : "session or better";
      return prod && policy.approvals.minLevel === "session"
        ? block("session", required)
        : pass(policy.approvals.minLevel, required);
    },
  ),
];
