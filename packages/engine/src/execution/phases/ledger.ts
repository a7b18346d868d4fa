import type { Facts, PlanStep } from "@countersign/core";
import type { RunWork } from "../run-work.ts";

/** What became of this run's credentials, as the ledger tells it. Ids only; repeating it changes nothing. */
export async function recordLedger(work: RunWork, what: "published" | "retired" | "rolled-back"): Promise<void> {
  const { plan } = work;
  const created = what === "rolled-back" ? everCreated(work) : createdId(work);
  const shared = sharedOf(work);
  const { kind } = shared;
  const entries = [
    ...created.map((id) => ({
      id,
      run: work.id,
      expiresAt: null,
      state: "ours-active" as const,
      gone: what === "rolled-back" && kind !== "role",
    })),
    {
      id: plan.old.id,
      run: null,
      expiresAt: plan.old.expiresAt === null ? null : Date.parse(plan.old.expiresAt),
      state: stateOfOld(what, plan.old.binding),
      gone: what === "retired" && kind !== "role",
    },
  ];
  // In an emergency every credential of the plan's list is gone, what a superseded run made among them.
  const revoked = (what === "retired" ? (plan.emergency?.revoke ?? []) : []).map((id) => ({
    id,
    run: null,
    expiresAt: null,
    state: "ours-retiring" as const,
    gone: true,
  }));
  // What was made and the one of the plan have the last word of the same id.
  const said = new Map([...revoked, ...entries].map((credential) => [credential.id, credential]));
  await work.store.credentialsSet(shared, [...said.values()]);
}

/**
 * A run that stops before it has published anything may leave what it created behind: until somebody takes it back it is
 * accounted for here (I3).
 */
export async function recordUnpublished(work: RunWork): Promise<void> {
  const { steps } = work.plan;
  if (steps.some((step) => work.verbOf(step).value === "stores" && work.mayHaveEffect(step.id))) return;
  const left = work.attempts(createStep(work)?.id ?? "", "do").filter((attempt) => !work.isVoid(attempt));
  const unpublished = { run: work.id, expiresAt: null, state: "ours-unpublished" as const, gone: false };
  const ids = [...new Set(left.flatMap(({ objectIds }) => idOf(objectIds)))];
  if (ids.length === 0) return;
  await work.store.credentialsSet(
    sharedOf(work),
    ids.map((id) => ({ ...unpublished, id })),
  );
}

function sharedOf(work: RunWork) {
  const { plan } = work;
  const target =
    plan.target.kind === "entra-application"
      ? { objectId: plan.target.objectId, appId: plan.target.appId }
      : { objectId: plan.target.systemIdentifier, appId: plan.target.database };
  const kind = plan.target.kind === "entra-application" ? ("client-secret" as const) : ("role" as const);
  return { tenant: plan.tenant.name, ...target, application: plan.target.name, kind, at: work.now };
}

function stateOfOld(what: "published" | "retired" | "rolled-back", binding: string) {
  if (binding !== "ours") return "foreign" as const;
  return what === "rolled-back" ? ("ours-active" as const) : ("ours-retiring" as const);
}

/** The credential this run has made, if it still counts. */
function createdId(work: RunWork): string[] {
  const create = createStep(work);
  return idOf(create === undefined ? undefined : work.outcomeOf(create.id)?.objectIds);
}

/** Every credential that an attempt of this run is known to have made, also what was taken back since. */
function everCreated(work: RunWork): string[] {
  return work.attempts(createStep(work)?.id ?? "", "do").flatMap(({ objectIds }) => idOf(objectIds));
}

function createStep(work: RunWork): PlanStep | undefined {
  return work.plan.steps.find((step) => work.verbOf(step).value === "yields");
}

function idOf(objectIds: Facts | undefined): string[] {
  const id = objectIds?.keyId ?? objectIds?.role;
  return typeof id === "string" ? [id] : [];
}
