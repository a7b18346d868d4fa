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
  readonly refused: readonly Refusal[];
}

interface Refusal {
  readonly person: string;
  readonly role: string;
  readonly because: string;
}

/**
 * Counts approvals against a plan's requirement. The order of the approvals never changes the outcome.
 *
 * - One reject by an eligible person ends it, whatever else that person said before or after.
 * - Duplicates are refused before anything is counted, so that repeated copies of one approval never reach a threshold.
 * - A person who approved in two roles counts in neither: counting "the first" would make the outcome depend on the
 *   order of rows, which whoever writes the database decides.
 * - Nobody approves what they asked for, unless the plan's separation of duties leaves that out (a `solo` installation).
 */
export function evaluateQuorum(
  requirement: Plan["approvals"],
  requester: string,
  approvals: readonly CountedApproval[],
): Quorum {
  const because = (approval: CountedApproval): string | null => {
    const required = requirement.require.find((item) => item.role === approval.role);
    if (required === undefined) return "role-not-required";
    if (!required.people.includes(approval.person)) return "not-eligible-for-role";
    if (approval.decision === "reject") return null;
    const own = approval.person === requester;
    return own && requirement.separation.includes("requester-cannot-approve") ? "requester-cannot-approve" : null;
  };
  const refused: Refusal[] = [];
  const refuse = (approval: CountedApproval, why: string) =>
    refused.push({ person: approval.person, role: approval.role, because: why });

  let rejected = false;
  const rolesOf = new Map<string, CountedApproval[]>();
  for (const approval of approvals) {
    const why = because(approval);
    const said = rolesOf.get(approval.person) ?? [];
    if (why !== null) refuse(approval, why);
    else if (approval.decision === "reject") rejected = true;
    else if (said.some((before) => before.role === approval.role)) refuse(approval, "duplicate");
    else rolesOf.set(approval.person, [...said, approval]);
  }
  const counted: CountedApproval[] = [];
  for (const said of rolesOf.values()) {
    if (said.length === 1) counted.push(...said);
    else for (const approval of said) refuse(approval, "one-person-one-role");
  }
  const missing = requirement.require
    .map((item) => ({
      role: item.role,
      people: item.people,
      count: item.count - counted.filter((approval) => approval.role === item.role).length,
    }))
    .filter((item) => item.count > 0);
  return { met: !rejected && missing.length === 0, rejected, missing, refused };
}
