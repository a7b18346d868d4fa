import type { Plan } from "../plan/plan.ts";

/** An approval as counted: already verified, or as the API stored it. */
export interface CountedApproval {
  readonly person: string;
  readonly role: string;
  readonly decision: "approve" | "reject";
}

export interface Quorum {
  readonly met: boolean;
  readonly rejected: boolean;
  readonly missing: readonly { readonly role: string; readonly count: number; readonly people: readonly string[] }[];
  /** Approvals that do not count, and why. */
  readonly refused: readonly { readonly person: string; readonly role: string; readonly because: string }[];
}

/**
 * Counts approvals against a plan's requirement.
 *
 * Duplicates are refused before anything is counted, so that repeated copies of one approval can never reach a
 * threshold. One reject ends it.
 */
export function evaluateQuorum(requirement: Plan["approvals"], requester: string, approvals: readonly CountedApproval[]): Quorum {
  const refused: { person: string; role: string; because: string }[] = [];
  const counted: CountedApproval[] = [];
  const people = new Set<string>();
  let rejected = false;
  for (const approval of approvals) {
    const refuse = (because: string) => refused.push({ person: approval.person, role: approval.role, because });
    const required = requirement.require.find((item) => item.role === approval.role);
    if (required === undefined) refuse("role-not-required");
    else if (!required.people.includes(approval.person)) refuse("not-eligible-for-role");
    else if (people.has(approval.person)) refuse(requirement.separation.includes("one-person-one-role") ? "one-person-one-role" : "duplicate");
    else if (approval.decision === "reject") rejected = true;
    else if (requirement.separation.includes("requester-cannot-approve") && approval.person === requester) refuse("requester-cannot-approve");
    else {
      people.add(approval.person);
      counted.push(approval);
    }
  }
  const missing = requirement.require
    .map((item) => ({ role: item.role, people: item.people, count: item.count - counted.filter((approval) => approval.role === item.role).length }))
    .filter((item) => item.count > 0);
  return { met: !rejected && missing.length === 0, rejected, missing, refused };
}
