import type { Plan } from "../plan/plan.ts";
import type { History, Invariant, OutsideEffect } from "./history.ts";
import {
  authorisedAt,
  changesOf,
  changeText,
  eachRun,
  Findings,
  instant,
  isTarget,
  placeOf,
  planned,
  stepOf,
  told,
} from "./reading.ts";

/** I11: the right thing is touched. */
export const rightTarget: Invariant = {
  id: "I11",
  says: "Before each write the target's immutable identity (tenant, application object id and appId, vault, repository id, database system identifier) is read back and equals the plan's.",
  kept: [
    "packages/engine/src/execution/step.ts (identityProblem)",
    "each connector's `identify`",
    "packages/core/src/plan/plan.ts (identity of each step)",
  ],
  checked: [
    "log: each intent names the identity that the plan has for its step, and the target of the plan is that of the request",
    "outside: no change names ids of which one is the plan's and one is another's; since the run's change before, somebody read who answers at the place",
  ],
  unseen: [
    "What a system without immutable ids has behind a name: `identity: name-only`, shown to approvers and refused in prod unless waived.",
  ],
  remedy:
    "Freeze. Compare the ids of the run's plan with the tenant. What was changed in a wrong place has to be undone there by its owner; the run's entries say what it was.",
  check: (history) => [...byLog(history), ...outside(history)],
};

const byLog = eachRun("I11", (run, must) => {
  const { plan } = run;
  if (plan === null) return;
  must(plan.run === run.id, () => `expected a plan of this run, got one of ${plan.run}`);
  const asked = told(run, "run.requested")[0]?.data.target ?? {};
  if (plan.target.kind === "entra-application")
    must(
      asked.objectId === plan.target.objectId && asked.appId === plan.target.appId,
      () => "expected the plan's application to be the one that was asked for, got another",
    );
  for (const { data } of told(run, "step.intent")) {
    const step = stepOf(plan, data.step);
    must(
      step !== undefined && sameIdentity(step, data.target),
      () => `expected ${data.step} at the identity of the plan, got ${JSON.stringify(data.target)}`,
    );
  }
});

/** An entry's target holds strings only. */
function sameIdentity({ identity }: Plan["steps"][number], target: Readonly<Record<string, unknown>>): boolean {
  const keys = Object.keys(identity);
  const text = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));
  return keys.length === Object.keys(target).length && keys.every((key) => text(identity[key]) === target[key]);
}

function outside(history: History) {
  const findings = new Findings("I11");
  const identified = new Map<string, number>();
  const changed = new Map<string, number>();
  for (const [order, effect] of (history.outside?.effects ?? []).entries()) {
    const place = whereOf(effect);
    if (effect.kind === "identify") {
      identified.set(place, order);
      continue;
    }
    const run = planned(history).findLast(
      (one) =>
        (authorisedAt(one)?.at ?? Number.POSITIVE_INFINITY) <= effect.at &&
        (effect.place === null
          ? isTarget(one.plan, effect.target)
          : one.plan.steps.some((step) => placeOf(step) === effect.place)),
    );
    // A role is changed and its server identified in one transaction, over one connection.
    const isRead =
      effect.target.role !== undefined || (identified.get(place) ?? -1) > (changed.get(run?.id ?? "") ?? -1);
    changed.set(run?.id ?? "", order);
    findings.must(
      isRead,
      run?.id ?? null,
      () => `expected the identity to be read before the ${changeText(effect)} at ${instant(effect.at)}, it was not`,
    );
  }
  for (const effect of changesOf(history)) {
    const { objectId, appId } = effect.target;
    if (objectId === undefined || appId === undefined) continue;
    const mixed = planned(history).find(
      ({ plan: { target } }) =>
        target.kind === "entra-application" && (target.objectId === objectId) !== (target.appId === appId),
    );
    findings.must(
      mixed === undefined,
      mixed?.id ?? null,
      () => `expected object id and client id of one application, got ${objectId} and ${appId}`,
    );
  }
  return findings.found;
}

function whereOf({ place, target }: OutsideEffect): string {
  return place ?? target.objectId ?? target.role ?? "";
}
