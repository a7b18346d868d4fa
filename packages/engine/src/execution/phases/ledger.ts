import type { Facts, PlanStep } from "@countersign/core";
import type { RunWork } from "../run-work.ts";

/** What became of this run's credentials, as the ledger tells it. Ids only; repeating it changes nothing. */
export async function recordLedger(work: RunWork, what: "published" | "retired" | "rolled-back"): Promise<void> {
  const { plan } = work;
  const created = what === "rolled-back" ? everCreated(work) : createdId(work);
  const shared = sharedOf(work);
  const { kind } = shared;
  const entries = [
    ...created.map((made) => ({
      ...made,
      run: work.id,
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
  const unpublished = { run: work.id, state: "ours-unpublished" as const, gone: false };
  const made = new Map(left.flatMap((attempt) => madeBy(attempt)).map((one) => [one.id, one]));
  if (made.size === 0) return;
  await work.store.credentialsSet(
    sharedOf(work),
    [...made.values()].map((one) => ({ ...one, ...unpublished })),
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

/** What an attempt has made, and when it ends by itself; null where that is not known. */
interface Made {
  readonly id: string;
  readonly expiresAt: number | null;
}

/** The credential this run has made, if it still counts. */
function createdId(work: RunWork): Made[] {
  const create = createStep(work);
  const done = create === undefined ? undefined : work.outcomeOf(create.id);
  return done === undefined ? [] : madeBy(done);
}

/** Every credential that an attempt of this run is known to have made, also what was taken back since. */
function everCreated(work: RunWork): Made[] {
  return work.attempts(createStep(work)?.id ?? "", "do").flatMap((attempt) => madeBy(attempt));
}

function createStep(work: RunWork): PlanStep | undefined {
  return work.plan.steps.find((step) => work.verbOf(step).value === "yields");
}

/** The outside says when it ends (`endsAt`); where its answer was lost, what was asked for stands (`endDateTime`). */
function madeBy({ objectIds, facts }: { readonly objectIds: Facts; readonly facts: Facts }): Made[] {
  const id = objectIds.keyId ?? objectIds.role;
  const end = facts.endsAt ?? facts.endDateTime;
  const expiresAt = typeof end === "string" && !Number.isNaN(Date.parse(end)) ? Date.parse(end) : null;
  return typeof id === "string" ? [{ id, expiresAt }] : [];
}
