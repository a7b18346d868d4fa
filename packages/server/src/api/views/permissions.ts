import type { Plan, RunDetail } from "@countersign/contract";
import { evaluateQuorum } from "@countersign/core";
import type { KnownPerson, RunRecord, StoredApproval } from "../ports.ts";

type Permission = RunDetail["actions"]["withdraw"];

const yes: Permission = { allowed: true, why: null };
const no = (why: string): Permission => ({ allowed: false, why });

/** Roles under which this person may decide on this plan now; empty with the reason why not. */
export function mayDecide(
  run: RunRecord,
  plan: Plan | null,
  approvals: readonly StoredApproval[],
  person: KnownPerson,
  now: number,
): { roles: string[]; permission: Permission } {
  const refuse = (why: string) => ({ roles: [], permission: no(why) });
  if (plan === null || run.state !== "awaiting_approval") return refuse("The run does not wait for approval.");
  if (run.approvalExpiresAt !== null && now >= run.approvalExpiresAt) return refuse("The time to approve has passed.");
  if (plan.approvals.minLevel !== "session")
    return refuse(`The policy asks for approvals at level ${plan.approvals.minLevel}.`);
  if (person.person === plan.requester && plan.approvals.separation.includes("requester-cannot-approve")) {
    return refuse("You asked for this run. Who asks may not approve: two other people must agree.");
  }
  if (approvals.some((approval) => approval.person === person.person))
    return refuse("You have already decided on this plan.");
  const { missing } = evaluateQuorum(plan.approvals, plan.requester, approvals);
  const roles = person.roles.filter((role) =>
    missing.some((item) => item.role === role && item.people.includes(person.person)),
  );
  if (roles.length > 0) return { roles, permission: yes };
  const held = plan.approvals.require.some((item) => item.people.includes(person.person));
  return refuse(
    held
      ? "Your role has signed already; the other role is still missing."
      : "This plan does not name you among those who may approve it.",
  );
}

const beforeEffects = new Set(["requested", "planned", "awaiting_approval", "approved", "scheduled"]);
const beforeRetirement = new Set(["executing", "overlapping", "held"]);

/** What this person may do with the run now. `isCut`: the compromised credential of an emergency has been taken away. */
export function actionsFor(run: RunRecord, person: KnownPerson, isCut: boolean): RunDetail["actions"] {
  const decider = person.roles.some((role) => role === "app-owner" || role === "platform" || role === "security");
  return {
    withdraw: !beforeEffects.has(run.state)
      ? no("Only a run that has changed nothing yet can be withdrawn.")
      : run.requester === person.person || decider
        ? yes
        : no("Only who asked, or an approver, may withdraw it."),
    rollBack: !beforeRetirement.has(run.state)
      ? no("A run can be rolled back between its first effect and its retirement.")
      : isCut
        ? no("The compromised credential is gone: there is nothing to go back to. Mend what failed, and retry.")
        : !decider
          ? no("Only an app owner, platform or security may roll back.")
          : run.asked === "roll-back"
            ? no("A roll back has been asked for already.")
            : yes,
    holdDecision:
      run.state !== "held"
        ? no("The run is not held.")
        : decider
          ? yes
          : no("Only an app owner, platform or security may decide."),
  };
}
